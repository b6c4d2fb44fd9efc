"""VIPs, published ports, isolation and masquerading: the fragments they contribute."""

from __future__ import annotations

import pytest
from addresses import (
    GATEWAY,
    INGRESS,
    INSIDE,
    NETWORKS,
    NETWORKS6,
    WEBNET,
    WEBNET6,
    task,
    task6,
    web,
)

from hivelet.network.family import IPV4, IPV6
from hivelet.network.rules.balance import refuse, spread_addresses, spread_port
from hivelet.network.rules.ingress import build_ports, reachable_at
from hivelet.network.rules.isolation import build_asker, build_isolation
from hivelet.network.rules.masquerade import build_sandbox, build_uplinks
from hivelet.network.rules.vip import build_vips
from hivelet.objects.task import PortConfig

PORT = PortConfig(target_port=8000, published_port=8000)


def rules(fragment):
    return {name: chain.rules for name, chain in fragment.chains.items()}


def test_a_vip_is_dispatched_by_bridge_and_address():
    fragment = build_vips(web(), [task(1), task(2)], NETWORKS)
    assert fragment.elements == {
        ("vips", '"hv-webnetid" . 10.0.1.2'): "goto vip_webid_webnetid",
        ("vips_of_host", "10.0.1.2"): "goto vip_webid_webnetid",
    }
    assert rules(fragment) == {
        "vip_webid_webnetid": (
            "meta l4proto @balanced dnat to numgen inc mod 2 map { 0 : 10.0.1.3, 1 : 10.0.1.4 }",
            "meta l4proto @balanced dnat to 10.0.1.3",
        )
    }


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(web(mode="dnsrr"), id="dnsrr"),
        pytest.param(web(vips={"elsewhere": "10.9.0.2"}), id="network-not-on-this-node"),
        pytest.param(web(vips={"ingressid": "10.0.0.2"}), id="ingress-has-no-names"),
    ],
)
def test_no_vip(entry):
    assert build_vips(entry, [task(1)], NETWORKS).chains == {}


def test_without_backends_the_answer_is_a_refusal():
    assert spread_addresses([], affinity=False)[-2:] == refuse(IPV4)
    assert spread_port([], "tcp", 80, affinity=False) == refuse(IPV4)


def test_affinity_chooses_by_the_clients_address():
    rule, _ = spread_port(["10.0.0.3", "10.0.0.4"], "tcp", 80, affinity=True)
    assert "jhash ip saddr mod 2" in rule
    assert "numgen" not in rule


def test_a_published_port_leads_to_the_way_out():
    fragment = build_ports(web(), [task(1), task(2)], NETWORKS)
    assert fragment.elements == {("published", "tcp . 8000"): "goto port_webid_ingress_tcp_8000"}
    assert rules(fragment)["port_webid_ingress_tcp_8000"] == (
        "meta l4proto tcp dnat to numgen inc mod 2 map { 0 : 10.0.0.3 . 8000, 1 : 10.0.0.4 . 8000 }",
        "meta l4proto tcp dnat to 10.0.0.3:8000",
    )


@pytest.mark.parametrize("affinity", [False, True])
@pytest.mark.parametrize(
    ("family", "addresses", "target"),
    [
        (IPV4, ["10.0.0.3", "10.0.0.4"], "10.0.0.3:80"),
        (IPV6, ["fd00::3", "fd00::4"], "[fd00::3]:80"),
    ],
)
def test_no_choice_depends_on_a_map_alone(affinity, family, addresses, target):
    """A packet may ask a map that has just been replaced; then the rule behind it must decide."""
    for protocol in ("tcp", "udp", "sctp"):
        *_, last = spread_port(addresses, protocol, 80, affinity=affinity, family=family)
        assert last == f"meta l4proto {protocol} dnat to {target}"
    *_, last = spread_addresses(addresses, affinity=affinity, family=family)
    assert last == f"meta l4proto @balanced dnat to {addresses[0]}"


@pytest.mark.parametrize(
    ("host_ip", "key"),
    [
        pytest.param("", ("published", "udp . 8000"), id="all"),
        pytest.param("0.0.0.0", ("published", "udp . 8000"), id="all-spelt-out"),
        pytest.param("127.0.0.1", ("published_at", "127.0.0.1 . udp . 8000"), id="loopback"),
    ],
)
def test_host_ip(host_ip, key):
    entry = web(ports=[PORT.replaced(protocol="udp", host_ip=host_ip)])
    assert set(build_ports(entry, [task(1)], NETWORKS).elements) == {key}


def test_a_port_not_yet_chosen_is_left_out():
    entry = web(ports=[PortConfig(target_port=80)])
    assert build_ports(entry, [task(1)], NETWORKS).elements == {}


