from __future__ import annotations

import pytest

from hivelet.network.firewall.tables import (
    FirewalldTable,
    NftRule,
    comment_of,
    parse_firewalld,
    parse_iptables,
    parse_nft_chains,
    target_of,
    unconditional_target,
)

DOCKER = """-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
"""


def test_iptables():
    table = parse_iptables("iptables-nft", "ip", DOCKER)
    assert table.policies == {"INPUT": "ACCEPT", "FORWARD": "DROP", "OUTPUT": "ACCEPT"}
    assert table.chains == {
        "INPUT": (),
        "FORWARD": ("-j DOCKER-USER",),
        "OUTPUT": (),
        "DOCKER-USER": ("-j RETURN",),
    }
    assert table.drops("forward")
    assert not table.drops("input")
    assert table.jumps("FORWARD", "DOCKER-USER")


@pytest.mark.parametrize(
    ("rules", "drops"),
    [
        pytest.param("", False, id="empty"),
        pytest.param("-A INPUT -j DROP", True, id="drop"),
        pytest.param("-A INPUT -j REJECT --reject-with icmp-port-unreachable", True, id="reject"),
        pytest.param("-A INPUT -i eth0 -j DROP", False, id="drop-on-one-link"),
        pytest.param("-A INPUT -j DROP\n-A INPUT -i lo -j ACCEPT", False, id="not-the-last"),
        pytest.param("-A INPUT -j ACCEPT", False, id="accept"),
    ],
)
def test_a_last_rule_that_drops(rules, drops):
    text = f"-P INPUT ACCEPT\n{rules}\n"
    assert parse_iptables("iptables-nft", "ip", text).drops("input") is drops


@pytest.mark.parametrize(
    ("rule", "target", "comment", "unconditional"),
    [
        pytest.param("-j RETURN", "RETURN", "", "RETURN", id="return"),
        pytest.param("-j DOCKER-USER", "DOCKER-USER", "", "", id="jump"),
        pytest.param("-i eth0 -g there", "there", "", "", id="goto"),
        pytest.param("-p tcp", "", "", "", id="counts"),
        pytest.param('-m comment --comment "a -j b" -j DROP', "DROP", "a -j b", "", id="comment"),
    ],
)
def test_rules_of_iptables(rule, target, comment, unconditional):
    assert target_of(rule) == target
    assert comment_of(rule) == comment
    assert unconditional_target(rule) == unconditional


def chain(name, **fields):
    return {"chain": {"family": "inet", "table": "filter", "name": name, "handle": 1, **fields}}


def rule(name, *expr, handle=7, **fields):
    return {"rule": {"chain": name, "handle": handle, "expr": list(expr), **fields}}


FORWARD = {"type": "filter", "hook": "forward", "policy": "accept"}
COUNTER = {"counter": {"packets": 0, "bytes": 0}}


@pytest.mark.parametrize(
    ("policy", "rules", "drops"),
    [
        pytest.param("drop", [], True, id="policy"),
        pytest.param("accept", [], False, id="accepts"),
        pytest.param("accept", [rule("fwd", COUNTER, {"drop": None})], True, id="last-rule"),
        pytest.param("accept", [rule("fwd", {"reject": {"type": "icmp"}})], True, id="reject"),
        pytest.param("accept", [rule("fwd", {"match": {}}, {"drop": None})], False, id="some"),
    ],
)
def test_native_chains(policy, rules, drops):
    (found,) = parse_nft_chains([chain("fwd", **FORWARD | {"policy": policy}), *rules], "hivelet")
    assert found.drops() is drops
    assert (found.family, found.table, found.name, found.hook) == (
        "inet",
        "filter",
        "fwd",
        "forward",
    )
    assert found.passes is None


def test_our_own_chain_in_a_native_table():
    entries = [
        {"metainfo": {}},
        chain("fwd", **FORWARD),
        chain("nat", type="nat", hook="prerouting"),
        chain("hivelet-forward"),
        rule("hivelet-forward", {"accept": None}),
        rule("fwd", {"jump": {"target": "hivelet-forward"}}, comment="hivelet-1", handle=9),
    ]
    (found,) = parse_nft_chains(entries, "hivelet")
    assert found.passes == 1
    assert found.rules == (NftRule(handle=9, comment="hivelet-1", jumps_to="hivelet-forward"),)


@pytest.mark.parametrize("dispatch", ["filter_FORWARD_ZONES", "filter_FORWARD_IN_ZONES"])
def test_firewalld(dispatch):
    link = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "hv-*"}}
    entries = [
        chain(dispatch),
        rule(dispatch, link, {"goto": {"target": "filter_FWD_trusted"}}),
        rule(dispatch, {"goto": {"target": "filter_FWD_public"}}),
        rule("filter_FWD_trusted", link, {"accept": None}),
    ]
    assert parse_firewalld(entries) == FirewalldTable(bound={"hv-*": "filter_FWD_trusted"})
