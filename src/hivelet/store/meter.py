"""How the journal fares: how long its transactions take, how many commits they hold, how large its files are."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class JournalMeter:
    """A journal's instruments; they may be used from its thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds = Histogram(
            "hivelet_store_flush_seconds",
            "How long the journal's transactions took, flush to the disk included.",
            buckets=_BUCKETS,
            registry=None,
        )
        self._commits = Counter(
            "hivelet_store_commits", "Commits that the journal has written.", registry=None
        )
        self._failures = Counter(
            "hivelet_store_failures",
            "Transactions of the journal that failed; changes are refused until one succeeds.",
            registry=None,
        )

    @contextmanager
    def flushing(self, commits: int) -> Iterator[None]:
        """Measure a transaction."""
        begun = time.perf_counter()
        try:
            yield
        except sqlite3.Error:
            self._failures.inc()
            raise
        self._seconds.observe(time.perf_counter() - begun)
        self._commits.inc(commits)

    def families(self) -> Iterator[Metric]:
        """All of it."""
        for instrument in (self._seconds, self._commits, self._failures):
            yield from instrument.collect()
        yield GaugeMetricFamily(
            "hivelet_store_size_bytes",
            "Size of the journal's files.",
            value=sum(_size(self._path.with_name(self._path.name + end)) for end in ("", "-wal")),
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
