"""How an iteration of a replicated job stands, read off the tasks slot by slot. Pure data, derived from the store.

As for updates (`progress`), what is known of a slot depends on that slot's tasks and the service alone; so a job of ten thousand
tasks looks at each when it has changed. Slots that nobody has tried yet are counted, not kept: a job of a million completions
begins at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from hivelet.kit.ranked import Ranked
from hivelet.manager.orchestrator.restart import gives_up
from hivelet.manager.orchestrator.slots import Slot, SlotKey, make_slot
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState

_NOT_ITS_FAULT = tuple(
    state
    for state in TaskState
    if state.order <= TaskState.RUNNING.order or state in {TaskState.SHUTDOWN, TaskState.ORPHANED}
)
"""Where a task that nobody wants any more may stand without having failed."""


class JobProgress:
    """All slots of a replicated job. `observe` follows a slot's change."""

    def __init__(self, service: Service, slots: Iterable[Slot]) -> None:
        mode = service.spec.mode.replicated_job
        assert mode is not None
        self.service = service
        self._completions = mode.completions
        self._slots: dict[SlotKey, Slot] = {}
        self._running: set[SlotKey] = set()
        self._outdated: dict[SlotKey, tuple[Task, ...]] = {}
        self._tried: set[int] = set()
        self._fresh = 1
        """All numbers before this one have been tried, save those in `_again`."""
        self._again: Ranked[int, int] = Ranked()
        for slot in slots:
            self.observe(slot)

    def is_of(self, service: Service) -> bool:
        """Whether this is the progress of the iteration that the service is in."""
        mine = self.service
        return mine.spec is service.spec and mine.job_status == service.job_status

    def observe(self, slot: Slot, _: object = None) -> None:
        """Take in how a slot is now; one without tasks has not been tried."""
        key, number = slot.key, int(slot.key[1])
        if slot.tasks:
            self._slots[key] = slot
        else:
            self._slots.pop(key, None)
        latest = latest_attempt(self.service, slot)
        if number <= self._completions:
            self._note(number, tried=latest is not None)
        self._running.discard(key)
        if latest is not None and _holds_place(latest):
            self._running.add(key)
        self._outdated.pop(key, None)
        if old := outdated_tasks(self.service, slot):
            self._outdated[key] = old

    @property
    def running(self) -> int:
        """How many slots count among those that run at the same time: also those that are to be tried again."""
        return len(self._running)

    @property
    def untried(self) -> Iterator[Slot]:
        """The slots that have not had an attempt of this iteration, by number."""
        fresh = range(self._fresh, self._completions + 1)
        for number in chain(self._again, (n for n in fresh if n not in self._tried)):
            key = (self.service.id, str(number))
            yield self._slots.get(key) or make_slot(key, ())

    @property
    def outdated(self) -> dict[SlotKey, tuple[Task, ...]]:
        """The tasks of earlier iterations that are still wanted."""
        return dict(self._outdated)

    @property
    def finished(self) -> bool:
        """Whether nothing is left that could happen by itself."""
        untried = self._completions - len(self._tried)
        return not self._running and not untried and not self._outdated

    def _note(self, number: int, *, tried: bool) -> None:
        if tried:
            self._tried.add(number)
            self._again.drop(number)
            while self._fresh in self._tried:
                self._fresh += 1
        elif number in self._tried:
            self._tried.discard(number)
            if number < self._fresh:
                self._again.put(number, number)


def is_outdated(service: Service, task: Task) -> bool:
    """Whether the task belongs to an earlier iteration of a job."""
    job = service.job_status
    return job is not None and task.job_iteration != job.job_iteration


def is_done(task: Task) -> bool:
    """Whether the task has done its part of a job."""
    return task.job_iteration is not None and task.status.state is TaskState.COMPLETE


def outdated_tasks(service: Service, slot: Slot) -> tuple[Task, ...]:
    """The slot's tasks of earlier iterations that are still wanted and have not done their part."""
    return tuple(t for t in slot.wanted if is_outdated(service, t) and not is_done(t))


def latest_attempt(service: Service, slot: Slot) -> Task | None:
    """The newest attempt of this iteration; one that a lost node took with it counts as none."""
    for task in reversed(slot.tasks):
        if is_outdated(service, task) or task.desired_state is TaskState.REMOVE:
            continue
        stopped = not task.wanted and task.status.state in _NOT_ITS_FAULT
        return None if stopped else task
    return None


def _holds_place(task: Task) -> bool:
    if not task.wanted or is_done(task):
        return False
    return not task.status.state.terminal or not gives_up(task)
