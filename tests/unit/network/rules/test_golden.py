"""Whole rulesets as text in `tests/golden/nft` (HIVELET_GOLDEN=1 rewrites them; reviewed as diffs)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from addresses import GATEWAY, INGRESS, INSIDE, NETWORKS6, WEBNET, task, task6, web

from hivelet.network.contributions import build_fragment
from hivelet.network.desired import DesiredState
from hivelet.network.family import FRAMES, IPV4, IPV6, Family
from hivelet.network.records import ContainerRecord, ResolverRecord
from hivelet.network.rules.ruleset import RuleBook
from hivelet.network.rules.table import render_table
from hivelet.objects.task import PortConfig

GOLDEN = Path(__file__).parents[3] / "golden" / "nft"


def empty_node() -> DesiredState:
    return DesiredState()


def seed_stack() -> DesiredState:
    """The seed's application: rabbit, web three times, and a port bound to loopback."""
    state = DesiredState()
    for network in (INGRESS, GATEWAY, WEBNET, INSIDE):
        state.put_network(network)
    state.put_resolver(ResolverRecord(name="r1", address="169.254.52.1", networks=("webnetid",)))
    rabbit = web(
        service_id="rabbitid",
        name="myapp_rabbit",
        vips={"webnetid": "10.0.1.20"},
        aliases={"webnetid": ["rabbit"]},
        ports=[PortConfig(target_port=5672, published_port=5672, host_ip="127.0.0.1")],
    )
    state.set_services({"webid": web(), "rabbitid": rabbit})
    for number in (1, 2, 3):
        state.admit(task(number))
    state.put_container(
        ContainerRecord(
            container_id="c1",
            task_id="task1",
            addresses={"webnetid": "10.0.1.3", "ingressid": "10.0.0.3"},
            ports={"webnetid": "hvc1_0", "ingressid": "hvc1_1"},
            resolver="r1",
        )
    )
    return state


def dual_stack() -> DesiredState:
    """The same with IPv6; the third web task listens for IPv4 alone."""
    state = seed_stack()
    for network in NETWORKS6.values():
        state.put_network(network)
    state.set_services({"webid": web(vips6={"webnetid": "fd00:0:0:1::2"})})
    for number in (1, 2):
        state.admit(task6(number))
    state.admit(task6(3, ipv4_only=[8000]))
    state.put_container(
        ContainerRecord(
            container_id="c1",
            task_id="task1",
            addresses={"webnetid": "10.0.1.3", "ingressid": "10.0.0.3"},
            addresses6={"webnetid": "fd00:0:0:1::3", "ingressid": "fd00::3"},
            ports={"webnetid": "hvc1_0", "ingressid": "hvc1_1"},
            resolver="r1",
        )
    )
    return state


def built(state: DesiredState, family: Family = IPV4) -> RuleBook:
    state.mark_all()
    owners, _ = state.take_dirty()
    book = RuleBook()
    book.update({owner: build_fragment(state, owner, family) for owner in owners})
    return book


def check(name: str, text: str) -> None:
    """The tags of the rules follow from their text and would only hide it."""
    text = re.sub(' comment "hv:[0-9a-f]+"', "", text)
    path = GOLDEN / name
    if os.environ.get("HIVELET_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("make", [empty_node, seed_stack])
def test_whole_ruleset(make):
    check(f"{make.__name__}.nft", render_table(built(make()).merged()))


def test_whole_ruleset_of_ipv6():
    check("dual_stack.nft", render_table(built(dual_stack(), IPV6).merged(), family=IPV6))


def test_whole_ruleset_of_frames():
    check("frames.nft", render_table(built(dual_stack(), FRAMES).merged(), family=FRAMES))


def test_without_timeouts():
    assert "ct timeout" not in render_table(built(empty_node()).merged(), patience=False)


def test_a_backend_that_leaves_is_a_small_transaction():
    state = seed_stack()
    book = built(state)
    state.withdraw("task2")
    owners, _ = state.take_dirty()
    change = book.update({owner: build_fragment(state, owner) for owner in owners})
    check("withdraw.nft", "\n".join(change.commands(IPV4.table)) + "\n")
