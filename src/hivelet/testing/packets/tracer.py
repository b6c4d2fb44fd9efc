"""The way of a packet through one host: netfilter's hooks in their order, connection tracking, routing. Pure but for the turns.

A packet comes in by a link (`Packet.iif`) or is the host's own (""). The first one of a connection passes the nat chains;
later ones, `Trace.answer` among them, are translated as the first one was and see the filter chains only, as in the
kernel. A bridge's own packets are seen as if they were routed from the bridge back to it, which is what bridge netfilter
shows. Not modelled, because our rules do not speak of it: neighbours, fragments, reverse path filters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_interface

from hivelet.testing.packets.expressions import Evaluator, Outcome, Packet, Visit
from hivelet.testing.packets.ruleset import Chain, NotUnderstood, Table

_TRACKING = -200
"""The priority at which connections are looked up: chains before it know no state."""


@dataclass(frozen=True, slots=True)
class Host:
    """Links with their addresses ("10.0.1.1/24"; the first one is what masquerading uses), and the default route's link.

    `loopback_routed` are the links from which loopback addresses are routed (`route_localnet`).
    """

    links: Mapping[str, Sequence[str]]
    default: str = ""
    loopback_routed: frozenset[str] = frozenset()

    def is_local(self, address: str) -> bool:
        """Whether the host itself has the address."""
        if ip_address(address).is_loopback:
            return True
        return any(str(ip_interface(one).ip) == address for one in self._all())

    def route(self, address: str) -> str:
        """The link that leads to an address: `lo` to the host itself, "" where nothing does."""
        if self.is_local(address):
            return "lo"
        wanted = ip_address(address)
        fit = [
            (ip_interface(one).network.prefixlen, link)
            for link, addresses in self.links.items()
            for one in addresses
            if ip_interface(one).version == wanted.version and wanted in ip_interface(one).network
        ]
        return max(fit)[1] if fit else self.default

    def address_on(self, link: str, version: int) -> str:
        """The address that masquerading takes."""
        for one in self.links[link]:
            if ip_interface(one).version == version:
                return str(ip_interface(one).ip)
        raise NotUnderstood(f"{link} has no address of IP version {version}")

    def _all(self) -> list[str]:
        return [one for addresses in self.links.values() for one in addresses]


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a packet went, through which chains, and by which rule's word.

    `outcome`: "sent" (it left by `oif`), "received" (by the host itself), "dropped", "refused". `packet` is as it was then:
    with its translated addresses.
    """

    outcome: str
    packet: Packet
    first: Packet
    chains: tuple[str, ...]
    rule: str = ""
    timeout: str = ""

    @property
    def oif(self) -> str:
        """The link by which it left."""
        return self.packet.oif

    @property
    def translated(self) -> str:
        """The new destination, "" where it is what the sender wrote."""
        was, now = self.first, self.packet
        if (was.destination, was.dport) == (now.destination, now.dport):
            return ""
        return f"{now.destination}:{now.dport}"

    @property
    def masqueraded(self) -> bool:
        """Whether the receiver sees another source than the sender's."""
        return self.first.source != self.packet.source

    def answer(self, *, state: str = "established", refused: bool = False) -> Answer:
        """The receiver's answer to a first packet, or its refusal: back by the link that the packet left by."""
        got = self.packet
        packet = replace(
            got,
            source=got.destination,
            destination=got.source,
            sport=got.dport,
            dport=got.sport,
            iif=got.oif,
            oif="",
            flags=frozenset({"rst" if refused else "syn", "ack"}),
            sequence=0 if refused else 1,
            state=state,
            direction="reply",
        )
        return Answer(packet, self.first)

    def later(self) -> Answer:
        """A later packet of the same connection, in the direction of the first."""
        packet = replace(
            self.first, flags=frozenset({"ack"}), state="established", status=self.packet.status
        )
        return Answer(packet, self.first, self.packet)


@dataclass(frozen=True, slots=True)
class Answer:
    """A packet of a connection that conntrack knows: its first packet, and how it was translated if this one follows it."""

    packet: Packet
    first: Packet
    as_sent: Packet | None = None


@dataclass(slots=True)
class _Way:
    """What is known of a packet on its way."""

    packet: Packet
    first: Packet
    known: Answer | None
    visit: Visit = field(default_factory=Visit)
    ended: Trace | None = None


