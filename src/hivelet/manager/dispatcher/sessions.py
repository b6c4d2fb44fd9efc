"""One agent's session: what it has been told, and waking its stream when there is more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hivelet.kit.supervise import Defect, guard
from hivelet.manager.dispatcher.assignments import (
    NodeTasks,
    Surroundings,
    build_assignments,
    build_entry,
    concerns,
)
from hivelet.objects.assignment import Assignments
from hivelet.objects.common import ConfigId, NetworkId, NodeId, SecretId, ServiceId
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import Task
from hivelet.store.view import View


class EntryCache:
    """Service entries, built once for each version of a service and shared by all sessions."""

    def __init__(self) -> None:
        self._entries: dict[ServiceId, tuple[int, ServiceEntry | None]] = {}

    def entry(self, service: Service) -> ServiceEntry | None:
        """The service's entry."""
        version = service.meta.version.index
        known = self._entries.get(service.id)
        if known is None or known[0] != version:
            built = guard(
                lambda: build_entry(service), "service left out", **{"service.id": service.id}
            )
            # One service that can't be told of must not keep the agents from all others.
            found = None if isinstance(built, Defect) else built
            known = self._entries[service.id] = (version, found)
        return known[1]

    def forget(self, service_id: ServiceId) -> None:
        """The service is gone."""
        self._entries.pop(service_id, None)


class Session:
    """What one agent knows. `observe_…` follow the store; `next` is what to say, when `wait` returns."""

    def __init__(
        self, session_id: str, node_id: NodeId, entries: EntryCache, setbacks: int = 0
    ) -> None:
        self.id = session_id
        self.node_id = node_id
        self.setbacks = setbacks
        """How often the store had taken commits back when the session began."""
        self._entries = entries
        self._tasks = NodeTasks()
        self._told: Surroundings | None = None
        self._told_node: Node | None = None
        self._stale = True
        self._news = asyncio.Event()
        self.ended = False

    @property
    def newest_version(self) -> int:
        """The version that must be safe before the agent may hear of its newest task."""
        return self._tasks.newest_version

    def begin(self, tasks: Iterable[Task]) -> None:
        """Start from all tasks of the node."""
        for task in tasks:
            self._tasks.observe(task, removed=False)
        self._news.set()

    def observe_task(self, task: Task, *, removed: bool) -> None:
        """A task of this node changed."""
        self._tasks.observe(task, removed=removed)
        self._news.set()

    def observe_surroundings(self) -> None:
        """A network, service, secret, config or the node changed, perhaps one that matters here."""
        self._stale = True
        self._news.set()

    def end(self) -> None:
        """Let the stream end."""
        self.ended = True
        self._news.set()

    async def wait(self) -> None:
        """Return when there may be something to say."""
        await self._news.wait()
        self._news.clear()

    def next(self, view: View) -> Assignments | None:
        """What to say now; None for nothing."""
        changed, gone = self._tasks.take()
        told = self._told
        around = told
        if around is None or self._stale or self._tasks.touches_changed:
            around = self._look_around(view)
            self._stale = self._tasks.touches_changed = False
        node = view.node(self.node_id)
        told_node = node if node is not None and _differs(self._told_node, node) else None
        found = build_assignments(told, around, changed, gone, told_node)
        self._told = around
        self._told_node = node
        return None if found.empty else found

    def _look_around(self, view: View) -> Surroundings:
        networks = {
            network.id: network
            for id_ in self._tasks.using("network")
            if (network := view.network(NetworkId(id_))) is not None
        }
        networks.update(
            (n.id, n) for n in view.all(Network) if n.spec.ingress and n.ipam is not None
        )
        services = {
            service.id: entry
            for service in view.all(Service)
            if concerns(service, networks) and (entry := self._entries.entry(service)) is not None
        }
        secrets = (view.secret(SecretId(id_)) for id_ in self._tasks.using("secret"))
        configs = (view.config(ConfigId(id_)) for id_ in self._tasks.using("config"))
        return Surroundings(
            networks=networks,
            services=services,
            secrets={secret.id: secret for secret in secrets if secret is not None},
            configs={config.id: config for config in configs if config is not None},
        )


def _differs(told: Node | None, node: Node) -> bool:
    """Whether the agent would learn something of its node that it did not say itself."""
    return told is None or (told.spec, told.manager_status) != (node.spec, node.manager_status)
