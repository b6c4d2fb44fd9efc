"""A rule of ours, as nft's language has it, as expressions and anonymous sets. Pure.

These are the rules of `hivelet.network.rules.balance`: who is given a new connection, and how it is refused where nobody
is there. Those of a port's frames are read by `frames`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hivelet.network.family import FRAMES, IPV4, IPV6, Family
from hivelet.network.nfwire import expressions as ex
from hivelet.network.nfwire import uapi, userdata
from hivelet.network.nfwire.datatypes import (
    INET_PROTO,
    INET_SERVICE,
    IPV4_ADDR,
    IPV6_ADDR,
    PROTOCOLS,
    DataType,
    pack,
    size_of,
)
from hivelet.network.nfwire.sets import AnonymousSet, element
from hivelet.network.nfwire.unspoken import NotSpoken
from hivelet.network.rules.sets import BALANCED

PROTOCOL_NUMBERS = {IPV4: 2, IPV6: 10, FRAMES: 7}
"""NFPROTO_* of linux/netfilter.h."""

_NUMBER = DataType(uapi.TYPE_INTEGER, 4, lambda text: struct.pack("=I", int(text)))
_ADDRESS = {IPV4: IPV4_ADDR, IPV6: IPV6_ADDR}
_SOURCE_AT = {IPV4: 12, IPV6: 8}
_TCP_FLAGS_AT, _TCP_RST = 13, b"\x04"


@dataclass(slots=True)
class Reading:
    """A rule while it is read."""

    family: Family
    numbers: Iterator[int]
    """Of anonymous sets."""
    expressions: list[bytes] = field(default_factory=list)
    sets: list[AnonymousSet] = field(default_factory=list)
    protocol: str = ""
    """The transport protocol that was compared, of which statements about it need to be sure."""

    def add_set(
        self,
        key: DataType,
        elements: Sequence[bytes],
        about: bytes,
        *,
        data: tuple[DataType, ...] = (),
        flags: int = 0,
    ) -> AnonymousSet:
        """Give the rule an anonymous set or map."""
        made = AnonymousSet(
            number=next(self.numbers),
            key=(key,),
            data=data,
            flags=flags,
            userdata=about,
            elements=tuple(elements),
        )
        self.sets.append(made)
        return made


Statement = tuple[re.Pattern[str], Callable[[Reading, re.Match[str]], None]]
"""What a rule may go on with, and what it then consists of."""


def read(rule: Reading, words: str, statements: Sequence[Statement]) -> Reading:
    """Take statement after statement off a rule's text."""
    place = 0
    while place < len(words):
        for pattern, add in statements:
            if match := pattern.match(words, place):
                add(rule, match)
                place = match.end()
                break
        else:
            raise NotSpoken(words[place:])
    return rule


def statement(pattern: str, add: Callable[[Reading, re.Match[str]], None]) -> Statement:
    """A statement, which ends where the rule ends or another one begins."""
    return re.compile(rf"{pattern}(?: |$)"), add


def give_verdict(rule: Reading, match: re.Match[str]) -> None:
    """`accept`, `drop`."""
    codes = {"accept": uapi.NF_ACCEPT, "drop": uapi.NF_DROP}
    rule.expressions.append(ex.verdict(codes[match[1]]))


def _one_protocol(rule: Reading, match: re.Match[str]) -> None:
    rule.protocol = match[1]
    rule.expressions += (ex.meta(uapi.NFT_META_L4PROTO), ex.compare(INET_PROTO.pack(match[1])))


def _balanced_protocols(rule: Reading, match: re.Match[str]) -> None:
    rule.expressions += (ex.meta(uapi.NFT_META_L4PROTO), ex.lookup(match[1]))


def _reset_passes(rule: Reading, match: re.Match[str]) -> None:
    if not rule.protocol:
        rule.expressions += (ex.meta(uapi.NFT_META_L4PROTO), ex.compare(INET_PROTO.pack("tcp")))
    elif rule.protocol != "tcp":
        raise NotSpoken(match[0])
    rule.protocol = "tcp"
    rule.expressions += (
        ex.payload(uapi.NFT_PAYLOAD_TRANSPORT_HEADER, _TCP_FLAGS_AT, 1),
        ex.mask(_TCP_RST),
        ex.compare(b"\0", uapi.NFT_CMP_NEQ),
    )


def _reset(rule: Reading, match: re.Match[str]) -> None:
    if rule.protocol != "tcp":
        raise NotSpoken(match[0])
    rule.expressions.append(ex.reject(uapi.NFT_REJECT_TCP_RST, 0))


