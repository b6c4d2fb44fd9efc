"""When the scheduler decides: over the waiting tasks of a service, when one begins to wait or something is set free."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hivelet.manager.runner import Decisions, Runner
from hivelet.manager.scheduler.assign import assign_tasks, hold_tasks
from hivelet.manager.scheduler.dependencies import unmet_dependency
from hivelet.manager.scheduler.nodeinfo import NodeSet
from hivelet.objects.common import ServiceId
from hivelet.objects.node import Node
from hivelet.objects.plan import NOTHING, Plan
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View


def scheduler(store: Store) -> Runner[ServiceId]:
    """The scheduler's loop over `store`."""
    loop = SchedulerLoop()
    return Runner(
        store,
        Decisions(
            name="scheduler",
            actor=Actor.SCHEDULER,
            kinds=(Node, Service, Task),
            touched=loop.touched,
            everything=loop.everything,
            decide=loop.decide,
            about=lambda service_id: {"service.id": service_id},
        ),
    )


class SchedulerLoop:
    """Keeps the node set in step with the store, and knows which services have tasks that wait."""

    def __init__(self) -> None:
        self._nodes = NodeSet()
        self._waiting: dict[ServiceId, None] = {}
        """Services that may have tasks without a node, those that have waited longest first."""
        self._held: dict[ServiceId, None] = {}
        """Those of them whose tasks wait for what the service depends on."""

    def everything(self, view: View) -> Iterable[ServiceId]:
        """Build the node set anew, and look at all that waits."""
        self._nodes = NodeSet()
        self._waiting = {}
        self._held = {}
        for node in view.all(Node):
            self._nodes.observe_node(node)
        for task in view.all(Task):
            self._nodes.observe_task(task)
            self._nodes.remember_failure(task)
            if task.wanted and task.status.state is TaskState.PENDING:
                self._waiting[task.service_id] = None
        return tuple(self._waiting)

    def touched(self, view: View, event: Event) -> Iterable[ServiceId]:
        """Follow the event; look again where a task waits, or where something was set free while others wait."""
        removed = event.action is Action.REMOVE
        match event.obj:
            case Node():
                self._nodes.observe_node(event.obj, removed=removed)
                return tuple(self._waiting)
            case Task():
                return self._touched_by_task(event.obj, removed=removed)
            case Service():
                return tuple(self._held)
            case _:
                return ()

    def _touched_by_task(self, task: Task, *, removed: bool) -> Iterable[ServiceId]:
        freed = self._nodes.observe_task(task, removed=removed)
        state = task.status.state
        if state is TaskState.PENDING and task.wanted and not removed:
            self._waiting[task.service_id] = None
            return (task.service_id,)
        if freed:
            return tuple(self._waiting)
        return tuple(self._held) if state is TaskState.RUNNING or state.terminal else ()

    def decide(self, view: View, service_id: ServiceId, now: datetime) -> Plan:
        """Place what waits of a service, save where it has to wait for another."""
        tasks = view.tasks_without_node(service_id)
        if not tasks:
            self._waiting.pop(service_id, None)
            self._held.pop(service_id, None)
            return NOTHING
        reason = _why_held(view, service_id)
        if reason:
            self._held[service_id] = None
            return hold_tasks(tasks, reason, now)
        self._held.pop(service_id, None)
        return assign_tasks(tasks, self._nodes, now)


def _why_held(view: View, service_id: ServiceId) -> str:
    service = view.service(service_id)
    if service is None:
        return ""
    return unmet_dependency(
        service, lambda name: view.by_name(Service, name), view.tasks_of_service
    )
