from __future__ import annotations

from addresses import GATEWAY, INGRESS, INGRESS6, INSIDE, WEBNET

from hivelet.network.layout import LOCAL_TABLE, WAY_OUT_TABLE, Route, SourceRule, build_layout
from hivelet.network.sandbox import Leg

CONTAINER = "c" * 64
WEB = Leg(network=WEBNET, address="10.0.1.5/24")
IN = Leg(network=INGRESS, address="10.0.0.5/24")
OUT = Leg(network=GATEWAY, address="172.20.0.5/20")
INNER = Leg(network=INSIDE, address="10.0.3.5/24")


def test_ingress_is_the_way_out_of_a_task_with_ports():
    layout = build_layout(CONTAINER, (IN, WEB), None)
    assert [(link.interface, link.bridge) for link in layout.links] == [
        ("eth0", "hv-webnetid"),
        ("eth1", "hv-ingressid"),
    ]
    assert layout.gateway == "10.0.0.1"
    assert layout.routes == (
        Route(destination="", via="10.0.0.1", interface="eth1"),
        Route(destination="10.0.0.0/24", interface="eth1", table=WAY_OUT_TABLE),
        Route(destination="", via="10.0.0.1", interface="eth1", table=WAY_OUT_TABLE),
    )
    assert layout.rules == (SourceRule(source="10.0.0.5", table=WAY_OUT_TABLE),)


def test_gateway_is_the_way_out_of_others():
    layout = build_layout(CONTAINER, (WEB, OUT), None)
    assert (layout.gateway, layout.way_out) == ("172.20.0.1", GATEWAY.id)
    assert [link.mac for link in layout.links] == ["02:42:0a:00:01:05", "02:42:ac:14:00:05"]


def test_a_single_leg_needs_no_rule():
    layout = build_layout(CONTAINER, (OUT,), None)
    assert layout.rules == ()
    assert layout.routes == (Route(destination="", via="172.20.0.1", interface="eth0"),)


def test_internal_networks_have_no_way_out_but_names():
    layout = build_layout(CONTAINER, (INNER,), "169.254.52.1")
    assert (layout.gateway, layout.way_out) == ("", None)
    assert layout.routes == (
        Route(destination="169.254.52.1/32", via="10.0.3.1", interface="eth0"),
        Route(
            destination="127.0.0.11/32",
            via="10.0.3.1",
            interface="eth0",
            source="10.0.3.5",
            table=LOCAL_TABLE,
        ),
    )


def test_ipv6_takes_the_same_way_out():
    ingress = Leg(network=INGRESS6, address="10.0.0.5/24", address6="fd00::5/64")
    layout = build_layout(CONTAINER, (ingress, WEB), None)
    assert (layout.gateway6, layout.links[1].address6, layout.links[1].prefix6) == (
        "fd00::1",
        "fd00::5",
        64,
    )
    assert layout.links[0].address6 == ""
    assert layout.routes[3:] == (
        Route(destination="", via="fd00::1", interface="eth1"),
        Route(destination="fd00::/64", interface="eth1", table=WAY_OUT_TABLE),
        Route(destination="", via="fd00::1", interface="eth1", table=WAY_OUT_TABLE),
    )
    assert layout.rules[1] == SourceRule(source="fd00::5", table=WAY_OUT_TABLE)


def test_without_legs_there_is_nothing():
    assert build_layout(CONTAINER, (), None).links == ()
