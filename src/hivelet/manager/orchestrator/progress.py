"""How an update stands, read off the tasks slot by slot. Pure data, derived from the store.

What is known of a slot depends on that slot's tasks, their nodes and the service alone, never on the time or on other slots. So it may be
built from all slots at once or follow them one by one, with the same result; and an update of ten thousand tasks looks at each
when that task has changed, instead of at all of them whenever one has.

A *replacement* is a first attempt (not a restart) that the update under way has made in place of another task, from the present
spec. A slot is *busy* from the moment of its replacement until that runs (or has failed) and the delay has passed. Slots on paused
nodes, which global services have, are left out: nothing new may start there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hivelet.kit.ranked import Ranked
from hivelet.manager.dirty import is_dirty
from hivelet.manager.orchestrator.slots import Slot, SlotKey, is_alive
from hivelet.objects.common import NodeId, TaskId
from hivelet.objects.defaults import UPDATE_MONITOR, UPDATE_ORDER, UPDATE_PARALLELISM
from hivelet.objects.dependency import HELD, awaits_completion
from hivelet.objects.node import Node
from hivelet.objects.service import Service, UpdateConfig
from hivelet.objects.task import Task, TaskState

DEFAULT = UpdateConfig(parallelism=UPDATE_PARALLELISM)
"""Where no update or rollback config was given (SwarmKit's defaults)."""

ROLLING_BACK = "rollback_started"
_EARLY_ENDS = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)

SETTLE = timedelta(milliseconds=200)
"""A replacement that ends this soon has not started, for an update that wants to know before it goes on. Docker Swarm gathers
what its agents report for 100 ms, which has the same effect."""

_NO_NODES: Mapping[NodeId, Node] = {}

Place = tuple[int, NodeId]
"""By what slots are ordered."""


def effective_config(service: Service) -> UpdateConfig:
    """The settings that count now: the rollback's during one, otherwise the update's."""
    rolling_back = service.update_status is not None and service.update_status.state == ROLLING_BACK
    given = service.spec.rollback_config if rolling_back else service.spec.update_config
    return given or DEFAULT


def starts_first(config: UpdateConfig) -> bool:
    """Whether the new task of a slot runs before its old one is stopped."""
    return (config.order or UPDATE_ORDER) == "start-first"


def monitor_period(config: UpdateConfig) -> timedelta:
    """How long a replacement is watched."""
    nanoseconds = UPDATE_MONITOR if config.monitor is None else config.monitor
    return timedelta(microseconds=nanoseconds / 1000)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an update must know of one slot."""

    slot: Slot
    dirty: bool
    """Not just one task of the present spec."""
    kept: Task | None
    """Of a dirty slot: its task of the present spec, which stays."""
    surplus: tuple[Task, ...]
    """What `kept` makes superfluous already."""
    replacement: Task | None


class Progress:
    """All slots of a service, as far as its update is concerned. `observe` follows a slot's change."""

    def __init__(
        self, service: Service, slots: Iterable[Slot], nodes: Mapping[NodeId, Node] = _NO_NODES
    ) -> None:
        self.service = service
        self.config = effective_config(service)
        self._since = service.update_status.started_at if service.update_status else None
        self._standings: dict[SlotKey, Standing] = {}
        self._dirty = 0
        self._outdated: Ranked[SlotKey, Place] = Ranked()
        self._settled: dict[SlotKey, Standing] = {}
        self._concerned = 0
        self._failed: Ranked[SlotKey, Place] = Ranked()
        self._starting: set[SlotKey] = set()
        self._freed: Ranked[SlotKey, datetime] = Ranked()
        self._last: Ranked[SlotKey, datetime] = Ranked()
        for slot in sorted(slots, key=_place):
            self.observe(slot, nodes)

    def is_of(self, service: Service) -> bool:
        """Whether this is the progress of the very update that the service is in."""
        mine = self.service
        return (
            mine.spec is service.spec
            and mine.spec_version == service.spec_version
            and mine.update_status == service.update_status
        )

    def observe(self, slot: Slot, nodes: Mapping[NodeId, Node] = _NO_NODES) -> None:
        """Take in how a slot is now, on the nodes of its tasks; one without tasks is forgotten."""
        self._forget(slot.key)
        if slot.tasks and not _is_paused(slot, nodes):
            self._count(assess_slot(self.service, slot, nodes, self.config, self._since))

    @property
    def dirty(self) -> int:
        """How many slots are yet to be what the service asks for."""
        return self._dirty

    @property
    def outdated(self) -> Iterator[Slot]:
        """Dirty slots without any task of the present spec, by number."""
        return (self._standings[key].slot for key in self._outdated)

    @property
    def settled(self) -> Iterator[Standing]:
        """Dirty slots whose task of the present spec needs the others no more."""
        return iter(sorted(self._settled.values(), key=lambda standing: _place(standing.slot)))

    @property
    def concerned(self) -> int:
        """How many slots the update is about: those that are to be replaced or have been; each once, whatever it has."""
        return self._concerned

    @property
    def failures(self) -> int:
        """How many replacements have failed."""
        return len(self._failed)

    @property
    def culprit(self) -> Task | None:
        """The failed replacement of the first slot that has one."""
        key = next(iter(self._failed), None)
        return None if key is None else self._standings[key].replacement

    @property
    def last_start(self) -> datetime | None:
        """When the last replacement began to run, or ended."""
        return self._last.highest()

    def busy(self, now: datetime) -> tuple[int, datetime | None]:
        """How many slots are busy, and when the first of them ceases to be by time alone."""
        count, first = self._freed.after(now)
        return count + len(self._starting), first

    def _count(self, standing: Standing) -> None:
        slot, made = standing.slot, standing.replacement
        key = slot.key
        self._standings[key] = standing
        self._dirty += standing.dirty
        if standing.dirty and standing.kept is None:
            self._outdated.put(key, _place(slot))
        if standing.surplus:
            self._settled[key] = standing
        self._concerned += _is_concerned(standing)
        if made is None:
            return
        if is_failure(made, self.config):
            self._failed.put(key, _place(slot))
        freed = _freed_at(made, self.config)
        if freed is None:
            self._starting.add(key)
        else:
            self._freed.put(key, freed)
        moments = [m for m in (made.started_at, _ended_at(made)) if m is not None]
        if moments:
            self._last.put(key, max(moments))

    def _forget(self, key: SlotKey) -> None:
        standing = self._standings.pop(key, None)
        if standing is None:
            return
        self._dirty -= standing.dirty
        self._concerned -= _is_concerned(standing)
        self._settled.pop(key, None)
        self._starting.discard(key)
        self._outdated.drop(key)
        self._failed.drop(key)
        self._freed.drop(key)
        self._last.drop(key)


