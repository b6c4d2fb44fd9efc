"""When the orchestrator decides: which services and slots an event touches.

A task's progress towards RUNNING touches nothing, unless an update waits for it; its end touches its slot alone. So a crash
among thousands of tasks costs one small decision, and so does a step of an update of them.

A decision over a whole service wakes nobody: each of its slots that waits for something, and its update, has a key of its own,
which was touched when the waiting began and knows its own time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from hivelet.manager.orchestrator.job_progress import JobProgress
from hivelet.manager.orchestrator.jobs import next_job_step
from hivelet.manager.orchestrator.progress import Progress
from hivelet.manager.orchestrator.reconcile import Situation, reconcile_service, reconcile_slot
from hivelet.manager.orchestrator.slots import SlotKey, group_slots, is_wanted, make_slot
from hivelet.manager.orchestrator.update import NO_STEP, Step, next_step
from hivelet.manager.runner import Decisions, Runner
from hivelet.objects.common import NodeId, ServiceId
from hivelet.objects.node import Node
from hivelet.objects.plan import NOTHING, Plan, merge_plans
from hivelet.objects.service import DEPENDS_ON_LABEL, Service
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View


@dataclass(frozen=True, slots=True)
class Key:
    """What is looked at: a whole service, one slot of it, or the next step of its update or job."""

    service: ServiceId
    slot: SlotKey | None = None
    step: bool = False


Followed = Progress | JobProgress


def orchestrator(store: Store) -> Runner[Key]:
    """The orchestrator's loop over `store`."""
    loop = OrchestratorLoop()
    return Runner(
        store,
        Decisions(
            name="orchestrator",
            actor=Actor.ORCHESTRATOR,
            kinds=(Service, Task, Node),
            touched=loop.touched,
            everything=loop.everything,
            decide=loop.decide,
            about=lambda key: {
                "service.id": key.service,
                **({"slot": key.slot[1]} if key.slot else {}),
            },
        ),
    )


class OrchestratorLoop:
    """Keeps the progress of the updates and jobs that are under way in step with the store."""

    def __init__(self) -> None:
        self._followed: dict[ServiceId, Followed] = {}

    def everything(self, view: View) -> Iterator[Key]:
        """All services and their updates, and every slot that waits for something."""
        self._followed.clear()
        for service in view.all(Service):
            yield from _whole(service)
        for task in view.all(Task):
            if is_wanted(task) and (_is_held(task) or task.status.state.terminal):
                yield Key(task.service_id, task.slot_key)

    def touched(self, view: View, event: Event) -> Iterable[Key]:
        """Follow the event in updates and jobs, and name the keys that it makes worth a look."""
        match event.obj:
            case Service():
                if event.action is Action.REMOVE:
                    self._followed.pop(event.obj.id, None)
                return _by_service(event.obj, event.old)
            case Task():
                followed = self._followed.get(event.obj.service_id)
                if followed is not None:
                    key = event.obj.slot_key
                    slot = make_slot(key, view.tasks_of_slot(key))
                    followed.observe(slot, dict(_nodes_of(view, slot.tasks)))
                return _by_task(view, event.obj, event)
            case Node():
                keys = list(_by_node(view, event.obj, event.old))
                for each in keys:
                    # Measured anew: what an update makes of a slot depends on its node.
                    self._followed.pop(each.service, None)
                return keys
            case _:
                return ()

    def decide(self, view: View, key: Key, now: datetime) -> Plan:
        """Read what the decision needs, and decide."""
        service = view.service(key.service)
        if service is None:
            return NOTHING
        if key.step:
            return self._next_step(view, service, now).plan
        if key.slot is None:
            nodes = {node.id: node for node in view.all(Node)}
            situation = Situation(service=service, nodes=nodes, now=now)
            plan = reconcile_service(situation, view.tasks_of_service(service.id))
            return replace(plan, wake_at=None)
        if service.pending_delete:
            return NOTHING
        return self._decide_slot(view, service, key.slot, now)

    def _decide_slot(self, view: View, service: Service, key: SlotKey, now: datetime) -> Plan:
        """One slot; where an update is under way it looks first, and leaves to the slot what it does not touch."""
        step = self._next_step(view, service, now) if service.is_updating else NO_STEP
        first = replace(step.plan, wake_at=None)
        if key in step.slots:
            return first
        slot = make_slot(key, view.tasks_of_slot(key))
        nodes = dict(_nodes_of(view, slot.tasks))
        return merge_plans(
            [first, reconcile_slot(Situation(service=service, nodes=nodes, now=now), slot)]
        )

    def _next_step(self, view: View, service: Service, now: datetime) -> Step:
        followed = self._followed.pop(service.id, None)
        if service.pending_delete:
            return NO_STEP
        if followed is None or not followed.is_of(service):
            followed = _measure(view, service)
        if isinstance(followed, JobProgress):
            if not followed.finished:
                self._followed[service.id] = followed
            plan, slots = next_job_step(service, followed, now)
            return Step(plan, frozenset(slots))
        if followed is None:
            return NO_STEP
        if service.is_updating:
            self._followed[service.id] = followed
        return next_step(service, followed, now)


