"""What is asked of the API: requests by route and status, how long they take, how many are under way.

A route's label is its template, never a path with an id in it; what no route knows is "unknown". Streams (events, logs, attach)
last as long as their clients want, so they are counted while they are open and take no part in the histogram.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric

from hivelet.api.router import Route

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE"))

_LEFT = "left"
"""The status of a request whose client went away before its answer had begun."""


class Measured:
    """One request while it is answered."""

    def __init__(self) -> None:
        self.status = _LEFT

    def answered(self, answer: web.StreamResponse) -> web.StreamResponse:
        """Note the answer, and hand it on."""
        self.status = str(answer.status)
        return answer


class ApiMeter:
    """The API's instruments."""

    def __init__(self) -> None:
        self._requests = Counter(
            "hivelet_api_requests",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=None,
        )
        self._seconds = Histogram(
            "hivelet_api_request_seconds",
            "How long requests took that are no streams.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=None,
        )
        self._under_way = Gauge(
            "hivelet_api_requests_in_flight",
            "Requests that are being answered, streams not counted.",
            registry=None,
        )
        self._streams = Gauge(
            "hivelet_api_streams",
            "Open streams by route; those of /events are watchers.",
            ("route",),
            registry=None,
        )

    @contextmanager
    def measure(self, row: Route) -> Iterator[Measured]:
        """Count what is done inside."""
        open_ones = self._streams.labels(row.path) if row.streaming else self._under_way
        measured = Measured()
        begun = time.perf_counter()
        open_ones.inc()
        try:
            yield measured
        finally:
            open_ones.dec()
            self._requests.labels(row.method, row.path, measured.status).inc()
            if not row.streaming:
                self._seconds.labels(row.method, row.path).observe(time.perf_counter() - begun)

    def refused(self, method: str, status: int) -> None:
        """Count what no route knows."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, "unknown", str(status)).inc()

    def families(self) -> Iterator[Metric]:
        """All of it."""
        for instrument in (self._requests, self._seconds, self._under_way, self._streams):
            yield from instrument.collect()
