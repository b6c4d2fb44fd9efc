"""When the scheduler decides: over all waiting tasks at once, when one begins to wait or something is set free."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hivelet.manager.runner import Decisions, Runner
from hivelet.manager.scheduler.assign import assign_tasks, hold_tasks
from hivelet.manager.scheduler.dependencies import unmet_dependency
from hivelet.manager.scheduler.nodeinfo import NodeSet
from hivelet.objects.common import ServiceId
from hivelet.objects.node import Node
from hivelet.objects.plan import Plan, merge_plans
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View

WAITING = "waiting"
"""The scheduler's only key."""


def scheduler(store: Store) -> Runner[str]:
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
        ),
    )


class SchedulerLoop:
    """Keeps the node set in step with the store."""

    def __init__(self) -> None:
        self._nodes = NodeSet()
        self._held = False
        """Whether the last decision held tasks because of what their service depends on."""

    def everything(self, view: View) -> Iterable[str]:
        """Build the node set anew, and look at all that waits."""
        self._nodes = NodeSet()
        for node in view.all(Node):
            self._nodes.observe_node(node)
        for task in view.all(Task):
            self._nodes.observe_task(task)
        return (WAITING,)

    def touched(self, view: View, event: Event) -> Iterable[str]:
        """Follow the event; look again where a task waits, or where something was set free while others wait."""
        removed = event.action is Action.REMOVE
        match event.obj:
            case Node():
                self._nodes.observe_node(event.obj, removed=removed)
                worth_a_look = True
            case Task():
                freed = self._nodes.observe_task(event.obj, removed=removed)
                state = event.obj.status.state
                told = state is TaskState.RUNNING or state.terminal
                worth_a_look = freed or state is TaskState.PENDING or (self._held and told)
            case Service():
                worth_a_look = self._held
            case _:
                worth_a_look = False
        return (WAITING,) if worth_a_look and view.has_tasks_without_node() else ()

    def decide(self, view: View, _: str, now: datetime) -> Plan:
        """Place what waits, save where a service has to wait for another."""
        ready: list[Task] = []
        held: list[Task] = []
        reasons: dict[ServiceId, str] = {}
        for task in view.tasks_without_node():
            if task.service_id not in reasons:
                reasons[task.service_id] = _why_held(view, task.service_id)
            (held if reasons[task.service_id] else ready).append(task)
        self._held = bool(held)
        waiting = hold_tasks(held, reasons, now)
        return merge_plans([assign_tasks(ready, self._nodes, now), waiting])


def _why_held(view: View, service_id: ServiceId) -> str:
    service = view.service(service_id)
    if service is None:
        return ""
    return unmet_dependency(
        service, lambda name: view.by_name(Service, name), view.tasks_of_service
    )