class Tracer:
    """Tables and a host; each trace moves the turns on, as each real connection does."""

    def __init__(self, tables: Sequence[Table], host: Host) -> None:
        self._host = host
        self._hooks: dict[str, list[tuple[Table, Chain, Evaluator]]] = {}
        for table in tables:
            if table.family not in ("ip", "ip6", "inet"):
                raise NotUnderstood(f"family {table.family}")
            evaluator = Evaluator(table, host.is_local)
            for chain in table.chains.values():
                if chain.hook:
                    self._hooks.setdefault(chain.hook, []).append((table, chain, evaluator))
        for chains in self._hooks.values():
            chains.sort(key=lambda one: one[1].priority)

    def trace(self, subject: Packet | Answer) -> Trace:
        """Where it goes."""
        known = subject if isinstance(subject, Answer) else None
        packet = subject if isinstance(subject, Packet) else subject.packet
        way = _Way(packet, packet, known)
        if packet.iif:
            self._arrive(way)
        else:
            self._send(way)
        assert way.ended is not None
        return way.ended

    def _arrive(self, way: _Way) -> None:
        if not self._pass(way, "prerouting"):
            return
        packet = way.packet
        if any(self._is_martian(packet, one) for one in (packet.source, packet.destination)):
            self._end(way, "dropped", "martian")
            return
        self._deliver(way, self._host.route(packet.destination))

    def _send(self, way: _Way) -> None:
        before = way.packet.destination
        way.packet = replace(way.packet, oif=self._host.route(before))
        if not self._pass(way, "output"):
            return
        if way.packet.destination != before:
            way.packet = replace(way.packet, oif=self._host.route(way.packet.destination))
        if not self._pass(way, "postrouting"):
            return
        if way.packet.oif != "lo":
            self._leave(way)
            return
        # Over the loopback: it comes in again, with its translation done.
        way.packet = replace(way.packet, iif="lo", oif="")
        if self._pass(way, "prerouting", nat=False):
            self._deliver(way, "lo")

    def _deliver(self, way: _Way, link: str) -> None:
        if link == "lo":
            if self._pass(way, "input"):
                self._end(way, "received")
        elif not link:
            self._end(way, "dropped", "no route")
        else:
            way.packet = replace(way.packet, oif=link)
            if self._pass(way, "forward") and self._pass(way, "postrouting"):
                self._leave(way)

    def _leave(self, way: _Way) -> None:
        self._end(way, "sent")

    def _pass(self, way: _Way, hook: str, *, nat: bool = True) -> bool:
        """Whether the packet is still on its way after a hook."""
        tracked = hook not in ("prerouting", "output")
        translate = self._translate_known if way.known is not None else None
        for table, chain, evaluator in self._hooks.get(hook, ()):
            if not _concerns(table, way.packet):
                continue
            seen = way.packet
            if not tracked and chain.priority < _TRACKING:
                seen = replace(seen, state="untracked", status=frozenset())
            known = translate is not None or not nat or way.packet.state != "new"
            if chain.kind == "nat" and known:
                continue
            outcome = evaluator.run(chain, seen, way.visit)
            if not self._take(way, outcome):
                return False
        if translate is not None:
            translate(way, hook)
        return True

    def _take(self, way: _Way, outcome: Outcome) -> bool:
        packet = way.packet
        if outcome.verdict in ("drop", "reject"):
            ended = "dropped" if outcome.verdict == "drop" else "refused"
            said = f"{outcome.rule}" if ended == "dropped" else outcome.refusal
            self._end(way, ended, said)
            return False
        if outcome.destination:
            address, *port = outcome.destination
            way.packet = replace(
                packet, destination=address, dport=int(port[0]) if port else packet.dport
            )
            if way.packet != packet:
                way.packet = replace(way.packet, status=packet.status | {"dnat"})
        if outcome.masquerade:
            source = self._host.address_on(packet.oif, packet.version)
            if source != packet.source:
                way.packet = replace(packet, source=source, status=packet.status | {"snat"})
        return True

    def _translate_known(self, way: _Way, hook: str) -> None:
        """What conntrack does to a packet of a connection it knows: destination first, source last."""
        known, packet = way.known, way.packet
        assert known is not None
        if packet.state == "invalid":
            return
        after = known.as_sent
        if hook in ("prerouting", "output"):
            to = known.first if after is None else after
            address, port = (to.source, to.sport) if after is None else (to.destination, to.dport)
            way.packet = replace(packet, destination=address, dport=port)
        elif hook == "postrouting":
            to = known.first if after is None else after
            address, port = (to.destination, to.dport) if after is None else (to.source, to.sport)
            way.packet = replace(packet, source=address, sport=port)

    def _is_martian(self, packet: Packet, address: str) -> bool:
        if packet.iif == "lo" or not ip_address(address).is_loopback:
            return False
        return packet.iif not in self._host.loopback_routed

    def _end(self, way: _Way, outcome: str, rule: str = "") -> None:
        visit = way.visit
        way.ended = Trace(outcome, way.packet, way.first, tuple(visit.chains), rule, visit.timeout)


def _concerns(table: Table, packet: Packet) -> bool:
    return table.family == "inet" or (table.family == "ip6") == (packet.version == 6)
