"""What one owner gets wrong is left out; everybody else's rules are written."""

from __future__ import annotations

import pytest
from addresses import GATEWAY, INGRESS, WEBNET, task, web

from hivelet.network.contributions import build_fragment
from hivelet.network.desired import DesiredState
from hivelet.network.family import IPV4
from hivelet.network.rules.ruleset import EMPTY, Chain, Fragment, find_unwritable
from hivelet.network.writer import build_alone
from hivelet.objects.task import PortConfig


def state_with(host_ip: str) -> DesiredState:
    state = DesiredState()
    for network in (INGRESS, GATEWAY, WEBNET):
        state.put_network(network)
    port = PortConfig(target_port=80, published_port=8000, host_ip=host_ip)
    state.set_services({"webid": web(), "badid": web(service_id="badid", name="bad", ports=[port])})
    for backend in (task(1), task(2).replaced(service_id="badid", service_name="bad")):
        state.admit(backend)
    return state


@pytest.mark.parametrize("host_ip", ["not an ip", "10.0.0"])
def test_a_bad_address_leaves_out_its_service_alone(host_ip):
    state = state_with(host_ip)
    assert build_alone(state, "service:badid", IPV4) == EMPTY
    assert (
        build_alone(state, "service:webid", IPV4)
        == build_fragment(state, "service:webid", IPV4)
        != EMPTY
    )
    assert build_alone(state, "networks", IPV4) != EMPTY


def test_a_good_one_is_written():
    assert build_alone(state_with("192.0.2.7"), "service:badid", IPV4) != EMPTY


@pytest.mark.parametrize(
    "fragment",
    [
        Fragment(elements={("bridges", 'x" }; flush ruleset; #'): ""}),
        Fragment(elements={("bridges", "a, b"): ""}),
        Fragment(elements={("published", "tcp . 80"): "goto a }"}),
        Fragment(chains={"a b": Chain(rules=())}),
        Fragment(chains={"a": Chain(rules=("accept\nflush ruleset",))}),
        Fragment(chains={"a": Chain(rules=(), comment="a\nb")}),
    ],
)
def test_what_nft_would_read_otherwise_is_found(fragment):
    assert find_unwritable(fragment) != ""
