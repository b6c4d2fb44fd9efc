"""What a chain does with one packet: selectors, sets, verdicts, and the kernel's two ways to choose. Pure but for the turns.

A lookup that finds nothing ends its rule, as in the kernel, and so does a selector that the packet has no value for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from hivelet.testing.packets.ruleset import (
    Chain,
    Chosen,
    Dispatch,
    Dnat,
    Elements,
    Flags,
    Learn,
    Lookup,
    Masquerade,
    Match,
    NotUnderstood,
    Rule,
    Selector,
    SetTimeout,
    Table,
    Verdict,
)

PROTOCOL_NUMBERS = {
    "1": "icmp",
    "6": "tcp",
    "17": "udp",
    "58": "ipv6-icmp",
    "132": "sctp",
    "icmpv6": "ipv6-icmp",
}
_WITH_PORTS = ("tcp", "udp", "sctp")
_LEAVE = Verdict("leave the rule")
_TERMINAL = ("accept", "drop", "reject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet at some hook. `iif` and `oif` "" are none; `state` and `status` are conntrack's."""

    source: str
    destination: str
    protocol: str = "tcp"
    sport: int = 40000
    dport: int = 80
    iif: str = ""
    oif: str = ""
    flags: frozenset[str] = frozenset({"syn"})
    sequence: int = 1
    state: str = "new"
    status: frozenset[str] = frozenset()
    direction: str = "original"

    @property
    def version(self) -> int:
        """4 or 6."""
        return ip_address(self.destination).version


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a base chain ended: a verdict, the rule that gave it, and a new destination or source if there is one."""

    verdict: str
    rule: str = ""
    destination: tuple[str, ...] = ()
    masquerade: bool = False
    refusal: str = ""


@dataclass(slots=True)
class Visit:
    """What is gathered on the way through the chains."""

    chains: list[str] = field(default_factory=list)
    timeout: str = ""


class Evaluator:
    """One table against packets. It remembers whose turn it is; everything else is given."""

    def __init__(self, table: Table, is_local: Callable[[str], bool]) -> None:
        self._table = table
        self._is_local = is_local
        # Each rule has a counter of its own, so by the lookup's identity: two rules may say the same.
        self._turns: dict[int, int] = {}

    def run(self, chain: Chain, packet: Packet, visit: Visit) -> Outcome:
        """A base chain to its end, its policy included."""
        return self._chain(chain, packet, visit) or Outcome(chain.policy, f"policy {chain.policy}")

    def _chain(self, chain: Chain, packet: Packet, visit: Visit) -> Outcome | None:
        """None where the chain was left without a verdict."""
        visit.chains.append(chain.name)
        for rule in chain.rules:
            verdict = self._rule(rule, packet, visit)
            if verdict is None:
                continue
            if isinstance(verdict, Outcome):
                return verdict
            if verdict.kind == "return":
                return None
            if verdict.kind in _TERMINAL:
                return Outcome(verdict.kind, rule.text, refusal=verdict.target)
            if verdict.kind not in ("jump", "goto"):
                raise NotUnderstood(f"verdict {verdict.kind} of {rule.text!r}")
            ended = self._chain(self._named(verdict.target), packet, visit)
            if ended is not None or verdict.kind == "goto":
                return ended
        return None

    def _rule(self, rule: Rule, packet: Packet, visit: Visit) -> Verdict | Outcome | None:
        """A rule's word; None goes on with the next rule."""
        for statement in rule.statements:
            verdict = self._statement(statement, packet, visit, rule.text)
            if verdict == _LEAVE:
                return None
            if verdict is not None:
                return verdict
        return None

    def _named(self, name: str) -> Chain:
        if name not in self._table.chains:
            raise NotUnderstood(f"there is no chain {name}")
        return self._table.chains[name]

    def _statement(
        self, statement: object, packet: Packet, visit: Visit, text: str
    ) -> Verdict | Outcome | None:
        """A verdict; None goes on with the rule, `_LEAVE` with the next rule."""
        match statement:
            case Match() | Flags():
                return None if self._matches(statement, packet) else _LEAVE
            case Learn(among, selectors):
                return self._learn(among, self._values(selectors, packet))
            case Dispatch(lookup):
                said = self._look_up(lookup, packet)
                return Verdict(*said) if said else _LEAVE
            case Dnat(to):
                said = self._look_up(to, packet) if isinstance(to, Lookup) else to
                return Outcome("accept", text, destination=said) if said else _LEAVE
            case Masquerade():
                return Outcome("accept", text, masquerade=True)
            case SetTimeout(name):
                self._set_timeout(name, visit)
                return None
            case Verdict():
                return statement
        raise NotUnderstood(repr(statement))

    def _matches(self, statement: Match | Flags, packet: Packet) -> bool:
        if isinstance(statement, Flags):
            return _has_flags(packet, statement.wanted, statement.mask)
        values = self._values(statement.selectors, packet)
        if values is None:
            return False
        return (self._find(statement.among, values) is not None) != statement.negated

    def _set_timeout(self, name: str, visit: Visit) -> None:
        if name not in self._table.timeouts:
            raise NotUnderstood(f"there is no timeout {name}")
        visit.timeout = name

    def _learn(self, among: str, values: tuple[str, ...] | None) -> Verdict | None:
        if among not in self._table.elements:
            raise NotUnderstood(f"there is no set {among}")
        if values is None:
            return _LEAVE
        if self._find(among, values) is None:
            known = self._table.elements[among]
            self._table.elements[among] = Elements(among, (*known.items, (values, ())))
        return None

    def _look_up(self, lookup: Lookup, packet: Packet) -> tuple[str, ...] | None:
        if len(lookup.selectors) == 1 and isinstance(chosen := lookup.selectors[0], Chosen):
            return self._find(lookup.among, (str(self._choose(lookup, chosen, packet)),))
        values = self._values(lookup.selectors, packet)
        return None if values is None else self._find(lookup.among, values)

    def _choose(self, lookup: Lookup, chosen: Chosen, packet: Packet) -> int:
        if chosen.hashed:
            (address,) = self._values((chosen.hashed,), packet) or ("",)
            return jhash(ip_address(address).packed, chosen.seed) * chosen.count >> 32
        turn = self._turns.get(id(lookup), -1) + 1
        self._turns[id(lookup)] = turn
        return turn % chosen.count

    def _values(self, selectors: Sequence[Selector], packet: Packet) -> tuple[str, ...] | None:
        values = []
        for selector in selectors:
            if isinstance(selector, Chosen):
                raise NotUnderstood("a choice inside of a concatenation")
            value = self._value(selector, packet)
            if value is None:
                return None
            values.append(value)
        return tuple(values)

    def _value(self, selector: str, packet: Packet) -> str | None:
        first, _, second = selector.partition(" ")
        if first in ("ip", "ip6"):
            if packet.version != (6 if first == "ip6" else 4):
                return None
            return packet.source if second == "saddr" else packet.destination
        if first in ("th", "tcp", "udp"):
            return _of_transport(packet, first, second)
        values = {
            "iifname": packet.iif,
            "oifname": packet.oif,
            "meta l4proto": packet.protocol,
            "meta nfproto": f"ipv{packet.version}",
            "ct state": packet.state,
            "ct direction": packet.direction,
            "ct status": ",".join(sorted(packet.status)),
        }
        if selector in values:
            return values[selector]
        if selector == "fib daddr type":
            return "local" if self._is_local(packet.destination) else "unicast"
        if selector == "fib saddr type":
            return "local" if self._is_local(packet.source) else "unicast"
        raise NotUnderstood(selector)

    def _find(self, among: str | Elements, values: tuple[str, ...]) -> tuple[str, ...] | None:
        if isinstance(among, str):
            if among not in self._table.elements:
                raise NotUnderstood(f"there is no set or map {among}")
            among = self._table.elements[among]
        for key, value in among.items:
            if len(key) != len(values):
                raise NotUnderstood(f"{key} has not as many parts as {values}")
            if all(_covers(part, one) for part, one in zip(key, values, strict=True)):
                return value
        return None


