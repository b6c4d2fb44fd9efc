from __future__ import annotations

import pytest

from hivelet.engine.plain.legs import Candidate, asked_networks, build_leg, check_other_network
from hivelet.errors import InvalidParameter
from hivelet.objects.container import EndpointIpam, EndpointRequest
from hivelet.objects.endpoint import BridgeNetwork

NET = BridgeNetwork(
    id="n" * 64, name="net", kind="bridge", subnet="172.30.0.0/24", gateway="172.30.0.1"
)
OWN = Candidate(network=NET, given_subnet=True)
CHOSEN = Candidate(network=NET, given_subnet=False)
DEFAULT = Candidate(network=NET, given_subnet=True, default=True)


def wish(**fields: object) -> EndpointRequest:
    return EndpointRequest(**fields)


def ip(address: str) -> EndpointRequest:
    return wish(ipam_config=EndpointIpam(ipv4_address=address))


@pytest.mark.parametrize(
    ("mode", "wishes", "order"),
    [
        pytest.param("default", {}, ["bridge"], id="nothing-said"),
        pytest.param("default", {"default": wish(aliases=["a"])}, ["bridge"], id="default"),
        pytest.param("one", {"two": wish(), "one": wish()}, ["one", "two"], id="main-first"),
        pytest.param("host", {"host": wish()}, [], id="host"),
        pytest.param("none", {"none": wish()}, [], id="none"),
        pytest.param("container:x", {}, [], id="shared"),
    ],
)
def test_which_networks_in_which_order(mode, wishes, order):
    assert list(asked_networks(mode, wishes)) == order


def test_the_container_s_own_link_address_is_the_main_network_s():
    asked = asked_networks("one", {"one": wish(), "two": wish()}, "02:42:00:00:00:09")
    assert (asked["one"].mac_address, asked["two"].mac_address) == ("02:42:00:00:00:09", "")
    named = asked_networks("one", {"one": wish(mac_address="02:42:00:00:00:01")}, "other")
    assert named["one"].mac_address == "02:42:00:00:00:01"


def test_a_leg_is_as_it_was_asked_for():
    leg = build_leg(OWN, ip("172.30.0.7").replaced(aliases=["a"], mac_address="02-42-00-00-00-0A"))
    assert (leg.address, leg.aliases, leg.mac_address) == (
        "172.30.0.7/24",
        ["a"],
        "02:42:00:00:00:0a",
    )
    overlay = Candidate(network=NET.replaced(kind="overlay"), given_subnet=True)
    leg = build_leg(overlay, ip("172.30.0.7"))
    assert (leg.address, leg.asked.ipv4_address) == ("", "172.30.0.7")


@pytest.mark.parametrize(
    ("candidate", "asked", "said"),
    [
        pytest.param(DEFAULT, ip("172.30.0.7"), "user defined networks only", id="default-ip"),
        pytest.param(CHOSEN, ip("172.30.0.7"), "user configured subnets", id="chosen-subnet"),
        pytest.param(OWN, ip("x"), "invalid IPv4 address: x", id="no-address"),
        pytest.param(OWN, ip("fd00::1"), "invalid IPv4 address: fd00::1", id="other-family"),
        pytest.param(DEFAULT, wish(aliases=["a"]), "network-scoped alias", id="default-alias"),
        pytest.param(OWN, wish(aliases=["a b"]), "a b", id="alias-with-space"),
        pytest.param(OWN, wish(mac_address="zz"), "invalid MAC address: zz", id="no-mac"),
    ],
)
def test_what_cannot_be(candidate, asked, said):
    with pytest.raises(InvalidParameter, match=said):
        build_leg(candidate, asked)


@pytest.mark.parametrize(
    ("mode", "network", "said"),
    [
        ("default", "host", "host network"),
        ("host", "net", "sharing network namespace"),
        ("container:x", "net", "sharing network namespace"),
        ("none", "net", "private"),
        ("default", "none", "private"),
    ],
)
def test_who_stays_alone(mode, network, said):
    with pytest.raises(InvalidParameter, match=said):
        check_other_network(mode, network)
    check_other_network("default", "net")
