"""Each case of "The way of a packet" (`hivelet/network/rules/README.md`), traced through the rules as they are rendered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from addresses import GATEWAY, INGRESS, INSIDE, WEBNET, task, web

from hivelet.network.contributions import build_fragment
from hivelet.network.desired import DesiredState
from hivelet.network.names import bridge_name
from hivelet.network.records import ContainerRecord, ResolverRecord
from hivelet.network.rules.ruleset import RuleBook
from hivelet.network.rules.table import render_table
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.task import PortConfig
from hivelet.testing.packets.expressions import Packet
from hivelet.testing.packets.ruleset import parse_ruleset
from hivelet.testing.packets.tracer import Host, Tracer

CLOSED = BridgeNetwork(
    id="closedid", name="app_closed", subnet="10.0.4.0/24", gateway="10.0.4.1", icc=False
)
OTHER = BridgeNetwork(id="otherid", name="other_default", subnet="10.0.2.0/24", gateway="10.0.2.1")
NETWORKS = (INGRESS, GATEWAY, WEBNET, INSIDE, CLOSED, OTHER)
INGRESS_LINK, GATEWAY_LINK, WEB_LINK, INSIDE_LINK, CLOSED_LINK, OTHER_LINK = map(
    bridge_name, NETWORKS
)
HOST, CLIENT = "198.51.100.1", "198.51.100.2"
VIP, EMPTY_VIP = "10.0.1.2", "10.0.1.20"
CALLER = "10.0.1.10"
ALONE = "10.0.1.11"
"""A member of webnet alone, whose resolver is another one."""
RESOLVER = "169.254.52.1"
PORTS = [
    PortConfig(target_port=80, published_port=8000),
    PortConfig(target_port=53, published_port=53, protocol="udp"),
    PortConfig(target_port=81, published_port=8001, host_ip="127.0.0.1"),
]


def state() -> DesiredState:
    """Three web tasks, a service without a task, a caller, and a resolver for webnet's members."""
    desired = DesiredState()
    for network in NETWORKS:
        desired.put_network(network)
    desired.put_resolver(ResolverRecord(name="r1", address=RESOLVER, networks=(WEBNET.id,)))
    empty = web(
        service_id="emptyid",
        name="myapp_empty",
        vips={WEBNET.id: EMPTY_VIP},
        ports=[PortConfig(target_port=1, published_port=8002)],
    )
    desired.set_services({"webid": web(ports=PORTS), "emptyid": empty})
    for number in (1, 2, 3):
        backend = task(number)
        desired.admit(backend)
        place(desired, f"c{number}", backend.addresses)
    place(desired, "caller", {WEBNET.id: CALLER, GATEWAY.id: "172.20.0.2"})
    return desired


def place(desired: DesiredState, name: str, addresses: dict[str, str]) -> None:
    desired.put_container(
        ContainerRecord(container_id=name, task_id=name, addresses=addresses, resolver="r1")
    )


def tracer(desired: DesiredState | None = None) -> Tracer:
    desired = desired or state()
    desired.mark_all()
    owners, _ = desired.take_dirty()
    book = RuleBook()
    book.update({owner: build_fragment(desired, owner) for owner in owners})
    links = {"uplink": [f"{HOST}/24"], "resolvers": [f"{RESOLVER}/32"]}
    for network in NETWORKS:
        prefix = network.subnet.split("/")[1]
        links[bridge_name(network)] = [f"{network.gateway}/{prefix}"]
    links[WEB_LINK] += [f"{VIP}/32", f"{EMPTY_VIP}/32"]
    host = Host(links, default="uplink", loopback_routed=frozenset(map(bridge_name, NETWORKS)))
    return Tracer(parse_ruleset(render_table(book.merged())), host)


def packet(source: str, destination: str, iif: str = "", **fields) -> Packet:
    return Packet(source=source, destination=destination, iif=iif, **fields)


