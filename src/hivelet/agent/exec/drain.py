"""How long a leaving task may keep its established connections. Pure.

The task has left the balancer already when this counts: no new connection can come, so the number only falls.
"""

from __future__ import annotations

from hivelet.kit.durations import parse_duration
from hivelet.objects.common import SECOND
from hivelet.objects.defaults import DRAIN_TIMEOUT, DRAIN_TIMEOUT_LABEL
from hivelet.objects.task import Task

POLL = (0.02, 0.05, 0.1, 0.25)
"""Seconds between counts: quick at first, since most requests end within milliseconds; the last one repeats."""


def drain_limit(task: Task) -> float:
    """Seconds that the drain may take at most: the service's label, or the default.

    A label that is no duration counts as absent; the API refuses such a label before it gets here.
    """
    label = task.service_annotations.labels.get(DRAIN_TIMEOUT_LABEL, "")
    try:
        return parse_duration(label) / SECOND
    except ValueError:
        return DRAIN_TIMEOUT / SECOND


def poll_delay(round_: int) -> float:
    """Seconds to wait before count number `round_` + 1."""
    return POLL[min(round_, len(POLL) - 1)]
