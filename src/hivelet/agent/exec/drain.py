"""How long a leaving task may keep its connections, how often they are counted, and what is told meanwhile. Pure.

The task has left the balancer and the names already when this counts, so the number only falls, save for clients that connect to
its address directly. The limit is the service's label or, without one, its stop grace period: whoever gives a program an hour
to finish what it does, means the requests that it is working on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hivelet.agent.exec.container import stop_grace_seconds
from hivelet.kit.durations import parse_duration
from hivelet.objects.common import SECOND
from hivelet.objects.defaults import DRAIN_IDLE, DRAIN_IDLE_LABEL, DRAIN_TIMEOUT_LABEL
from hivelet.objects.task import Task

POLL = (0.02, 0.05, 0.1, 0.25)
"""Seconds between counts: quick at first, since most requests end within milliseconds; the last one repeats."""

_POLL_EACH = 0.0002
"""Seconds that are added for each connection, as a count costs what there is."""

_FIRST_TOLD, _SELDOM_TOLD = 1.0, 60.0
"""Seconds after which a drain is told of, and how far apart its news may get; each write of a status reaches the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRule:
    """How a task drains. Seconds."""

    limit: float
    idle_after: float


def drain_rule(task: Task) -> DrainRule:
    """The labels of the task's service, or the defaults.

    A label that is no duration counts as absent; the API refuses such a label before it gets here.
    """
    labels = task.service_annotations.labels
    return DrainRule(
        limit=_seconds(labels.get(DRAIN_TIMEOUT_LABEL, ""), stop_grace_seconds(task)),
        idle_after=_seconds(labels.get(DRAIN_IDLE_LABEL, ""), DRAIN_IDLE / SECOND),
    )


def poll_delay(round_: int, connections: int = 0) -> float:
    """Seconds to wait before count number `round_` + 1, when there were so many."""
    return POLL[min(round_, len(POLL) - 1)] + connections * _POLL_EACH


class News:
    """What a drain tells, and when: nothing in its first second, then what changed, ever less often."""

    def __init__(self, began: datetime, rule: DrainRule) -> None:
        self._until = began + timedelta(seconds=rule.limit)
        self._due = began + timedelta(seconds=_FIRST_TOLD)
        self._apart = _FIRST_TOLD
        self._told = ""

    @property
    def told(self) -> bool:
        """Whether anything was told."""
        return self._told != ""

    def next(self, busy: int, now: datetime) -> str:
        """What to tell now, "" for nothing."""
        text = describe_drain(busy, self._until)
        if now < self._due or text == self._told:
            return ""
        self._told = text
        self._due = now + timedelta(seconds=self._apart)
        self._apart = min(self._apart * 2, _SELDOM_TOLD)
        return text


def describe_drain(busy: int, until: datetime) -> str:
    """What holds a task up that has been told to stop. The moment is named, not the time left, which would soon be wrong."""
    if busy == 1:
        return f"draining: 1 connection, until {until:%H:%M:%S} UTC at the latest"
    return f"draining: {busy} connections, until {until:%H:%M:%S} UTC at the latest"


def describe_stop(killed_at: datetime) -> str:
    """What is being waited for after a drain that was told of."""
    return f"stopping: its process has the stop signal, and is killed at {killed_at:%H:%M:%S} UTC"


def _seconds(label: str, otherwise: float) -> float:
    try:
        return parse_duration(label) / SECOND
    except ValueError:
        return otherwise
