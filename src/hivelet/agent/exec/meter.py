"""How long leaving tasks wait for their connections, and how many connections are cut in the end."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric

_BUCKETS = (0.05, 0.25, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class DrainMeter:
    """The drains of this node's tasks."""

    def __init__(self) -> None:
        self._seconds = Histogram(
            "hivelet_drain_seconds",
            "How long leaving tasks waited for their connections.",
            buckets=_BUCKETS,
            registry=None,
        )
        self._cut = Counter(
            "hivelet_drain_cut_connections",
            "Busy connections that were cut because a drain had reached its limit.",
            registry=None,
        )

    def drained(self, seconds: float, cut: int) -> None:
        """A drain has ended."""
        self._seconds.observe(seconds)
        self._cut.inc(cut)

    def families(self) -> Iterator[Metric]:
        """All of it."""
        yield from self._seconds.collect()
        yield from self._cut.collect()