def _measure(view: View, service: Service) -> Followed | None:
    """How the service's job or update stands; None where it has none, or one that is not followed."""
    mode = service.spec.mode
    if mode.replicated_job is None and (mode.is_job or service.update_status is None):
        return None
    slots = group_slots(view.tasks_of_service(service.id)).values()
    if mode.replicated_job is not None:
        return JobProgress(service, slots)
    return Progress(service, slots, {node.id: node for node in view.all(Node)})


def _whole(service: Service) -> Iterator[Key]:
    yield Key(service.id)
    yield Key(service.id, step=True)


def _by_service(service: Service, old: object) -> Iterator[Key]:
    if (
        not isinstance(old, Service)
        or old.spec is not service.spec
        or old.pending_delete != service.pending_delete
        or old.update_status != service.update_status
    ):
        yield from _whole(service)


def _by_task(view: View, task: Task, event: Event) -> Iterator[Key]:
    service = view.service(task.service_id)
    if service is None:
        return
    if event.action is Action.CREATE and (_is_held(task) or service.is_updating):
        # Sets the timer by which it is let go; and the slot's other task may have to leave its node.
        yield Key(service.id, task.slot_key)
    if event.action is Action.REMOVE:
        last = service.pending_delete and not view.has_tasks(service.id)
        if last or (is_wanted(task) and not service.pending_delete):
            yield from _whole(service)
            return
    if service.is_updating and _is_held(task) and DEPENDS_ON_LABEL in service.spec.labels:
        # Its predecessor goes on for as long as a dependency holds it; where it is held no more, that one may stop.
        yield Key(service.id, step=True)
    # Several changes may reach a loop as one: a task may be there and run, or be down and forgotten, all at once.
    moved = not isinstance(event.old, Task) or event.old.status.state is not task.status.state
    if not moved or not _tells(task):
        return
    if service.spec.mode.is_job and task.status.state.terminal:
        # A job on nodes has as many tasks as there are nodes, and all of these count.
        yield Key(service.id, step=not service.spec.mode.is_global)
    if task.status.state.terminal:
        yield Key(service.id, task.slot_key)
    if service.is_updating:
        yield Key(service.id, step=True)


def _is_held(task: Task) -> bool:
    """Whether the task was told to wait until it is let go."""
    return task.desired_state is TaskState.READY


def _tells(task: Task) -> bool:
    return task.status.state is TaskState.RUNNING or task.status.state.terminal


def _by_node(view: View, node: Node, old: object) -> Iterator[Key]:
    if isinstance(old, Node) and _placement(old) == _placement(node):
        return
    touched_services = {task.service_id for task in view.tasks_on_node(node.id) if is_wanted(task)}
    for service in view.all(Service):
        if service.id in touched_services or service.spec.mode.is_global:
            yield from _whole(service)


def _placement(node: Node) -> tuple[object, ...]:
    """All of a node that decides what may run on it."""
    description = node.description
    return (
        node.spec,
        node.status.state,
        node.status.addr,
        description.hostname,
        description.platform,
        description.engine.labels,
    )


def _nodes_of(view: View, tasks: Iterable[Task]) -> Iterator[tuple[NodeId, Node]]:
    for task in tasks:
        if task.node_id and (node := view.node(task.node_id)) is not None:
            yield node.id, node
