"""A script of nft commands as one batch of messages, which the kernel takes as one transaction. Pure.

Known are the lines that `hivelet.network.rules.ruleset` writes about regular chains, their rules, and elements of our
tables. Any other line makes the script `NotSpoken`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hivelet.network.family import FRAMES, IPV4, IPV6, Family
from hivelet.network.names import TABLE
from hivelet.network.netlink.nlmsg import ACK, CREATE, REQUEST, attribute, message, nested, text
from hivelet.network.nfwire import uapi, userdata
from hivelet.network.nfwire.frames import FRAME_RULES
from hivelet.network.nfwire.sets import element_lists, named_sets, new_set, read_element
from hivelet.network.nfwire.statements import BALANCER, PROTOCOL_NUMBERS, Reading, read
from hivelet.network.nfwire.unspoken import NotSpoken

_FAMILIES = {family.word: family for family in (IPV4, IPV6, FRAMES)}
_APPEND = 0x800
"""NLM_F_APPEND of linux/netlink.h."""

_WHERE = rf"(ip|ip6|bridge) {TABLE}"
_NAME = r"([A-Za-z0-9_.-]+)"
_CHAIN = re.compile(rf'(add|flush|delete) chain {_WHERE} {_NAME}(?: \{{ comment "([^"]*)"; \}})?')
_RULE = re.compile(rf'add rule {_WHERE} {_NAME} (.+) comment "([^"]*)"')
_ELEMENTS = re.compile(rf"(add|delete) element {_WHERE} {_NAME} \{{ (.+) \}}")

FIRST = 1
"""The sequence number of a batch's first message; a refusal of the batch as a whole is about that one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages in one piece, and the lines to which they belong, by sequence number counted from `FIRST`."""

    packet: bytes
    lines: tuple[str, ...]

    @property
    def last(self) -> int:
        """The sequence number of the last command, which the kernel acknowledges if all is in effect."""
        return FIRST + len(self.lines)


@dataclass(slots=True)
class _Draft:
    """A batch while it is written."""

    numbers: Iterator[int]
    commands: list[tuple[int, int, bytes]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, kind: int, flags: int, family: Family, body: bytes, line: str) -> None:
        generic = bytes((PROTOCOL_NUMBERS[family], 0, 0, 0))
        self.commands.append((uapi.NFNL_SUBSYS_NFTABLES << 8 | kind, flags, generic + body))
        self.lines.append(line)


def encode(script: str, numbers: Iterator[int]) -> Batch:
    """The batch that does what a script says; `numbers` are for anonymous sets, and come but once.

    Raises:
        NotSpoken: a line is not known here.
    """
    draft = _Draft(numbers)
    for line in script.splitlines():
        _add_line(draft, line)
    if not draft.commands:
        raise NotSpoken(script)
    bounds = bytes((0, 0)) + uapi.NFNL_SUBSYS_NFTABLES.to_bytes(2, "big")
    final = len(draft.commands)
    packet = [message(uapi.NFNL_MSG_BATCH_BEGIN, REQUEST, bounds, sequence=FIRST)]
    for place, (kind, flags, body) in enumerate(draft.commands, 1):
        flags |= REQUEST | (ACK if place == final else 0)
        packet.append(message(kind, flags, body, sequence=FIRST + place))
    packet.append(message(uapi.NFNL_MSG_BATCH_END, REQUEST, bounds, sequence=FIRST + final + 1))
    return Batch(b"".join(packet), tuple(draft.lines))


def _add_line(draft: _Draft, line: str) -> None:
    if match := _RULE.fullmatch(line):
        _add_rule(draft, line, match)
    elif match := _ELEMENTS.fullmatch(line):
        _add_elements(draft, line, match)
    elif match := _CHAIN.fullmatch(line):
        _add_chain(draft, line, match)
    else:
        raise NotSpoken(line)


def _add_chain(draft: _Draft, line: str, match: re.Match[str]) -> None:
    verb, word, name, words = match.groups()
    family = _FAMILIES[word]
    table = text(uapi.NFTA_CHAIN_TABLE, TABLE)
    if verb == "add":
        body = table + text(uapi.NFTA_CHAIN_NAME, name)
        if words is not None:
            body += attribute(uapi.NFTA_CHAIN_USERDATA, userdata.comment(words))
        draft.add(uapi.NFT_MSG_NEWCHAIN, CREATE, family, body, line)
    elif words is not None:
        raise NotSpoken(line)
    elif verb == "delete":
        body = table + text(uapi.NFTA_CHAIN_NAME, name)
        draft.add(uapi.NFT_MSG_DELCHAIN, 0, family, body, line)
    else:
        body = text(uapi.NFTA_RULE_TABLE, TABLE) + text(uapi.NFTA_RULE_CHAIN, name)
        draft.add(uapi.NFT_MSG_DELRULE, 0, family, body, line)


def _add_rule(draft: _Draft, line: str, match: re.Match[str]) -> None:
    word, chain, words, tag = match.groups()
    family = _FAMILIES[word]
    statements = FRAME_RULES if family is FRAMES else BALANCER
    rule = read(Reading(family, draft.numbers), words, statements)
    for anonymous in rule.sets:
        draft.add(uapi.NFT_MSG_NEWSET, CREATE, family, new_set(TABLE, anonymous), line)
        lists = element_lists(TABLE, anonymous.name, anonymous.elements, anonymous.id)
        for body in lists:
            draft.add(uapi.NFT_MSG_NEWSETELEM, CREATE, family, body, line)
    body = b"".join(
        (
            text(uapi.NFTA_RULE_TABLE, TABLE),
            text(uapi.NFTA_RULE_CHAIN, chain),
            nested(uapi.NFTA_RULE_EXPRESSIONS, *rule.expressions),
            attribute(uapi.NFTA_RULE_USERDATA, userdata.comment(tag)),
        )
    )
    draft.add(uapi.NFT_MSG_NEWRULE, CREATE | _APPEND, family, body, line)


def _add_elements(draft: _Draft, line: str, match: re.Match[str]) -> None:
    verb, word, name, items = match.groups()
    family = _FAMILIES[word]
    where = named_sets(family).get(name)
    if where is None:
        raise NotSpoken(line)
    adding = verb == "add"
    elements = [read_element(item, where, with_data=adding) for item in items.split(", ")]
    kind = uapi.NFT_MSG_NEWSETELEM if adding else uapi.NFT_MSG_DELSETELEM
    for body in element_lists(TABLE, name, elements):
        draft.add(kind, CREATE if adding else 0, family, body, line)