def _has_flags(packet: Packet, wanted: frozenset[str], mask: frozenset[str] | None) -> bool:
    if packet.protocol != "tcp":
        return False
    return bool(packet.flags & wanted) if mask is None else packet.flags & mask == wanted


def _of_transport(packet: Packet, protocol: str, field: str) -> str | None:
    if protocol not in ("th", packet.protocol) or packet.protocol not in _WITH_PORTS:
        return None
    if field == "sequence":
        return str(packet.sequence)
    return str(packet.dport if field == "dport" else packet.sport)


def _covers(part: str, value: str) -> bool:
    """Whether an element's part is the value, or a pattern, network or list of flags that it belongs to."""
    if part == value or PROTOCOL_NUMBERS.get(part, part) == value or part in value.split(","):
        return True
    if part.endswith("*"):
        return value.startswith(part[:-1])
    if "/" in part:
        network = ip_network(part)
        return network.version == ip_address(value).version and ip_address(value) in network
    return False


_MASK = 0xFFFFFFFF


def jhash(data: bytes, seed: int) -> int:
    """Bob Jenkins' hash as the kernel has it, which decides on affinity."""
    a = b = c = (0xDEADBEEF + len(data) + seed) & _MASK
    while len(data) > 12:
        one, two, three = struct.unpack_from("<3I", data)
        a, b, c = _mix((a + one) & _MASK, (b + two) & _MASK, (c + three) & _MASK)
        data = data[12:]
    one, two, three = struct.unpack("<3I", data.ljust(12, b"\0"))
    return _finish((a + one) & _MASK, (b + two) & _MASK, (c + three) & _MASK)


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for by in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _MASK) ^ _rotate(c, by)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _finish(a: int, b: int, c: int) -> int:
    for by in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotate(b, by)) & _MASK
        a, b, c = b, c, a
    # Seven turns of three registers leave the last result where b stands.
    return b
