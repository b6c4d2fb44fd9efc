"""Slots: the places that a service has for tasks, and the tasks that tried to fill them. Pure.

A task is *wanted* while nobody has asked for its end, *alive* while a container of it may be running. A slot has at
most one wanted task, save during a start-first update, and at most one alive one under the same exception.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hivelet.objects.common import NodeId
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import PortConfig, RestartHistory, Task, TaskState, TaskStatus

SlotKey = tuple[str, str]

CREATED = "created"
"""The message of every new task (SwarmKit)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot and all its remembered tasks, oldest first. `node_id` is set for slots of global services only."""

    key: SlotKey
    number: int
    node_id: NodeId
    tasks: tuple[Task, ...]

    @property
    def wanted(self) -> list[Task]:
        """The tasks that should be there, oldest first."""
        return [task for task in self.tasks if is_wanted(task)]

    @property
    def current(self) -> Task | None:
        """The newest wanted task."""
        return next((task for task in reversed(self.tasks) if is_wanted(task)), None)

    @property
    def newest(self) -> Task | None:
        """The newest task, wanted or not, that is not marked for removal."""
        kept = (t for t in reversed(self.tasks) if t.desired_state is not TaskState.REMOVE)
        return next(kept, None)


def is_wanted(task: Task) -> bool:
    """Whether the task should be running, now or soon, or completes a job."""
    return task.wanted


def is_alive(task: Task) -> bool:
    """Whether the task may have a running container."""
    return TaskState.ASSIGNED.order <= task.status.state.order <= TaskState.RUNNING.order


def group_slots(tasks: Iterable[Task]) -> dict[SlotKey, Slot]:
    """The slots that these tasks of one service are in."""
    grouped: dict[SlotKey, list[Task]] = {}
    for task in tasks:
        grouped.setdefault(task.slot_key, []).append(task)
    return {key: make_slot(key, listed) for key, listed in grouped.items()}


def make_slot(key: SlotKey, tasks: Collection[Task]) -> Slot:
    """One slot; its tasks are sorted by age."""
    ordered = tuple(sorted(tasks, key=_age)) if len(tasks) > 1 else tuple(tasks)
    if not ordered:
        return Slot(key, 0, NodeId(""), ())
    first = ordered[0]
    return Slot(key, first.slot, NodeId("") if first.slot else first.node_id, ordered)


def _age(task: Task) -> float:
    # Stable sorting keeps the store's order, which is that of creation, for tasks of one moment.
    return task.meta.created_at.timestamp() if task.meta.created_at else 0.0


def new_task(
    service: Service,
    slot: Slot,
    now: datetime,
    *,
    held: bool = False,
    start_after: datetime | None = None,
    restarts: RestartHistory | None = None,
) -> Task:
    """A new attempt at `slot`, made from the service's present spec; `held` until it is let go. Its id comes with the commit."""
    job = service.job_status
    task = Task(
        id="",  # type: ignore[arg-type]
        service_id=service.id,
        service_annotations=service.annotations,
        slot=slot.number,
        node_id=slot.node_id,
        spec=service.spec.task_template,
        spec_version=service.spec_version,
        status=TaskStatus(timestamp=now, state=TaskState.NEW, message=CREATED),
        desired_state=TaskState.READY,
        ports=_asked_ports(service),
        log_driver=service.spec.task_template.log_driver,
        registry_auth=service.registry_auth,
        start_after=start_after,
        restarts=restarts or RestartHistory(),
        job_iteration=job.job_iteration if job is not None else None,
    )
    return task if held else task.replaced(desired_state=task.goal)


def fill_slot(service: Service, slot: Slot, now: datetime) -> Task:
    """A first attempt, which waits where an earlier task of the slot may still be running."""
    return new_task(service, slot, now, held=any(map(is_alive, slot.tasks)))


def _asked_ports(service: Service) -> list[PortConfig]:
    spec = service.spec.endpoint_spec
    return spec.ports if spec else []


def on_lost_node(task: Task, nodes: Mapping[NodeId, Node]) -> bool:
    """Whether nobody can say any more what became of the task: its node is down or was removed."""
    if not task.node_id:
        return False
    node = nodes.get(task.node_id)
    return node is None or node.status.state == "down"
