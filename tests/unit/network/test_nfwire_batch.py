"""What is written as a batch of our own, and what is left to nft's library."""

from __future__ import annotations

import itertools
import sys

import pytest

from hivelet.network.family import FRAMES, IPV4, IPV6
from hivelet.network.netlink import nlmsg
from hivelet.network.nfwire import uapi
from hivelet.network.nfwire.batch import FIRST, encode
from hivelet.network.nfwire.sets import named_sets
from hivelet.network.nfwire.unspoken import NotSpoken
from hivelet.network.rules.balance import spread_addresses, spread_port
from hivelet.network.rules.frames import Speaker, build_frames
from hivelet.network.rules.ruleset import add_rules
from hivelet.network.rules.sets import KEPT_BY_RULES, containers

ADDRESSES = {IPV4: ["10.0.1.3", "10.0.1.4"], IPV6: ["2001:db8::3", "fd00::4"]}


def batch(*lines: str):
    return encode("".join(f"{line}\n" for line in lines), itertools.count(1))


def kinds(packet: bytes) -> list[int]:
    return [kind & 0xFF for kind, _, _ in nlmsg.split_messages(packet)]


def test_a_batch_is_one_transaction_whose_last_command_is_acknowledged():
    made = batch("add chain ip hivelet a", "flush chain ip hivelet a", "delete chain ip hivelet a")
    messages = list(nlmsg.split_messages(made.packet))
    assert [kind for kind, _, _ in messages] == [0x10, 0xA03, 0xA08, 0xA05, 0x11]
    assert [sequence for _, sequence, _ in messages] == [FIRST + n for n in range(5)]
    assert made.last == FIRST + 3
    assert made.lines[made.last - FIRST - 1] == "delete chain ip hivelet a"
    flags = [int.from_bytes(head[6:8], sys.byteorder) for head in heads(made.packet)]
    assert [bool(one & nlmsg.ACK) for one in flags] == [False, False, False, True, False]


def heads(packet: bytes) -> list[bytes]:
    found, place = [], 0
    while place < len(packet):
        found.append(packet[place : place + 16])
        place += (int.from_bytes(packet[place : place + 4], sys.byteorder) + 3) & ~3
    return found


def test_a_rules_sets_stand_before_it_and_all_are_of_its_line():
    (line,) = add_rules("ip hivelet", "a", spread_addresses(ADDRESSES[IPV4], affinity=True)[:1])
    made = batch(line)
    assert kinds(made.packet)[1:-1] == [
        uapi.NFT_MSG_NEWSET,
        uapi.NFT_MSG_NEWSETELEM,
        uapi.NFT_MSG_NEWRULE,
    ]
    assert set(made.lines) == {line}


def test_a_long_list_of_elements_is_split():
    elements = ", ".join(f"10.{n // 200}.{n % 200}.1 . 10.0.0.1" for n in range(3000))
    made = batch(f"add element ip hivelet hairpin {{ {elements} }}")
    assert kinds(made.packet)[1:-1] == [uapi.NFT_MSG_NEWSETELEM] * len(made.lines)
    assert len(made.lines) > 1
    sizes = [len(body) for _, _, body in nlmsg.split_messages(made.packet)]
    assert max(sizes) < 1 << 16


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("affinity", [False, True])
def test_all_rules_of_services_are_known(family, count, affinity):
    addresses = ADDRESSES[family][:count]
    for protocol in ("tcp", "udp", "sctp"):
        rules = (
            *spread_addresses(addresses, affinity=affinity, family=family),
            *spread_port(addresses, protocol, 80, affinity=affinity, family=family),
        )
        made = batch(*add_rules(family.table, "a", rules))
        assert kinds(made.packet).count(uapi.NFT_MSG_NEWRULE) == len(rules)


