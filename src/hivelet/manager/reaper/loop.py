"""When the reaper decides: about a slot whose task went down or was marked for removal, and about all when an update is over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hivelet.manager.reaper.reap import reap_slot
from hivelet.manager.runner import Decisions, Runner
from hivelet.objects.cluster import Cluster
from hivelet.objects.common import ServiceId
from hivelet.objects.defaults import TASK_HISTORY_LIMIT
from hivelet.objects.plan import Plan
from hivelet.objects.service import Service
from hivelet.objects.task import Task
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View

Key = tuple[str, str]


def reaper(store: Store) -> Runner[Key]:
    """The reaper's loop over `store`."""
    return Runner(
        store,
        Decisions(
            name="reaper",
            actor=Actor.REAPER,
            kinds=(Task, Cluster, Service),
            touched=touched,
            everything=all_slots,
            decide=decide,
            about=lambda key: {"service.id": key[0], "slot": key[1]},
        ),
    )


def all_slots(view: View) -> Iterable[Key]:
    """Every slot that has tasks."""
    return dict.fromkeys(task.slot_key for task in view.all(Task))


def touched(view: View, event: Event) -> Iterable[Key]:
    """The slots that an event makes worth a look."""
    if isinstance(event.obj, Cluster):
        return all_slots(view)
    if isinstance(event.obj, Service):
        over = isinstance(event.old, Service) and event.old.is_updating
        if event.action is not Action.UPDATE or not over or event.obj.is_updating:
            return ()
        return dict.fromkeys(task.slot_key for task in view.tasks_of_service(event.obj.id))
    if not isinstance(event.obj, Task) or event.action is Action.REMOVE:
        return ()
    task = event.obj
    going = task.status.state.terminal or not task.wanted
    return (task.slot_key,) if going else ()


def decide(view: View, key: Key, now: datetime) -> Plan:
    """Look at one slot."""
    cluster = view.cluster()
    limit = (
        cluster.spec.orchestration.task_history_retention_limit if cluster else TASK_HISTORY_LIMIT
    )
    service = view.service(ServiceId(key[0]))
    status = service.update_status if service is not None and service.is_updating else None
    return reap_slot(
        view.tasks_of_slot(key),
        limit,
        service_exists=service is not None,
        updating_since=status.started_at if status is not None else None,
    )