INTO = ("filter-forward", "to-container", "nat-postrouting")
PUBLISHED = "port_webid_ingress_tcp_80"
VIP_CHAIN = "vip_webid_webnetid"
COMING = ("raw-prerouting", "nat-prerouting")
LEAVING = ("raw-prerouting", "from-member", "nat-prerouting")
NOT_GIVEN = ("raw-prerouting", "from-container", "nat-prerouting")
"""From an address of the network that no sandbox was given."""

# Who asks what, and where the first packet goes, by which link, as whom; through which chains.
WAYS = [
    pytest.param(
        packet(CLIENT, HOST, "uplink", dport=8000),
        ("10.0.0.3:80", INGRESS_LINK, CLIENT),
        (*COMING, PUBLISHED, *INTO),
        id="a client outside asks a published port",
    ),
    pytest.param(
        packet(CLIENT, HOST, "uplink", dport=53, protocol="udp"),
        ("10.0.0.3:53", INGRESS_LINK, CLIENT),
        (*COMING, "port_webid_ingress_udp_53", *INTO),
        id="the same by UDP",
    ),
    pytest.param(
        packet("127.0.0.1", "127.0.0.1", dport=8000),
        ("10.0.0.3:80", INGRESS_LINK, "10.0.0.1"),
        ("nat-output", PUBLISHED, "nat-postrouting"),
        id="the host asks 127.0.0.1",
    ),
    pytest.param(
        packet("127.0.0.1", "127.0.0.1", dport=8001),
        ("10.0.0.3:81", INGRESS_LINK, "10.0.0.1"),
        ("nat-output", "port_webid_ingress_tcp_81", "nat-postrouting"),
        id="the host asks a port of 127.0.0.1 only",
    ),
    pytest.param(
        packet(HOST, HOST, dport=8000),
        ("10.0.0.3:80", INGRESS_LINK, HOST),
        ("nat-output", PUBLISHED, "nat-postrouting"),
        id="the host asks its own address",
    ),
    pytest.param(
        packet(VIP, VIP),
        ("10.0.1.3:80", WEB_LINK, VIP),
        ("nat-output", VIP_CHAIN, "nat-postrouting"),
        id="the host asks a VIP",
    ),
    pytest.param(
        packet(CALLER, VIP, WEB_LINK),
        ("10.0.1.3:80", WEB_LINK, CALLER),
        (*LEAVING, VIP_CHAIN, "filter-forward", "nat-postrouting"),
        id="a task asks a VIP",
    ),
    pytest.param(
        packet("10.0.1.3", VIP, WEB_LINK),
        ("10.0.1.3:80", WEB_LINK, "10.0.1.1"),
        (*LEAVING, VIP_CHAIN, "filter-forward", "nat-postrouting"),
        id="a task is given to itself through its VIP",
    ),
    pytest.param(
        packet("10.0.0.3", HOST, INGRESS_LINK, dport=8000),
        ("10.0.0.3:80", INGRESS_LINK, "10.0.0.1"),
        (*LEAVING, PUBLISHED, *INTO),
        id="a task is given to itself through a published port",
    ),
    pytest.param(
        packet("172.20.0.2", HOST, GATEWAY_LINK, dport=8000),
        ("10.0.0.3:80", INGRESS_LINK, "172.20.0.2"),
        (*LEAVING, PUBLISHED, *INTO),
        id="a task asks a published port of another service",
    ),
    pytest.param(
        packet("10.0.2.3", HOST, OTHER_LINK, dport=8000),
        ("10.0.0.3:80", INGRESS_LINK, "10.0.2.3"),
        (*NOT_GIVEN, PUBLISHED, *INTO),
        id="another network reaches it through the published port",
    ),
    pytest.param(
        packet("172.20.0.2", "203.0.113.9", GATEWAY_LINK, dport=443),
        ("", "uplink", HOST),
        (*LEAVING, "filter-forward", "nat-postrouting"),
        id="a task asks the world",
    ),
    pytest.param(
        packet("10.0.0.3", "203.0.113.9", INGRESS_LINK, dport=443),
        ("", "uplink", HOST),
        (*LEAVING, "filter-forward", "nat-postrouting"),
        id="a task with published ports asks the world",
    ),
    pytest.param(
        packet(CALLER, "10.0.1.3", WEB_LINK),
        ("", WEB_LINK, CALLER),
        (*LEAVING, "filter-forward", "nat-postrouting"),
        id="a task asks a neighbour of its network",
    ),
    pytest.param(
        packet("10.0.3.4", "10.0.3.3", INSIDE_LINK),
        ("", INSIDE_LINK, "10.0.3.4"),
        (*NOT_GIVEN, "filter-forward", "nat-postrouting"),
        id="a task asks a neighbour of an internal network",
    ),
]


