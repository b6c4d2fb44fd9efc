from __future__ import annotations

from addresses import GATEWAY, INSIDE, WEBNET

from hivelet.network.layout import WAY_OUT_TABLE, SourceRule, build_layout
from hivelet.network.layout_change import diff_layouts
from hivelet.network.sandbox import Leg

CONTAINER = "c" * 64
WEB = Leg(network=WEBNET, address="10.0.1.5/24", ordinal=0)
OUT = Leg(network=GATEWAY, address="172.20.0.5/20", ordinal=1)
INNER = Leg(network=INSIDE, address="10.0.3.5/24", ordinal=2)


def layout(*legs: Leg, resolver: str | None = None):
    return build_layout(CONTAINER, legs, resolver)


def test_what_both_have_is_not_touched():
    change = diff_layouts(layout(WEB, OUT), layout(WEB, OUT, INNER))
    assert [link.interface for link in change.new] == ["eth2"]
    assert (change.old, change.routes, change.rules) == ((), (), ())


def test_routes_of_a_link_that_goes_go_with_it():
    change = diff_layouts(layout(WEB, OUT), layout(WEB))
    assert [link.interface for link in change.old] == ["eth1"]
    assert change.routes == ()
    assert change.rules == (SourceRule(source="172.20.0.5", table=WAY_OUT_TABLE),)


def test_a_resolver_that_is_asked_no_more_has_no_route():
    before, after = layout(WEB, resolver="169.254.52.1"), layout(WEB, OUT, resolver="169.254.52.2")
    gone = [route.destination for route in diff_layouts(before, after).routes]
    assert gone == ["169.254.52.1/32"]


def test_a_link_with_another_address_is_another_link():
    moved = Leg(network=WEBNET, address="10.0.1.6/24", ordinal=0)
    change = diff_layouts(layout(WEB), layout(moved))
    assert [link.address for link in change.new] == ["10.0.1.6"]
    assert [link.address for link in change.old] == ["10.0.1.5"]