@pytest.mark.parametrize("address6", ["", "2001:db8::1", "fd00::1"])
def test_all_rules_of_ports_are_known(address6):
    leg = Speaker(port="hv_0", mac="02:42:0a:00:00:03", address="10.0.0.3", address6=address6)
    ((name, chain),) = build_frames([leg]).chains.items()
    made = batch(*add_rules(FRAMES.table, name, chain.rules))
    assert kinds(made.packet).count(uapi.NFT_MSG_NEWRULE) == len(chain.rules)


@pytest.mark.parametrize("family", [IPV4, IPV6, FRAMES])
def test_all_sets_but_those_with_flags_are_known(family):
    unknown = {c.name for c in containers(family)} - named_sets(family).keys()
    flagged = {"subnets", "home", "uplinks", *KEPT_BY_RULES}
    assert unknown == (set() if family is FRAMES else flagged)


RULE = 'add rule ip hivelet a {} comment "hv:1"'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "table ip hivelet",
        "add table ip hivelet",
        "add chain ip other a",
        "add chain inet hivelet a",
        "add chain ip hivelet a { type filter hook input priority 0; policy accept; }",
        'delete chain ip hivelet a { comment "a"; }',
        'add chain ip hivelet a { comment "' + "é" * 64 + '"; }',
        "add rule ip hivelet a drop",
        RULE.format("counter"),
        RULE.format("drop drop2"),
        RULE.format("meta l4proto gre drop"),
        RULE.format("meta l4proto { tcp, udp } drop"),
        RULE.format("meta l4proto @other drop"),
        RULE.format("meta l4proto udp reject with tcp reset"),
        RULE.format("meta l4proto udp tcp flags rst accept"),
        RULE.format("reject with tcp reset"),
        RULE.format("reject with icmpv6 port-unreachable"),
        RULE.format("dnat to 10.0.0.1:80"),
        RULE.format("meta l4proto tcp dnat to 10.0.0.1:65536"),
        RULE.format("meta l4proto tcp dnat to 10.0.0.256"),
        RULE.format("meta l4proto tcp dnat to fd00::1"),
        RULE.format("meta l4proto tcp dnat to [10.0.0.1]:80"),
        RULE.format("dnat to numgen inc mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }"),
        RULE.format("dnat to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 . 80 }"),
        RULE.format("dnat to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }"),
        RULE.format("dnat to jhash ip6 saddr mod 2 seed 0x1 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }"),
        'add rule bridge hivelet a ip6 saddr { ::, ::1 } accept comment "hv:1"',
        'add rule bridge hivelet a ip6 saddr { fe80::/10 } accept comment "hv:1"',
        'add rule bridge hivelet a ip6 saddr { ::, fe80::1/10 } accept comment "hv:1"',
        'add rule bridge hivelet a ip6 saddr { ::, ff00::/8 } accept comment "hv:1"',
        'add rule bridge hivelet a ether saddr != 02:42:0a:00:0000:3 drop comment "hv:1"',
        'add rule bridge hivelet a ip saddr 10.0.0.1 ip saddr 10.0.0.1 accept comment "hv:1"',
        "add element ip hivelet subnets { 10.0.0.0/24 }",
        "add element ip hivelet unknown { 10.0.0.1 }",
        "add element ip hivelet bridges { eth0 }",
        'add element ip hivelet bridges { "hv-*" }',
        'add element ip hivelet bridges { "a-name-too-long-" }',
        'add element ip hivelet bridges { "hv-a" : drop }',
        'add element ip hivelet open { "hv-a" }',
        "add element ip hivelet hairpin { 10.0.0.1 . 10.0.0.1 . 10.0.0.1 }",
        "add element ip hivelet published { tcp . 80 : drop }",
        "add element ip hivelet published { tcp . 80 }",
        "add element ip hivelet published { tcp . http : goto a }",
        "delete element ip hivelet published { tcp . 80 : goto a }",
    ],
)
def test_what_is_not_known_is_the_librarys(line):
    with pytest.raises(NotSpoken):
        batch("add chain ip hivelet a", line)


def test_nothing_is_no_transaction():
    with pytest.raises(NotSpoken):
        batch()
