"""The next step of a rolling update or rollback, from what the store holds and nothing else. Pure.

SwarmKit keeps an update's progress in a goroutine; here it is read off the tasks (`progress`), so a restart of the daemon in
the middle changes nothing. There are never more busy slots than the parallelism. The update is complete when no slot is dirty
or busy and the last replacement has been watched for the monitor period. A replacement that ends within the monitor period, or
before it ever ran, is a failure.

Old first means that the old task is stopped with the write that makes the new one; where the service waits for a job, only
once the new one is held no more, so that a migration takes nothing down.

Slots go by number. Where a slot already has a task of the present spec, that one is kept and the others are stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from hivelet.manager.orchestrator.progress import (
    ROLLING_BACK,
    Progress,
    monitor_period,
    starts_first,
)
from hivelet.manager.orchestrator.slots import Slot, SlotKey, is_alive, is_wanted, new_task
from hivelet.objects.common import NodeId
from hivelet.objects.defaults import FAILURE_ACTION
from hivelet.objects.dependency import awaits_completion
from hivelet.objects.node import Node
from hivelet.objects.plan import Plan, Write, earliest
from hivelet.objects.service import Service, UpdateConfig, UpdateStatus
from hivelet.objects.task import Task, TaskState

_PAUSED = ("paused", "rollback_paused")


@dataclass(frozen=True, slots=True)
class Step:
    """What an update does next, and the slots that it has laid its hands on."""

    plan: Plan
    slots: frozenset[SlotKey]


NO_STEP = Step(Plan(), frozenset())


def is_paused(service: Service) -> bool:
    """Whether an update or rollback has stopped on its way, until somebody says how to go on."""
    return service.update_status is not None and service.update_status.state in _PAUSED


def update_step(
    service: Service,
    slots: Mapping[SlotKey, Slot],
    nodes: Mapping[NodeId, Node],
    now: datetime,
) -> Step:
    """The next step, where all that is known is how the slots are now."""
    if is_paused(service):
        return NO_STEP
    return next_step(service, Progress(service, slots.values(), nodes), now)


def next_step(service: Service, progress: Progress, now: datetime) -> Step:
    """The next step; nothing where the service is as it should be, or the update is paused."""
    status = service.update_status
    if is_paused(service) or (status is None and not progress.dirty):
        return NO_STEP
    if service.is_updating:
        ended = _end_on_failure(service, progress)
        if ended is not None:
            return Step(ended, frozenset())
    writes, touched = _replace_some(service, progress, now)
    if status is None:
        started = UpdateStatus(state="updating", started_at=now, message="update in progress")
        begin = Write(update=(service.replaced(update_status=started),), why="update starts")
        return Step(Plan(writes=(begin, *writes), why="update starts"), touched)
    busy, wake = progress.busy(now)
    if service.is_updating and not progress.dirty and not busy:
        monitored = _monitored_until(progress)
        if monitored is None or monitored <= now:
            return Step(_complete(service, now), touched)
        wake = earliest(wake, monitored)
    why = f"{progress.dirty} slots to go, {busy} busy" if writes else ""
    return Step(Plan(writes=tuple(writes), wake_at=wake, why=why), touched)


def _replace_some(
    service: Service, progress: Progress, now: datetime
) -> tuple[list[Write], frozenset[SlotKey]]:
    writes: list[Write] = []
    touched: set[SlotKey] = set()
    for standing in progress.settled:
        assert standing.kept is not None
        stopped = tuple(map(_stopped, standing.surplus))
        writes.append(Write(update=stopped, why=f"{standing.kept.id} is up to date"))
        touched.add(standing.slot.key)
    config = progress.config
    busy, _ = progress.busy(now)
    free = (config.parallelism or progress.dirty + busy) - busy
    for slot in islice(progress.outdated, max(free, 0)):
        writes.append(_replace(service, slot, config, now))
        touched.add(slot.key)
    return writes, frozenset(touched)


def _replace(service: Service, slot: Slot, config: UpdateConfig, now: datetime) -> Write:
    status = service.update_status
    since = now if status is None else status.started_at
    if starts_first(config):
        # Tasks that can't be running any more have nothing to hand over.
        gone = tuple(_stopped(t) for t in slot.wanted if t.status.state.terminal)
        made = new_task(service, slot, now).replaced(made_by_update=since)
        return Write(create=(made,), update=gone, why="start first")
    held = any(map(is_alive, slot.tasks))
    made = new_task(service, slot, now, held=held).replaced(made_by_update=since)
    # Where a migration may hold the new task, the old one goes on until the new one has a place (`progress`).
    waits = awaits_completion(service.spec)
    leaving = tuple(_stopped(t) for t in slot.wanted if not (waits and is_alive(t)))
    return Write(create=(made,), update=leaving, why="stop first")


def _stopped(task: Task) -> Task:
    return task.replaced(desired_state=TaskState.SHUTDOWN) if is_wanted(task) else task


def _end_on_failure(service: Service, progress: Progress) -> Plan | None:
    """Pause or roll back where too many replacements have failed."""
    config = progress.config
    action = config.failure_action or FAILURE_ACTION
    if action == "continue" or progress.culprit is None:
        return None
    if progress.failures / progress.concerned <= config.max_failure_ratio:
        return None
    culprit = progress.culprit.id
    assert service.update_status is not None
    rolling_back = service.update_status.state == ROLLING_BACK
    if action == "rollback" and not rolling_back and service.previous_spec is not None:
        return _roll_back(service, culprit)
    # A rollback is never rolled back itself.
    what = "rollback" if action == "rollback" and rolling_back else "update"
    message = f"{what} paused due to failure or early termination of task {culprit}"
    state = "rollback_paused" if rolling_back else "paused"
    status = service.update_status.replaced(state=state, message=message)
    write = Write(update=(service.replaced(update_status=status),), why=message)
    return Plan(writes=(write,), why=message)


def _roll_back(service: Service, culprit: str) -> Plan:
    message = f"update rolled back due to failure or early termination of task {culprit}"
    assert service.update_status is not None
    restored = service.replaced(
        spec=service.previous_spec,
        spec_version=service.previous_spec_version or service.spec_version,
        previous_spec=None,
        previous_spec_version=None,
        registry_auth=service.previous_registry_auth,
        previous_registry_auth="",
        update_status=service.update_status.replaced(state=ROLLING_BACK, message=message),
    )
    return Plan(writes=(Write(update=(restored,), why=message),), why=message)


def _monitored_until(progress: Progress) -> datetime | None:
    last = progress.last_start
    return None if last is None else last + monitor_period(progress.config)


def _complete(service: Service, now: datetime) -> Plan:
    assert service.update_status is not None
    back = service.update_status.state == ROLLING_BACK
    message = "rollback completed" if back else "update completed"
    status = service.update_status.replaced(
        state="rollback_completed" if back else "completed", message=message, completed_at=now
    )
    write = Write(update=(service.replaced(update_status=status),), why=message)
    return Plan(writes=(write,), why=message)