@pytest.mark.parametrize(("asked", "sent", "chains"), WAYS)
def test_the_way(asked, sent, chains):
    trace = tracer().trace(asked)
    assert trace.outcome == "sent", trace
    assert (trace.translated, trace.oif, trace.packet.source) == sent
    assert trace.chains == chains
    # A balanced TCP connection may be silent for weeks; what nobody translates is not our business.
    assert (trace.timeout == "patient") == (bool(sent[0]) and asked.protocol == "tcp")


@pytest.mark.parametrize(("asked", "sent", "chains"), WAYS)
def test_answers_come_back_as_from_whom_was_asked(asked, sent, chains):
    way = tracer()
    trace = way.trace(asked)
    answer = way.trace(trace.answer())
    assert answer.outcome == ("sent" if asked.iif else "received"), answer
    assert ("opening" in answer.chains) == (bool(sent[0]) and asked.protocol == "tcp")
    got = answer.packet
    assert (got.destination, got.dport) == (asked.source, asked.sport)
    if asked.iif:
        assert (got.source, got.sport) == (asked.destination, asked.dport)
        assert answer.oif == asked.iif


@pytest.mark.parametrize(("asked", "sent", "chains"), WAYS)
def test_later_packets_follow_the_first(asked, sent, chains):
    """Whoever is next in turn: established connections are not asked again."""
    way = tracer()
    first = way.trace(asked)
    assert way.trace(replace(asked, sport=40001)).packet.sport == 40001
    later = way.trace(first.later())
    assert (later.packet.destination, later.packet.dport, later.packet.source) == (
        first.packet.destination,
        first.packet.dport,
        first.packet.source,
    )
    assert not {"nat-prerouting", "nat-output", "nat-postrouting"} & set(later.chains)


@pytest.mark.parametrize(
    ("asked", "backends"),
    [
        pytest.param(packet(CLIENT, HOST, "uplink", dport=8000), "10.0.0.", id="published"),
        pytest.param(packet(CALLER, VIP, WEB_LINK), "10.0.1.", id="vip"),
    ],
)
def test_strictly_in_turn(asked, backends):
    way = tracer()
    found = [way.trace(asked).packet.destination for _ in range(6)]
    assert found == [f"{backends}{last}" for last in (3, 4, 5)] * 2


def test_a_client_with_affinity_stays():
    desired = state()
    desired.set_services({"webid": web(ports=PORTS, affinity=True)})
    way = tracer(desired)
    clients = [f"198.51.100.{last}" for last in range(2, 60)]
    chosen = {
        client: {
            way.trace(packet(client, HOST, "uplink", dport=8000)).packet.destination
            for _ in range(3)
        }
        for client in clients
    }
    assert {len(found) for found in chosen.values()} == {1}
    assert set().union(*chosen.values()) == {"10.0.0.3", "10.0.0.4", "10.0.0.5"}


