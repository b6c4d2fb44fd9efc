"""When the orchestrator decides: which services and slots an event touches.

A task's progress towards RUNNING touches nothing, unless an update waits for it; its end touches its slot alone. So a crash
among thousands of tasks costs one small decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from hivelet.manager.orchestrator.reconcile import Situation, reconcile_service, reconcile_slot
from hivelet.manager.orchestrator.slots import SlotKey, is_wanted, make_slot
from hivelet.manager.orchestrator.update import is_updating
from hivelet.manager.runner import Decisions, Runner
from hivelet.objects.common import NodeId, ServiceId
from hivelet.objects.node import Node
from hivelet.objects.plan import NOTHING, Plan
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View


@dataclass(frozen=True, slots=True)
class Key:
    """What is looked at: a whole service, or one slot of it."""

    service: ServiceId
    slot: SlotKey | None = None


def orchestrator(store: Store) -> Runner[Key]:
    """The orchestrator's loop over `store`."""
    return Runner(
        store,
        Decisions(
            name="orchestrator",
            actor=Actor.ORCHESTRATOR,
            kinds=(Service, Task, Node),
            touched=touched,
            everything=lambda view: (Key(service.id) for service in view.all(Service)),
            decide=decide,
        ),
    )


def touched(view: View, event: Event) -> Iterable[Key]:
    """The keys that an event makes worth a look."""
    match event.obj:
        case Service():
            return _by_service(event.obj, event.old)
        case Task():
            return _by_task(view, event.obj, event)
        case Node():
            return _by_node(view, event.obj, event.old)
        case _:
            return ()


def _by_service(service: Service, old: object) -> Iterator[Key]:
    if (
        not isinstance(old, Service)
        or old.spec is not service.spec
        or old.pending_delete != service.pending_delete
        or old.update_status != service.update_status
    ):
        yield Key(service.id)


def _by_task(view: View, task: Task, event: Event) -> Iterator[Key]:
    service = view.service(task.service_id)
    if service is None:
        return
    if event.action is Action.CREATE:
        if task.desired_state is TaskState.READY:
            # Sets the timer by which it is let go.
            yield Key(service.id, task.slot_key)
        return
    if event.action is Action.REMOVE:
        last = service.pending_delete and not view.has_tasks(service.id)
        if last or (is_wanted(task) and not service.pending_delete):
            yield Key(service.id)
        return
    moved = not isinstance(event.old, Task) or event.old.status.state is not task.status.state
    if not moved or not _tells(task):
        return
    # The update looks first: it may roll back what the slot would otherwise restart.
    if is_updating(service) or (service.spec.mode.is_job and task.status.state.terminal):
        yield Key(service.id)
    if task.status.state.terminal:
        yield Key(service.id, task.slot_key)


def _tells(task: Task) -> bool:
    return task.status.state is TaskState.RUNNING or task.status.state.terminal


def _by_node(view: View, node: Node, old: object) -> Iterator[Key]:
    if isinstance(old, Node) and _placement(old) == _placement(node):
        return
    touched_services = {task.service_id for task in view.tasks_on_node(node.id) if is_wanted(task)}
    for service in view.all(Service):
        if service.id in touched_services or service.spec.mode.is_global:
            yield Key(service.id)


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


def decide(view: View, key: Key, now: datetime) -> Plan:
    """Read what the decision needs, and decide."""
    service = view.service(key.service)
    if service is None:
        return NOTHING
    if key.slot is None:
        nodes = {node.id: node for node in view.all(Node)}
        situation = Situation(service=service, nodes=nodes, now=now)
        return reconcile_service(situation, view.tasks_of_service(service.id))
    if service.pending_delete:
        return NOTHING
    slot = make_slot(key.slot, view.tasks_of_slot(key.slot))
    nodes = dict(_nodes_of(view, slot.tasks))
    return reconcile_slot(Situation(service=service, nodes=nodes, now=now), slot)


def _nodes_of(view: View, tasks: Iterable[Task]) -> Iterator[tuple[NodeId, Node]]:
    for task in tasks:
        if task.node_id and (node := view.node(task.node_id)) is not None:
            yield node.id, node