def _unreachable(rule: Reading, match: re.Match[str]) -> None:
    code = {"icmp": uapi.ICMP_PORT_UNREACH, "icmpv6": uapi.ICMPV6_PORT_UNREACH}[match[1]]
    if match[0].rstrip() != rule.family.unreachable:
        raise NotSpoken(match[0])
    rule.expressions.append(ex.reject(uapi.NFT_REJECT_ICMP_UNREACH, code))


def _to_one(rule: Reading, match: re.Match[str]) -> None:
    address, port = match["bare"] or match["bracketed"], match["port"] or match["port6"]
    if match["bracketed"] and rule.family is not IPV6:
        raise NotSpoken(match[0])
    family = PROTOCOL_NUMBERS[rule.family]
    rule.expressions.append(ex.immediate(uapi.NFT_REG_1, _ADDRESS[rule.family].pack(address)))
    if not port:
        rule.expressions.append(ex.dnat(family))
        return
    _needs_protocol(rule, match)
    rule.expressions += (
        ex.immediate(uapi.NFT_REG_2, INET_SERVICE.pack(port)),
        ex.dnat(family, port_register=uapi.NFT_REG_2, port_given=True),
    )


def _to_one_of_many(rule: Reading, match: re.Match[str]) -> None:
    address = _ADDRESS[rule.family]
    places, targets = zip(
        *(entry.split(" : ", 1) for entry in match["entries"].split(", ")), strict=True
    )
    with_port = " . " in targets[0]
    data = (address, INET_SERVICE) if with_port else (address,)
    if with_port:
        _needs_protocol(rule, match)
    order = uapi.BYTEORDER_INVALID if with_port else uapi.BYTEORDER_BIG_ENDIAN
    made = rule.add_set(
        _NUMBER,
        [element(_NUMBER.pack(p), pack(t, data)) for p, t in zip(places, targets, strict=True)],
        userdata.of_map(order),
        data=data,
    )
    rule.expressions += _choose(rule, match)
    rule.expressions.append(ex.lookup(made.name, made.id, into=uapi.NFT_REG_1))
    port_register = None
    if with_port:
        # Behind the address, wherever its length leaves off: registers can be counted in fours of bytes.
        port_register = uapi.NFT_REG32_00 + address.size // 4
        port_register = uapi.NFT_REG_2 if address.size == 16 else port_register
    rule.expressions.append(ex.dnat(PROTOCOL_NUMBERS[rule.family], port_register=port_register))


def _choose(rule: Reading, match: re.Match[str]) -> list[bytes]:
    if match["turn"]:
        return [ex.in_turn(int(match["turn"]))]
    if match["word"] != rule.family.word:
        raise NotSpoken(match[0])
    size = size_of((_ADDRESS[rule.family],))
    return [
        ex.payload(
            uapi.NFT_PAYLOAD_NETWORK_HEADER,
            _SOURCE_AT[rule.family],
            size,
            register=uapi.NFT_REG_2,
        ),
        ex.jenkins_hash(uapi.NFT_REG_2, size, int(match["hash"]), int(match["seed"], 16)),
    ]


def _needs_protocol(rule: Reading, match: re.Match[str]) -> None:
    if rule.protocol not in ("tcp", "udp", "sctp"):
        raise NotSpoken(match[0])


_CHOICE = r"(?:numgen inc mod (?P<turn>\d+)|jhash (?P<word>ip6?) saddr mod (?P<hash>\d+) seed 0x(?P<seed>[0-9a-f]+))"

BALANCER: tuple[Statement, ...] = (
    statement(rf"meta l4proto ({'|'.join(PROTOCOLS)})", _one_protocol),
    statement(rf"meta l4proto @({BALANCED})", _balanced_protocols),
    statement(
        rf"dnat to {_CHOICE} map \{{ (?P<entries>\d+ : [^,{{}}]+(?:, \d+ : [^,{{}}]+)*) \}}",
        _to_one_of_many,
    ),
    statement(
        r"dnat to (?:(?P<bare>[0-9.]+|[0-9a-f:.]+)(?::(?P<port>\d+))?|\[(?P<bracketed>[0-9a-f:.]+)\](?::(?P<port6>\d+))?)",
        _to_one,
    ),
    statement(r"reject with tcp reset", _reset),
    statement(r"reject with (icmp|icmpv6) port-unreachable", _unreachable),
    statement(r"tcp flags rst", _reset_passes),
    statement(r"(accept|drop)", give_verdict),
)
"""What the rules of a service's chains are made of."""
