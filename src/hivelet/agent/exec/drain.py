"""How long a leaving task may keep its established connections. Pure.

The task has left the balancer already when this counts: no new connection can come, so the number only falls.
"""

from __future__ import annotations

import re

from hivelet.objects.common import SECOND
from hivelet.objects.defaults import DRAIN_TIMEOUT, DRAIN_TIMEOUT_LABEL
from hivelet.objects.task import Task

_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

POLL = (0.02, 0.05, 0.1, 0.25)
"""Seconds between counts: quick at first, since most requests end within milliseconds; the last one repeats."""


def drain_limit(task: Task) -> float:
    """Seconds that the drain may take at most: the service's label, or the default.

    A label that is no duration counts as absent; the API refuses such a label before it gets here.
    """
    label = task.service_annotations.labels.get(DRAIN_TIMEOUT_LABEL, "")
    given = parse_duration(label) if label else None
    return DRAIN_TIMEOUT / SECOND if given is None else given


def parse_duration(text: str) -> float | None:
    """A Go duration ("1m30s", "500ms", "0") in seconds; None if it is none."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def poll_delay(round_: int) -> float:
    """Seconds to wait before count number `round_` + 1."""
    return POLL[min(round_, len(POLL) - 1)]
