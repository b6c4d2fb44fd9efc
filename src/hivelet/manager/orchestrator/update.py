"""The next step of a rolling update or rollback, from what the store holds and nothing else. Pure.

SwarmKit keeps an update's progress in a goroutine; here it is read off the tasks, so a restart of the daemon in the middle
changes nothing. A *replacement* is a first attempt (not a restart) made from the present spec since the update began. A slot
is *busy* from the moment of its replacement until that runs (or has failed) and the delay has passed; there are never more
busy slots than the parallelism. The update is complete when no slot is dirty or busy and the last replacement has been
watched for the monitor period. A replacement that ends within the monitor period, or before it ever ran, is a failure.

Slots go by number. Where a slot already has a task of the present spec, that one is kept and the others are stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hivelet.manager.orchestrator.slots import Slot, SlotKey, is_alive, is_wanted, new_task
from hivelet.objects.defaults import (
    FAILURE_ACTION,
    UPDATE_MONITOR,
    UPDATE_ORDER,
    UPDATE_PARALLELISM,
)
from hivelet.objects.dirty import is_task_dirty
from hivelet.objects.plan import Plan, Write, earliest
from hivelet.objects.service import Service, UpdateConfig, UpdateStatus
from hivelet.objects.task import Task, TaskState

DEFAULT = UpdateConfig(parallelism=UPDATE_PARALLELISM)
"""Where no update or rollback config was given (SwarmKit's defaults)."""

ROLLING_BACK = "rollback_started"
_PAUSED = ("paused", "rollback_paused")
_UNDER_WAY = ("updating", ROLLING_BACK)
_EARLY_ENDS = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)


@dataclass(frozen=True, slots=True)
class Step:
    """What an update does next, and the slots that it has laid its hands on."""

    plan: Plan
    slots: frozenset[SlotKey]


@dataclass(frozen=True, slots=True)
class Progress:
    """How an update stands: slots yet to be replaced, those being replaced, and what became of the replacements."""

    dirty: list[Slot]
    busy: frozenset[SlotKey]
    busy_until: datetime | None
    replaced: int
    failed: list[Task]
    failures: int
    last_start: datetime | None


def is_updating(service: Service) -> bool:
    """Whether an update or rollback is under way, so that every task's move may matter to it."""
    return service.update_status is not None and service.update_status.state in _UNDER_WAY


def update_step(service: Service, slots: Mapping[SlotKey, Slot], now: datetime) -> Step:
    """The next step; nothing where the service is as it should be, or the update is paused."""
    status = service.update_status
    if status is not None and status.state in _PAUSED:
        return Step(Plan(), frozenset())
    config = effective_config(service)
    progress = measure_progress(service, slots, config, now)
    if status is None and not progress.dirty:
        return Step(Plan(), frozenset())
    if is_updating(service):
        ended = _end_on_failure(service, config, progress)
        if ended is not None:
            return Step(ended, frozenset())
    writes, touched = _replace_some(service, config, progress, now)
    if status is None:
        started = UpdateStatus(state="updating", started_at=now, message="update in progress")
        begin = Write(update=(service.replaced(update_status=started),), why="update starts")
        return Step(Plan(writes=(begin, *writes), why="update starts"), touched)
    wake = progress.busy_until
    if is_updating(service) and not progress.dirty and not progress.busy:
        monitored = _monitored_until(config, progress)
        if monitored is None or monitored <= now:
            return Step(_complete(service, now), touched)
        wake = earliest(wake, monitored)
    why = f"{len(progress.dirty)} slots to go, {len(progress.busy)} busy" if writes else ""
    return Step(Plan(writes=tuple(writes), wake_at=wake, why=why), touched)


def effective_config(service: Service) -> UpdateConfig:
    """The settings that count now: the rollback's during one, otherwise the update's."""
    rolling_back = service.update_status is not None and service.update_status.state == ROLLING_BACK
    given = service.spec.rollback_config if rolling_back else service.spec.update_config
    return given or DEFAULT


def measure_progress(
    service: Service, slots: Mapping[SlotKey, Slot], config: UpdateConfig, now: datetime
) -> Progress:
    """Read an update's progress off the tasks."""
    status = service.update_status
    since = status.started_at if status is not None else None
    dirty: list[Slot] = []
    busy: dict[SlotKey, datetime | None] = {}
    failed: list[Task] = []
    replaced, failures, last_start = 0, 0, None
    for slot in sorted(slots.values(), key=lambda s: (s.number, s.node_id)):
        if is_slot_dirty(service, slot):
            dirty.append(slot)
        made = _replacement(service, slot, since)
        if made is None:
            failures += _lost_replacement(service, slot, since)
            continue
        replaced += 1
        last_start = max(filter(None, (last_start, made.started_at, _ended_at(made))), default=None)
        if is_failure(made, config):
            failed.append(made)
        freed = _busy_until(made, config)
        if freed is None or freed > now:
            busy[slot.key] = freed
    waits = [moment for moment in busy.values() if moment is not None]
    return Progress(
        dirty=dirty,
        busy=frozenset(busy),
        busy_until=min(waits, default=None),
        replaced=replaced,
        failed=failed,
        failures=failures + len(failed),
        last_start=last_start,
    )


