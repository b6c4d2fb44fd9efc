from __future__ import annotations

from dataclasses import replace

import pytest

from hivelet.network.drift import (
    HostState,
    Repair,
    WantedBridge,
    WantedHost,
    WantedPort,
    find_drift,
)
from hivelet.network.local6 import WHOLE
from hivelet.network.netlink.links import LinkState

SWITCH = "net/ipv4/ip_forward"
BRIDGE = LinkState(index=5, name="hv-web", kind="bridge", up=True, master=0, mac="", filtered=True)
PORT = LinkState(index=6, name="hvc1_0", kind="veth", up=True, master=5, mac="", hairpin=True)
RESOLVERS = LinkState(index=7, name="hv-resolvers", kind="bridge", up=True, master=0, mac="")
ACTUAL = HostState(
    links={link.name: link for link in (BRIDGE, PORT, RESOLVERS)},
    addresses=frozenset(
        [("hv-web", "10.0.1.1"), ("hv-web", "10.0.1.2"), ("hv-resolvers", "169.254.52.1")]
    ),
    routes=frozenset([("hv-web", "10.0.1.0/24"), ("eth0", "10.0.2.0/24")]),
    switches={SWITCH: "1"},
)
WANTED = WantedHost(
    bridges={
        "hv-web": WantedBridge(
            network_id="n1",
            network_name="webnet",
            gateways=("10.0.1.1",),
            subnets=("10.0.1.0/24",),
            vips=frozenset(["10.0.1.2"]),
        )
    },
    ports={"hvc1_0": WantedPort(container_id="c1", bridge="hv-web")},
    resolver_bridge="hv-resolvers",
    resolvers=frozenset(["169.254.52.1"]),
    switches={SWITCH: "1"},
)


def with_link(link: LinkState) -> HostState:
    return replace(ACTUAL, links={**ACTUAL.links, link.name: link})


def without_link(name: str) -> HostState:
    return replace(ACTUAL, links={n: link for n, link in ACTUAL.links.items() if n != name})


def without_address(address: str) -> HostState:
    return replace(ACTUAL, addresses=frozenset(a for a in ACTUAL.addresses if a[1] != address))


def test_what_is_as_it_was_made_is_no_drift():
    assert find_drift(ACTUAL, WANTED) == ()


def test_what_nobody_wants_is_not_seen():
    assert find_drift(ACTUAL, WantedHost()) == ()


