"""Whether an ended task is followed by another, and when. Pure; its memory is the `RestartHistory` that tasks hand on.

Delay: where the policy gives one, that one; but a slot that fails again and again right away is not started more than once
a second, whatever the policy says: a missing image would otherwise be asked for hundreds of times a second. Where it gives none: the first restart at once, then exponentially longer
up to a minute, from the start again after a run of `STABLE_RUN` (Docker Engine resets the delay of its own restarts likewise).
Attempts: as SwarmKit counts them, per slot and spec version, within the window where one is given.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hivelet.kit.backoff import Backoff
from hivelet.objects.common import SECOND
from hivelet.objects.defaults import RESTART_CONDITION
from hivelet.objects.service import Service
from hivelet.objects.task import RestartHistory, RestartPolicy, Task, TaskState

STABLE_RUN = timedelta(seconds=10)
"""A task that ran this long has proven that starting it makes sense."""

HASTY_RESTARTS = 5
"""So many failures in a row may be followed as quickly as the policy asks."""

LEAST_DELAY = 1.0
"""Seconds between restarts after that; about what a restart takes in Docker Swarm, which bounds its loops in the same way."""

BACKOFF = Backoff(first=1.0, factor=2.0, ceiling=60.0, jitter=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The verdict: whether, how long from now, and what the next task remembers."""

    wanted: bool
    delay: float = 0.0
    history: RestartHistory = field(default_factory=RestartHistory)
    why: str = ""


def gives_up(task: Task) -> str:
    """Why an ended task is not followed by another; "" where it is. The policy is the task's own, as in SwarmKit."""
    policy = task.spec.restart_policy or RestartPolicy()
    condition = policy.condition or RESTART_CONDITION
    if condition == "none":
        return "the restart condition is none"
    if condition == "on-failure" and task.status.state is TaskState.COMPLETE:
        return "it finished, and the restart condition is on-failure"
    attempts = policy.max_attempts or 0
    used = len(_in_window(task, policy)) if policy.window else task.restarts.total
    if attempts and used >= attempts:
        return f"the slot was restarted {used} times already"
    return ""


def should_restart(task: Task, service: Service, now: datetime) -> Restart:
    """What the restart policy says of an ended task."""
    policy = task.spec.restart_policy or RestartPolicy()
    refusal = gives_up(task)
    if refusal:
        return Restart(wanted=False, why=refusal)
    history = next_history(task, service, policy, now)
    delay = restart_delay(task, policy, history)
    return Restart(
        wanted=True, delay=delay, history=history, why=f"{task.status.state}, delay {delay:g} s"
    )


def next_history(
    task: Task, service: Service, policy: RestartPolicy, now: datetime
) -> RestartHistory:
    """What the next task of the slot remembers; a changed service starts afresh."""
    if task.spec_version != service.spec_version:
        moments = [now] if policy.window else []
        return RestartHistory(total=1, failures=1, moments=moments, last_error=task.status.err)
    before = task.restarts
    moments = []
    if policy.max_attempts and policy.window:
        # More than the policy can ask for need not be kept.
        moments = [*_in_window(task, policy), now][-policy.max_attempts :]
    failures = 1 if ran_stably(task) else before.failures + 1
    return RestartHistory(
        total=before.total + 1, failures=failures, moments=moments, last_error=task.status.err
    )


def restart_delay(task: Task, policy: RestartPolicy, history: RestartHistory) -> float:
    """Seconds before the next task may start."""
    if policy.delay is not None:
        hasty = history.failures > HASTY_RESTARTS
        return max(policy.delay / SECOND, LEAST_DELAY if hasty else 0.0)
    # Jitter without chance: slots differ from each other, and the same slot decides the same again.
    seed = f"{task.service_id}.{task.slot or task.node_id}.{history.total}"
    return BACKOFF.delay(history.failures - 1, zlib.crc32(seed.encode()) / 2**32)


def ran_stably(task: Task) -> bool:
    """Whether the task ran long enough for its end to count as the first failure, not the next."""
    ended = task.status.timestamp
    return (
        task.started_at is not None and ended is not None and ended - task.started_at >= STABLE_RUN
    )


def _in_window(task: Task, policy: RestartPolicy) -> list[datetime]:
    ended = task.status.timestamp
    if not policy.window or ended is None:
        return task.restarts.moments
    since = ended - timedelta(microseconds=policy.window / 1000)
    return [moment for moment in task.restarts.moments if moment > since]