def assess_slot(
    service: Service,
    slot: Slot,
    nodes: Mapping[NodeId, Node],
    config: UpdateConfig,
    since: datetime | None,
) -> Standing:
    """What an update that began at `since` must know of a slot."""
    clean = {t.id for t in slot.tasks if not is_dirty(service, t, nodes.get(t.node_id))}
    dirty = _is_slot_dirty(slot, clean)
    kept = _kept(slot, clean) if dirty else None
    return Standing(
        slot=slot,
        dirty=dirty,
        kept=kept,
        surplus=_surplus(service, slot, kept, config) if kept is not None else (),
        replacement=_replacement(slot, clean, since),
    )


def _is_slot_dirty(slot: Slot, clean: Collection[TaskId]) -> bool:
    """Whether the slot is not just one task of the present spec. An ended task that nothing follows stands for its slot."""
    wanted = slot.wanted
    if len(wanted) == 1:
        return wanted[0].id not in clean
    if wanted:
        return True
    last = slot.newest
    return last is not None and last.id not in clean


def is_failure(task: Task, config: UpdateConfig) -> bool:
    """Whether a replacement ended by itself before the monitor period was over."""
    if task.status.state not in _EARLY_ENDS:
        return False
    if task.started_at is None or task.status.timestamp is None:
        return True
    return task.status.timestamp - task.started_at <= monitor_period(config)


def _place(slot: Slot) -> Place:
    return (slot.number, slot.node_id)


def _kept(slot: Slot, clean: Collection[TaskId]) -> Task | None:
    """The slot's task of the present spec: a running one, or the newest."""
    present = [task for task in slot.wanted if task.id in clean]
    running = [task for task in present if task.status.state is TaskState.RUNNING]
    found = running or present
    return found[-1] if found else None


def _surplus(service: Service, slot: Slot, kept: Task, config: UpdateConfig) -> tuple[Task, ...]:
    """The others, which can stop; in a start-first update not before the one to keep runs."""
    others = tuple(task for task in slot.wanted if task.id != kept.id)
    if starts_first(config):
        waits = kept.status.state is not TaskState.RUNNING
    else:
        waits = _may_be_held(kept) and awaits_completion(service.spec)
    return () if waits and any(map(is_alive, others)) else others


def _may_be_held(task: Task) -> bool:
    """Whether the scheduler has not yet looked at the task, or holds it for what its service depends on.

    One that finds no room is not held: the room may be that of its predecessor.
    """
    placed = task.status.state.order >= TaskState.ASSIGNED.order
    return not placed and (not task.status.err or task.status.err.startswith(HELD))


def _replacement(slot: Slot, clean: Collection[TaskId], since: datetime | None) -> Task | None:
    """The newest replacement of the slot. While the update is under way the reaper forgets none."""
    for task in reversed(slot.tasks):
        if (
            since is not None
            and task.made_by_update == since
            and task.restarts.total == 0
            and task.desired_state is not TaskState.REMOVE
            and task.id in clean
        ):
            return task
    return None


def _is_concerned(standing: Standing) -> bool:
    return standing.dirty or standing.replacement is not None


def _is_paused(slot: Slot, nodes: Mapping[NodeId, Node]) -> bool:
    node = nodes.get(slot.node_id)
    return node is not None and node.spec.availability == "pause"


def _ended_at(task: Task) -> datetime | None:
    return task.status.timestamp if task.status.state.terminal else None


def _freed_at(task: Task, config: UpdateConfig) -> datetime | None:
    """When the replacement frees its place; None while nobody can say."""
    settled = task.started_at or _ended_at(task)
    if settled is None:
        return None
    return settled + max(timedelta(microseconds=config.delay / 1000), SETTLE)