@pytest.mark.parametrize(
    ("protocol", "refusal"),
    [("tcp", "tcp reset"), ("udp", "icmp port-unreachable")],
)
@pytest.mark.parametrize(("source", "iif"), [(CALLER, WEB_LINK), (EMPTY_VIP, "")])
def test_a_vip_without_a_task_refuses(source, iif, protocol, refusal):
    trace = tracer().trace(packet(source, EMPTY_VIP, iif, protocol=protocol))
    assert (trace.outcome, trace.rule) == ("refused", refusal)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(packet(CLIENT, HOST, "uplink", dport=8002), id="a port without a task"),
        pytest.param(packet(CLIENT, HOST, "uplink", dport=22), id="a port of the host's own"),
        pytest.param(packet(CLIENT, HOST, "uplink", dport=8001), id="a port of 127.0.0.1 only"),
        pytest.param(packet(CALLER, VIP, WEB_LINK, protocol="icmp"), id="a ping of a VIP"),
        pytest.param(
            packet(CALLER, EMPTY_VIP, WEB_LINK, protocol="icmp"), id="a ping of an empty VIP"
        ),
        pytest.param(
            packet(CALLER, RESOLVER, WEB_LINK, protocol="udp", dport=53), id="a question for a name"
        ),
        pytest.param(packet("127.0.0.1", "127.0.0.1", dport=22), id="the host talks to itself"),
        pytest.param(packet(HOST, RESOLVER, protocol="udp", dport=53), id="the host asks a name"),
    ],
)
def test_the_host_receives(asked):
    trace = tracer().trace(asked)
    assert (trace.outcome, trace.translated) == ("received", "")


@pytest.mark.parametrize("source", [CALLER, "10.0.0.3"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_dockers_resolver_address_leads_to_the_sandboxes_own(source, protocol):
    iif = WEB_LINK if source == CALLER else INGRESS_LINK
    asked = packet(source, "127.0.0.11", iif, protocol=protocol, dport=53)
    trace = tracer().trace(asked)
    assert (trace.outcome, trace.translated) == ("received", f"{RESOLVER}:53")


DROPPED = [
    pytest.param(packet(CALLER, "10.0.2.3", WEB_LINK), id="another network's task"),
    pytest.param(packet("10.0.2.3", "10.0.1.3", OTHER_LINK), id="and the other way round"),
    pytest.param(packet("172.20.0.2", "172.20.0.3", GATEWAY_LINK), id="a neighbour on docker_gwbridge"),
    pytest.param(packet("10.0.0.3", "10.0.0.4", INGRESS_LINK), id="a neighbour on ingress"),
    pytest.param(packet("10.0.4.3", "10.0.4.4", CLOSED_LINK), id="a neighbour with enable_icc=false"),
    pytest.param(packet(CLIENT, "10.0.1.3", "uplink"), id="a router beside us asks a task"),
    pytest.param(packet(CALLER, "10.0.3.3", WEB_LINK), id="into an internal network"),
    pytest.param(packet("10.0.3.3", "203.0.113.9", INSIDE_LINK), id="out of an internal network"),
    pytest.param(packet("10.0.3.3", "10.0.1.3", INSIDE_LINK), id="from an internal network into another"),
    pytest.param(packet("10.0.3.3", HOST, INSIDE_LINK, dport=8000), id="out of an internal network by a published port"),
    pytest.param(packet(CALLER, "127.0.0.1", WEB_LINK, dport=22), id="the host's loopback from a task"),
    pytest.param(packet(CALLER, "127.0.0.1", WEB_LINK, dport=8001), id="a port of 127.0.0.1 from a task"),
    pytest.param(packet(CALLER, "127.0.0.11", WEB_LINK, dport=8001), id="another port of 127.0.0.11"),
    pytest.param(packet(CLIENT, "127.0.0.1", "uplink", dport=8001), id="a loopback address from outside"),
    pytest.param(packet("127.0.0.1", HOST, "uplink", dport=8000), id="a loopback source from outside"),
    pytest.param(packet("10.0.2.3", RESOLVER, OTHER_LINK, protocol="udp", dport=53), id="another network's resolver"),
    pytest.param(packet(ALONE, RESOLVER, WEB_LINK, protocol="udp", dport=53), id="a resolver of more networks than its own"),
    pytest.param(packet(ALONE, RESOLVER, WEB_LINK, dport=53), id="a resolver of more networks, by TCP"),
    pytest.param(packet(CALLER, RESOLVER, "uplink", protocol="udp", dport=53), id="a resolver in a task's name, from outside"),
    pytest.param(packet(CLIENT, RESOLVER, "uplink", protocol="udp", dport=53), id="a resolver from outside"),
    pytest.param(packet("10.0.1.3", CALLER, WEB_LINK, state="invalid"), id="what conntrack cannot place"),
    pytest.param(packet("10.0.2.3", VIP, OTHER_LINK), id="another network's VIP"),
    pytest.param(packet("10.0.2.3", "10.0.1.1", OTHER_LINK, dport=22), id="another network's gateway"),
    pytest.param(packet("10.0.2.3", "10.0.1.1", OTHER_LINK, protocol="icmp"), id="another network's gateway, pinged"),
    pytest.param(packet("10.0.1.10", "10.0.1.3", OTHER_LINK, state="established"), id="in another network's name"),
    pytest.param(packet(CLIENT, "10.0.1.3", OTHER_LINK, state="established"), id="in a client's name"),
    pytest.param(packet(VIP, CALLER, WEB_LINK), id="in the name of its network's VIP"),
    pytest.param(packet("10.0.1.1", CALLER, WEB_LINK), id="in the name of its network's gateway"),
]  # fmt: skip


@pytest.mark.parametrize("asked", DROPPED)
def test_isolation(asked):
    trace = tracer().trace(asked)
    assert trace.outcome == "dropped", trace
    assert trace.rule.endswith("drop") or trace.rule == "martian"


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(packet(CLIENT, VIP, "uplink"), id="from outside"),
    ],
)
def test_a_vip_is_no_way_from_one_network_into_another(asked):
    """The address is the host's there, which has nothing to say at that port; no task sees the packet."""
    trace = tracer().trace(asked)
    assert (trace.outcome, trace.translated) == ("received", "")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("address", ["10.0.3.1", HOST])
