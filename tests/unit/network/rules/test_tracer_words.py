"""What the tracer does not understand it refuses: a rule that were skipped would be a case that is not tested."""

from __future__ import annotations

import pytest

from hivelet.testing.packets.expressions import Packet, jhash
from hivelet.testing.packets.ruleset import NotUnderstood, parse_rule, parse_ruleset
from hivelet.testing.packets.tracer import Host, Tracer

TABLE = """
table ip t {{
  chain forward {{
    type filter hook forward priority filter; policy {policy};
    {rule}
  }}
  chain side {{
    return
  }}
}}
"""
PACKET = Packet(source="192.0.2.2", destination="198.51.100.2", iif="a", dport=80)


def verdict(rule: str, policy: str = "accept") -> str:
    host = Host({"a": ["192.0.2.1/24"], "b": ["198.51.100.1/24"]})
    return Tracer(parse_ruleset(TABLE.format(rule=rule, policy=policy)), host).trace(PACKET).outcome


@pytest.mark.parametrize(
    "rule",
    [
        "log drop",
        "meta mark 1 accept",
        "ip saddr & 1 == 1 drop",
        "ct count 5 drop",
        "tcp option maxseg size set 1000",
        "queue to 1",
        "dnat to ip saddr",
        "fib saddr . iif oif missing drop",
        "numgen random mod 2 0 drop",
    ],
)
def test_an_unknown_word_is_an_error(rule):
    with pytest.raises(NotUnderstood, match="in rule"):
        parse_rule(rule)


@pytest.mark.parametrize(
    "rule", ["ip saddr @nowhere drop", "jump nowhere", "add @nowhere { ip saddr }"]
)
def test_an_unknown_name_is_an_error(rule):
    with pytest.raises(NotUnderstood, match="nowhere"):
        verdict(rule)


def test_an_unknown_part_of_a_table_is_an_error():
    with pytest.raises(NotUnderstood, match="flowtable"):
        parse_ruleset("table ip t {\n  flowtable f {\n  }\n}\n")


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ("drop", "dropped"),
        ("reject", "refused"),
        ("ip saddr 192.0.2.0/24 drop", "dropped"),
        ("ip saddr != 192.0.2.0/24 drop", "sent"),
        ("ip6 saddr != fd00::/8 drop", "sent"),
        ('iifname "a*" drop', "dropped"),
        ("meta l4proto { 6, udp } drop", "dropped"),
        ("tcp dport 80 drop", "dropped"),
        ("udp dport 80 drop", "sent"),
        ("tcp flags syn drop", "dropped"),
        ("tcp flags syn,rst drop", "dropped"),
        ("tcp flags syn / syn,ack,rst drop", "dropped"),
        ("tcp flags syn,ack / syn,ack,rst drop", "sent"),
        ("tcp sequence 0 drop", "sent"),
        ("ct state established,new drop", "dropped"),
        ("ct status dnat drop", "sent"),
        ("jump side\n    drop", "dropped"),
        ("goto side\n    drop", "sent"),
        ("ip saddr . oifname { 192.0.2.2 . b } drop", "dropped"),
    ],
)
def test_words(rule, outcome):
    assert verdict(rule) == outcome


def test_the_policy_decides_last():
    assert verdict("ip saddr 192.0.2.9 accept", policy="drop") == "dropped"


def test_jhash_of_long_keys():
    """The kernel's own is held against this in `tests/edge`; longer keys are mixed first."""
    assert jhash(bytes(12), 0) != jhash(bytes(16), 0)
    assert 0 <= jhash(bytes(range(40)), 0x68697665) < 1 << 32
