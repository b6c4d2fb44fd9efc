"""What tasks go through: restarts by service and reason, and how long a start takes. Counts the store's events.

A restart is a task that was made because the one before it in its slot had ended, not because an update replaced it. Its reason is
how that one ended. The series of a service go with the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import takewhile

from prometheus_client import Histogram
from prometheus_client.metrics_core import Metric

from hivelet.metrics.families import counter
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View

_START_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class TaskMeter:
    """Follows the tasks of a store. `run` for ever; `families` at any time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._restarts: dict[tuple[str, str], int] = {}
        self.starts = Histogram(
            "hivelet_task_start_seconds",
            "From a task's creation, or the end of its restart delay, until it runs and takes connections.",
            buckets=_START_BUCKETS,
            registry=None,
        )

    async def run(self) -> None:
        """Count, until cancelled."""
        with self._store.watch((Service, Task)) as watcher:
            async for batch in watcher:
                for event in batch.events:
                    self._store.view(self._counting(event))

    def families(self) -> Iterator[Metric]:
        """The restarts and starts so far."""
        yield from self.starts.collect()
        yield counter(
            "hivelet_service_restarts",
            "Tasks that were started in place of one that had ended, by how it had ended.",
            ("service", "reason"),
            self._restarts.items(),
        )

    def _counting(self, event: Event) -> Callable[[View], None]:
        return lambda view: self.count(view, event)

    def count(self, view: View, event: Event) -> None:
        """Take one change in."""
        match event.obj:
            case Service():
                self._follow(event.action, event.obj)
            case Task():
                if event.action is Action.CREATE and (reason := restart_reason(view, event.obj)):
                    key = (event.obj.service_annotations.name, reason)
                    self._restarts[key] = self._restarts.get(key, 0) + 1
                if (seconds := start_seconds(event)) is not None:
                    self.starts.observe(seconds)

    def _follow(self, action: Action, service: Service) -> None:
        if action is Action.REMOVE:
            name = service.spec.name
            self._restarts = {key: n for key, n in self._restarts.items() if key[0] != name}


def restart_reason(view: View, task: Task) -> str:
    """How the attempt ended that this task follows; "" where it follows none, or was made by an update."""
    if task.made_by_update is not None or task.job_iteration is not None:
        return ""
    # Several changes may be read at once: what came into the slot later is not what this one follows.
    attempts = view.tasks_of_slot(task.slot_key)
    earlier = list(takewhile(lambda one: one.id != task.id, attempts))
    if not earlier:
        return ""
    last = earlier[-1]
    if last.evicted:
        return "evicted"
    if "unhealthy" in last.status.err:
        return "unhealthy"
    ended = last.status.state
    if ended in (TaskState.FAILED, TaskState.REJECTED, TaskState.COMPLETE, TaskState.ORPHANED):
        return ended.value
    return ""


def start_seconds(event: Event) -> float | None:
    """How long a start took that this event is the end of."""
    task, old = event.obj, event.old
    if not isinstance(task, Task) or task.status.state is not TaskState.RUNNING:
        return None
    if isinstance(old, Task) and old.status.state is TaskState.RUNNING:
        return None
    begun, done = _later(task.meta.created_at, task.start_after), task.started_at
    if begun is None or done is None:
        return None
    return max(0.0, (done - begun).total_seconds())


def _later(created: datetime | None, held: datetime | None) -> datetime | None:
    if created is None or held is None:
        return created
    return max(created, held)