def test_host_mode_takes_the_holders_only():
    held = PORT.replaced(publish_mode="host", published_port=9000)
    holder = task(
        1, host_ports=[held], addresses={"webnetid": "10.0.1.3", "gatewayid": "172.20.0.3"}
    )
    fragment = build_ports(web(ports=[held]), [holder, task(2)], NETWORKS)
    assert rules(fragment) == {
        "port_webid_host_tcp_8000": ("meta l4proto tcp dnat to 172.20.0.3:8000",)
    }
    assert build_ports(web(ports=[held]), [task(2)], NETWORKS).elements == {}


OWN = PORT.replaced(publish_mode="host", published_port=9000)


def test_both_sides_of_a_handover_are_behind_a_host_mode_port():
    fragment = build_ports(
        web(ports=[OWN]), [task(1, host_ports=[OWN]), task(2, host_ports=[OWN])], NETWORKS
    )
    assert set(fragment.elements) == {("published", "tcp . 9000")}
    (chain,) = rules(fragment).values()
    assert "0 : 10.0.0.3 . 8000, 1 : 10.0.0.4 . 8000" in chain[0]


def test_a_host_mode_port_follows_an_update_of_its_target():
    moved = OWN.replaced(target_port=81)
    fragment = build_ports(
        web(ports=[moved]), [task(1, host_ports=[OWN]), task(2, host_ports=[moved])], NETWORKS
    )
    assert list(rules(fragment).values()) == [("meta l4proto tcp dnat to 10.0.0.4:81",)]


def test_an_update_of_the_target_leads_to_old_tasks_until_a_new_one_is_there():
    moved = PORT.replaced(target_port=81)
    old = [task(n, ingress_ports=[PORT]) for n in (1, 2)]
    (before,) = rules(build_ports(web(ports=[moved]), old, NETWORKS)).values()
    assert "10.0.0.3 . 8000" in before[0]
    assert "10.0.0.4 . 8000" in before[0]
    new = task(3, ingress_ports=[moved])
    after = build_ports(web(ports=[moved]), [*old, new], NETWORKS)
    assert list(rules(after).values()) == [("meta l4proto tcp dnat to 10.0.0.5:81",)]


@pytest.mark.parametrize("moved", [PORT, PORT.replaced(target_port=81)])
def test_a_port_that_moves_to_host_mode_leads_to_old_tasks_until_a_new_one_holds_it(moved):
    held = moved.replaced(publish_mode="host")
    entry = web(ports=[], host_ports=[held])
    old = [task(n, ingress_ports=[PORT]) for n in (1, 2)]
    (before,) = rules(build_ports(entry, old, NETWORKS)).values()
    assert "0 : 10.0.0.3 . 8000, 1 : 10.0.0.4 . 8000" in before[0]
    after = build_ports(entry, [*old, task(3, host_ports=[held])], NETWORKS)
    assert list(rules(after).values()) == [
        (f"meta l4proto tcp dnat to 10.0.0.5:{moved.target_port}",)
    ]


def test_a_port_that_is_published_no_more_leads_nowhere():
    other = PORT.replaced(publish_mode="host", published_port=9000)
    entry = web(ports=[], host_ports=[other])
    assert build_ports(entry, [task(1, ingress_ports=[PORT])], NETWORKS).elements == {}


def test_reachable_at():
    assert reachable_at(task(1), NETWORKS) == "10.0.0.3"
    assert reachable_at(task(1, addresses={"webnetid": "10.0.1.3"}), NETWORKS) == ""


def test_isolation():
    fragment = build_isolation([INGRESS, GATEWAY, WEBNET, INSIDE])
    assert sorted(fragment.elements) == [
        ("bridges", '"docker_gwbridge"'),
        ("bridges", '"hv-ingressid"'),
        ("bridges", '"hv-insideid"'),
        ("bridges", '"hv-webnetid"'),
        ("home", '"docker_gwbridge" . 172.20.0.0/20'),
        ("home", '"hv-ingressid" . 10.0.0.0/24'),
        ("home", '"hv-insideid" . 10.0.3.0/24'),
        ("home", '"hv-webnetid" . 10.0.1.0/24'),
        ("internal", '"hv-insideid"'),
        ("open", '"hv-insideid" . "hv-insideid"'),
        ("open", '"hv-webnetid" . "hv-webnetid"'),
        ("subnets", "10.0.0.0/24"),
        ("subnets", "10.0.1.0/24"),
        ("subnets", "10.0.3.0/24"),
        ("subnets", "172.20.0.0/20"),
    ]


