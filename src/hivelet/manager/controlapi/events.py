"""What happens in the cluster, as `docker events --filter scope=swarm` tells it. `describe` is pure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from hivelet.manager.controlapi.door import Door
from hivelet.objects.event import Event as SwarmEvent
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.plan import Object
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.store.events import Action, Event
from hivelet.store.tables import KIND_NAMES

KINDS = (Service, Node, Network, Secret, Config)


class EventsApi(Door):
    """The swarm's part of the API's events."""

    async def swarm_events(
        self, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[SwarmEvent]:
        """Remembered events from `since` on, then new ones, until the moment `until`."""
        clock = self._store.clock
        resume = self._store.oldest_version if since is not None else None
        with self._store.watch(KINDS, since=resume, coalescing=False) as watcher:
            while True:
                for event in watcher.drain().events:
                    told = describe(event, clock.now())
                    if told is not None and (since is None or told.at >= since):
                        yield told
                left = None if until is None else (until - clock.now()).total_seconds()
                if left is not None and left <= 0:
                    return
                try:
                    async with asyncio.timeout(left):
                        await watcher.wait()
                except TimeoutError:
                    return


def describe(event: Event, now: datetime) -> SwarmEvent | None:
    """The event in Docker's words; None for what users don't hear of (endpoints given, status of a node's agent)."""
    obj, old = event.obj, event.old
    action = event.action.value
    if isinstance(obj, Service | Network):
        pending_before = isinstance(old, Service | Network) and old.pending_delete
        if event.action is Action.REMOVE or pending_before:
            return None
        if obj.pending_delete:
            action = Action.REMOVE.value
    attributes = {"name": _name(obj), **_changes(obj, old)}
    if action == Action.UPDATE.value and len(attributes) == 1 and not _spec_changed(obj, old):
        return None
    at = obj.meta.updated_at if action != Action.REMOVE.value else now
    return SwarmEvent(
        type=KIND_NAMES[type(obj)],
        action=action,
        actor_id=obj.id,
        attributes=attributes,
        scope="swarm",
        at=at or now,
    )


def _name(obj: Object) -> str:
    if isinstance(obj, Node):
        return obj.description.hostname
    return obj.spec.name if isinstance(obj, Service | Network | Secret | Config) else ""


def _spec_changed(obj: Object, old: Object | None) -> bool:
    if isinstance(obj, Service | Node | Network | Secret | Config) and type(old) is type(obj):
        return obj.spec != old.spec
    return True


def _changes(obj: Object, old: Object | None) -> dict[str, str]:
    if isinstance(obj, Service) and isinstance(old, Service):
        before, after = _update_state(old), _update_state(obj)
        return _differences(
            # A new update begins without a state; as in Docker, the end of the old one is not told then.
            ("updatestate", before if after else "", after),
            ("replicas", str(old.replicas), str(obj.replicas)),
            ("image", _image(old), _image(obj)),
        )
    if isinstance(obj, Node) and isinstance(old, Node):
        return _differences(
            ("state", old.status.state, obj.status.state),
            ("availability", old.spec.availability, obj.spec.availability),
            ("role", old.spec.role, obj.spec.role),
        )
    return {}


def _differences(*pairs: tuple[str, str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, before, after in pairs:
        if before != after:
            found.update(
                {
                    key + suffix: value
                    for suffix, value in ((".new", after), (".old", before))
                    if value
                }
            )
    return found


def _update_state(service: Service) -> str:
    return service.update_status.state if service.update_status is not None else ""


def _image(service: Service) -> str:
    container = service.spec.task_template.container_spec
    return container.image if container is not None else ""
