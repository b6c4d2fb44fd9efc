"""One slice of load after the other, of each way in turn, so that a machine that drifts hits all ways alike. Pure but for the clients."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.native import Client, Counts

MODES = {"keep": "keep-alive", "close": "connection per request"}


@dataclass
class Way:
    """A way to the backends, and the direct one that it is held against (None: it is a direct one itself)."""

    name: str
    clients: dict[str, Client]
    against: str | None = None
    peer: bool = False
    slices: dict[str, list[Counts]] = field(default_factory=dict)
    costs: dict[str, list[float]] = field(default_factory=dict)
    """Processor seconds for a request, of all that took part: client, proxy, server, and the kernel's work for them."""

    def rate(self, mode: str) -> float:
        """The median of its requests a second."""
        return statistics.median(one.rate for one in self.slices[mode])

    def quantile(self, mode: str, name: str) -> float:
        """The median of p50 or p99."""
        return statistics.median(getattr(one, name) for one in self.slices[mode])

    def cost(self, mode: str) -> float:
        """The median of the processor seconds for a request."""
        return statistics.median(self.costs[mode])

    def failed(self, mode: str) -> int:
        """All failures."""
        return sum(one.failed for one in self.slices[mode])


@dataclass(frozen=True)
class Plan:
    """How much load."""

    rounds: int
    seconds: float
    connections: int


def measure(ways: Sequence[Way], plan: Plan, spent: Callable[[], float]) -> None:
    """Give each way `rounds` slices in each mode; every other round goes through them backwards."""
    for number in range(plan.rounds):
        for mode in MODES:
            for way in ways if number % 2 == 0 else reversed(ways):
                before = spent()
                counts = way.clients[mode].run(connections=plan.connections, seconds=plan.seconds)
                cost = counts.cpu + spent() - before
                way.slices.setdefault(mode, []).append(counts)
                way.costs.setdefault(mode, []).append(cost / max(counts.good, 1))


def ratio(way: Way, direct: Way, mode: str) -> float:
    """The median of the ratios to the direct way's slice of the same round."""
    pairs = zip(way.slices[mode], direct.slices[mode], strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def work_ratio(way: Way, direct: Way, mode: str) -> float:
    """The same by processor time: a direct request's divided by this way's. What else runs on the machine changes it little."""
    pairs = zip(way.costs[mode], direct.costs[mode], strict=True)
    return statistics.median(theirs / ours for ours, theirs in pairs)