def test_the_host_is_outside_of_an_internal_network(address, protocol):
    trace = tracer().trace(packet("10.0.3.3", address, INSIDE_LINK, protocol=protocol, dport=22))
    assert trace.outcome == "refused"
    answer = packet("10.0.3.3", "10.0.3.1", INSIDE_LINK, protocol=protocol, state="established")
    assert tracer().trace(answer).outcome == "received"


def test_answers_pass_into_a_network_that_nobody_may_enter():
    way = tracer()
    asked = way.trace(packet("172.20.0.2", "203.0.113.9", GATEWAY_LINK, dport=443))
    answer = way.trace(asked.answer())
    assert (answer.outcome, answer.packet.destination) == ("sent", "172.20.0.2")
    stray = asked.answer(state="invalid").packet
    assert way.trace(replace(stray, status=frozenset())).outcome == "received"


TCP_WAYS = [way for way in WAYS if way.values[1][0] and way.values[0].protocol == "tcp"]


@pytest.mark.parametrize(("asked", "sent", "chains"), TCP_WAYS)
def test_the_refusal_of_a_backend_that_served_is_kept_from_the_client_once(asked, sent, chains):
    """A process that was killed refuses until it is out of the balancer: the client's SYN comes again, to another one."""
    way = tracer()
    never_served = way.trace(asked)
    assert way.trace(never_served.answer(refused=True)).outcome != "dropped"
    for _ in range(3):  # all have served
        way.trace(way.trace(asked).answer())
    first = way.trace(replace(asked, sport=40001)).answer(refused=True)
    assert way.trace(first).outcome == "dropped"
    assert way.trace(first).outcome != "dropped"
    # A reset in the middle of a connection is always told.
    other = way.trace(replace(asked, sport=40002)).answer(refused=True)
    reset = replace(other, packet=replace(other.packet, sequence=77))
    assert way.trace(reset).outcome != "dropped"


def test_refusals_of_neighbours_are_not_our_business():
    way = tracer()
    direct = way.trace(packet(CALLER, "10.0.1.3", WEB_LINK))
    way.trace(direct.answer())
    assert way.trace(direct.answer(refused=True)).outcome == "sent"