def test_anybody_may_be_behind_a_bridge_of_the_users_own():
    lan = GATEWAY.replaced(id="lan", kind="bridge", bridge="br-lan", subnet="192.0.2.0/24")
    assert ("home", '"br-lan" . 0.0.0.0/0') in build_isolation([lan]).elements


def test_only_ways_out_are_masqueraded():
    quiet = GATEWAY.replaced(id="q", subnet="172.21.0.0/20", masquerade=False)
    fragment = build_uplinks([INGRESS, GATEWAY, WEBNET, INSIDE, quiet])
    assert sorted(fragment.elements) == [("uplinks", "10.0.0.0/24"), ("uplinks", "172.20.0.0/20")]


def test_a_sandbox_is_one_however_it_calls_itself():
    fragment = build_sandbox(["10.0.0.3", "10.0.1.3"], "169.254.52.1")
    assert len([key for key in fragment.elements if key[0] == "hairpin"]) == 4
    assert fragment.elements["resolver_of", "10.0.1.3"] == "169.254.52.1"


def test_a_resolver_answers_its_own_sandboxes():
    fragment = build_asker({"hv-a": "10.0.1.3", "hv-b": "10.0.2.3"}, "169.254.52.1")
    assert sorted(fragment.elements) == [
        ("askers", '"hv-a" . 10.0.1.3 . 169.254.52.1'),
        ("askers", '"hv-b" . 10.0.2.3 . 169.254.52.1'),
    ]


WEB6 = web(vips6={"webnetid": "fd00:0:0:1::2"})


def test_an_ipv6_vip_is_a_table_of_its_own():
    fragment = build_vips(WEB6, [task6(1), task(2)], NETWORKS6, IPV6)
    assert fragment.elements == {
        ("vips", '"hv-webnetid" . fd00:0:0:1::2'): "goto vip_webid_webnetid",
        ("vips_of_host", "fd00:0:0:1::2"): "goto vip_webid_webnetid",
    }
    assert (
        rules(fragment)["vip_webid_webnetid"][0] == "meta l4proto @balanced dnat to fd00:0:0:1::3"
    )
    assert build_vips(WEB6, [task6(1)], NETWORKS, IPV6).chains == {}  # a host without IPv6


def test_published_ports_lead_to_ipv6_addresses():
    fragment = build_ports(web(), [task6(1), task6(2)], NETWORKS6, IPV6)
    assert fragment.elements == {("published", "tcp . 8000"): "goto port_webid_ingress_tcp_8000"}
    assert rules(fragment)["port_webid_ingress_tcp_8000"] == (
        "meta l4proto tcp dnat to numgen inc mod 2 map { 0 : fd00::3 . 8000, 1 : fd00::4 . 8000 }",
        "meta l4proto tcp dnat to [fd00::3]:8000",
    )


def test_who_listens_for_ipv4_alone_has_no_part_in_ipv6():
    deaf = task6(1, ipv4_only=[8000])
    assert (
        "[fd00::4]:8000"
        in rules(build_ports(web(), [deaf, task6(2)], NETWORKS6, IPV6))[
            "port_webid_ingress_tcp_8000"
        ][0]
    )
    assert build_ports(web(), [deaf], NETWORKS6, IPV6).elements == {}
    assert build_ports(web(), [deaf], NETWORKS6, IPV4).elements != {}


@pytest.mark.parametrize(
    ("host_ip", "ipv4", "ipv6"),
    [
        pytest.param("", "published", "published", id="all"),
        pytest.param("0.0.0.0", "published", "", id="all-of-ipv4"),
        pytest.param("::", "", "published", id="all-of-ipv6"),
        pytest.param("::1", "", "published_at", id="loopback-of-ipv6"),
        pytest.param("127.0.0.1", "published_at", "", id="loopback-of-ipv4"),
    ],
)
def test_an_address_belongs_to_one_family(host_ip, ipv4, ipv6):
    entry = web(ports=[PORT.replaced(host_ip=host_ip)])
    for family, where in ((IPV4, ipv4), (IPV6, ipv6)):
        keys = build_ports(entry, [task6(1)], NETWORKS6, family).elements
        assert [name for name, _ in keys] == ([where] if where else [])


def test_affinity_is_by_the_ipv6_address():
    rule, _ = spread_port(["fd00::3", "fd00::4"], "tcp", 80, affinity=True, family=IPV6)
    assert "jhash ip6 saddr mod 2" in rule


def test_ipv6_ways_out_are_masqueraded():
    fragment = build_uplinks(NETWORKS6.values(), IPV6)
    assert sorted(fragment.elements) == [("uplinks", "fd00:0:0:20::/64"), ("uplinks", "fd00::/64")]
    assert build_uplinks([WEBNET6, *NETWORKS.values()], IPV6).elements == {}