def is_slot_dirty(service: Service, slot: Slot) -> bool:
    """Whether the slot is not just one task of the present spec. An ended task that nothing follows stands for its slot."""
    wanted = slot.wanted
    if len(wanted) == 1:
        return is_task_dirty(service, wanted[0])
    if wanted:
        return True
    last = slot.newest
    return last is not None and is_task_dirty(service, last)


def is_failure(task: Task, config: UpdateConfig) -> bool:
    """Whether a replacement ended by itself before the monitor period was over."""
    if task.status.state not in _EARLY_ENDS:
        return False
    if task.started_at is None or task.status.timestamp is None:
        return True
    return task.status.timestamp - task.started_at <= _monitor(config)


def _monitor(config: UpdateConfig) -> timedelta:
    nanoseconds = UPDATE_MONITOR if config.monitor is None else config.monitor
    return timedelta(microseconds=nanoseconds / 1000)


def _replacement(service: Service, slot: Slot, since: datetime | None) -> Task | None:
    for task in reversed(slot.tasks):
        if (
            since is not None
            and task.meta.created_at is not None
            and task.meta.created_at >= since
            and task.restarts.total == 0
            and task.desired_state is not TaskState.REMOVE
            and not is_task_dirty(service, task)
        ):
            return task
    return None


def _lost_replacement(service: Service, slot: Slot, since: datetime | None) -> int:
    """1 where a slot's restarts of the present spec have outlived the memory of their first attempt: that one failed."""
    current = slot.current
    return int(
        since is not None
        and current is not None
        and current.meta.created_at is not None
        and current.meta.created_at >= since
        and current.restarts.total > 1
        and not is_task_dirty(service, current)
    )


def _ended_at(task: Task) -> datetime | None:
    return task.status.timestamp if task.status.state.terminal else None


def _busy_until(task: Task, config: UpdateConfig) -> datetime | None:
    """When the replacement frees its place; None while nobody can say."""
    settled = task.started_at or _ended_at(task)
    if settled is None:
        return None
    return settled + timedelta(microseconds=config.delay / 1000)


def _replace_some(
    service: Service, config: UpdateConfig, progress: Progress, now: datetime
) -> tuple[list[Write], frozenset[SlotKey]]:
    writes: list[Write] = []
    touched: set[SlotKey] = set()
    free = (config.parallelism or len(progress.dirty) + len(progress.busy)) - len(progress.busy)
    for slot in progress.dirty:
        existing = _existing(service, slot)
        if existing is not None:
            write = _keep_only(slot, existing, config)
        elif free > 0:
            free -= 1
            write = _replace(service, slot, config, now)
        else:
            continue
        if write is not None:
            writes.append(write)
            touched.add(slot.key)
    return writes, frozenset(touched)


def _existing(service: Service, slot: Slot) -> Task | None:
    """The slot's task of the present spec: a running one, or the newest."""
    clean = [task for task in slot.wanted if not is_task_dirty(service, task)]
    running = [task for task in clean if task.status.state is TaskState.RUNNING]
    found = running or clean
    return found[-1] if found else None


def _keep_only(slot: Slot, kept: Task, config: UpdateConfig) -> Write | None:
    """Stop the others; in a start-first update not before the one to keep runs."""
    others = [task for task in slot.wanted if task.id != kept.id]
    waits = _starts_first(config) and kept.status.state is not TaskState.RUNNING
    if not others or (waits and any(map(is_alive, others))):
        return None
    return Write(update=tuple(map(_stopped, others)), why=f"{kept.id} is up to date")


def _starts_first(config: UpdateConfig) -> bool:
    return (config.order or UPDATE_ORDER) == "start-first"


def _replace(service: Service, slot: Slot, config: UpdateConfig, now: datetime) -> Write:
    if _starts_first(config):
        # Tasks that can't be running any more have nothing to hand over.
        gone = tuple(_stopped(t) for t in slot.wanted if t.status.state.terminal)
        return Write(create=(new_task(service, slot, now),), update=gone, why="start first")
    held = any(map(is_alive, slot.tasks))
    return Write(
        create=(new_task(service, slot, now, held=held),),
        update=tuple(map(_stopped, slot.wanted)),
        why="stop first",
    )


def _stopped(task: Task) -> Task:
    return task.replaced(desired_state=TaskState.SHUTDOWN) if is_wanted(task) else task


def _end_on_failure(service: Service, config: UpdateConfig, progress: Progress) -> Plan | None:
    """Pause or roll back where too many replacements have failed."""
    action = config.failure_action or FAILURE_ACTION
    total = len(progress.dirty) + progress.replaced
    if action == "continue" or not progress.failures or not progress.failed:
        return None
    if progress.failures / max(total, progress.failures) <= config.max_failure_ratio:
        return None
    culprit = progress.failed[0].id
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
        update_status=service.update_status.replaced(state=ROLLING_BACK, message=message),
    )
    return Plan(writes=(Write(update=(restored,), why=message),), why=message)


def _monitored_until(config: UpdateConfig, progress: Progress) -> datetime | None:
    return None if progress.last_start is None else progress.last_start + _monitor(config)


def _complete(service: Service, now: datetime) -> Plan:
    assert service.update_status is not None
    back = service.update_status.state == ROLLING_BACK
    message = "rollback completed" if back else "update completed"
    status = service.update_status.replaced(
        state="rollback_completed" if back else "completed", message=message, completed_at=now
    )
    write = Write(update=(service.replaced(update_status=status),), why=message)
    return Plan(writes=(write,), why=message)