@pytest.mark.parametrize(
    ("actual", "repairs", "words"),
    [
        pytest.param(
            without_link("hv-web"),
            [(Repair.NETWORK, "n1"), (Repair.PORT, "hvc1_0")],
            "the bridge hv-web of the network webnet is gone",
            id="bridge",
        ),
        pytest.param(
            with_link(replace(BRIDGE, up=False)),
            [(Repair.NETWORK, "n1")],
            "is down",
            id="bridge-down",
        ),
        pytest.param(
            with_link(replace(BRIDGE, filtered=False)),
            [(Repair.NETWORK, "n1")],
            "does not show nftables what crosses it",
            id="bridge-unfiltered",
        ),
        pytest.param(
            without_address("10.0.1.1"),
            [(Repair.NETWORK, "n1")],
            "has lost its address 10.0.1.1",
            id="gateway",
        ),
        pytest.param(
            replace(ACTUAL, routes=frozenset([("eth0", "10.0.1.0/24")])),
            [(Repair.ROUTES, "n1")],
            "has lost its route to 10.0.1.0/24",
            id="route",
        ),
        pytest.param(
            without_address("10.0.1.2"),
            [(Repair.VIPS, "hv-web")],
            "has lost service addresses: 10.0.1.2",
            id="vip",
        ),
        pytest.param(
            without_link("hvc1_0"),
            [(Repair.SANDBOX, "c1")],
            "the link hvc1_0 of the container c1 is gone",
            id="veth",
        ),
        pytest.param(
            with_link(replace(PORT, master=9)),
            [(Repair.PORT, "hvc1_0")],
            "is not in its bridge hv-web",
            id="other-bridge",
        ),
        pytest.param(
            with_link(replace(PORT, up=False)), [(Repair.PORT, "hvc1_0")], "is down", id="port-down"
        ),
        pytest.param(
            with_link(replace(PORT, hairpin=False)),
            [(Repair.PORT, "hvc1_0")],
            "has lost its hairpin mode",
            id="hairpin",
        ),
        pytest.param(
            without_link("hv-resolvers"),
            [(Repair.RESOLVERS, "hv-resolvers")],
            "the bridge hv-resolvers of the resolvers is gone",
            id="resolvers",
        ),
        pytest.param(
            with_link(replace(RESOLVERS, up=False)),
            [(Repair.RESOLVERS, "hv-resolvers")],
            "of the resolvers is down",
            id="resolvers-down",
        ),
        pytest.param(
            without_address("169.254.52.1"),
            [(Repair.RESOLVERS, "hv-resolvers")],
            "has lost resolvers' addresses: 169.254.52.1",
            id="resolver-address",
        ),
        pytest.param(
            replace(ACTUAL, switches={SWITCH: "0"}),
            [(Repair.SWITCHES, SWITCH)],
            "net.ipv4.ip_forward is 0, not 1",
            id="switch",
        ),
    ],
)
def test_each_drift_has_its_repair_and_its_words(actual, repairs, words):
    found = find_drift(actual, WANTED)
    assert [(drift.repair, drift.subject) for drift in found] == repairs
    assert words in found[0].what


def test_a_switch_that_does_not_exist_is_no_drift():
    assert find_drift(replace(ACTUAL, switches={}), WANTED) == ()


LOCAL = {
    name: LinkState(index=index, name=name, kind="veth", up=True, master=0, mac="")
    for index, name in ((8, "hv-local"), (9, "hv-back"))
}
WITH_LOCAL_WAY = replace(
    ACTUAL,
    links={**ACTUAL.links, **LOCAL},
    addresses=ACTUAL.addresses | {("hv-local", "fdbe:44a9:b43d::1")},
    local_way=WHOLE,
)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(ACTUAL, "the link hv-local is gone", id="gone"),
        pytest.param(
            replace(WITH_LOCAL_WAY, links={**ACTUAL.links, "hv-local": LOCAL["hv-local"]}),
            "the link hv-back is gone",
            id="one-end-gone",
        ),
        pytest.param(
            replace(
                WITH_LOCAL_WAY,
                links={**WITH_LOCAL_WAY.links, "hv-back": replace(LOCAL["hv-back"], up=False)},
            ),
            "the link hv-back is down",
            id="down",
        ),
        pytest.param(
            replace(WITH_LOCAL_WAY, addresses=ACTUAL.addresses),
            "the link hv-local has lost its address fdbe:44a9:b43d::1",
            id="address",
        ),
        *(
            pytest.param(
                replace(WITH_LOCAL_WAY, local_way=replace(WHOLE, routes=WHOLE.routes - {route})),
                f"the route to {route[2]} by {route[0]} (table {route[1]}) is gone",
                id=f"route-{route[2]}",
            )
            for route in sorted(WHOLE.routes)
        ),
        pytest.param(
            replace(WITH_LOCAL_WAY, local_way=replace(WHOLE, rule=False)),
            "the routing rule for ::1 is gone",
            id="rule",
        ),
    ],
)
def test_the_way_of_loopback_is_whole_or_made_again(actual, words):
    wanted = replace(WANTED, local_way=True)
    assert find_drift(WITH_LOCAL_WAY, wanted) == ()
    (drift,) = find_drift(actual, wanted)
    assert drift.repair is Repair.LOCAL_WAY
    assert drift.what.endswith(words)
    assert find_drift(actual, WANTED) == ()
