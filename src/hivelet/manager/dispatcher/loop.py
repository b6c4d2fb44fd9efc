"""The Dispatcher: keeps sessions, routes what changes to the session it concerns, and listens for silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import structlog

from hivelet.errors import NotFound
from hivelet.kit.ids import new_id
from hivelet.kit.pulse import Pulse
from hivelet.manager.dispatcher.heartbeat import (
    ORPHAN_AFTER,
    mark_ready,
    mark_silent,
    orphan_tasks,
)
from hivelet.manager.dispatcher.sessions import EntryCache, Session
from hivelet.objects.assignment import Assignments, SessionInfo, StatusUpdate
from hivelet.objects.cluster import Cluster
from hivelet.objects.common import SECOND, NodeId
from hivelet.objects.network import Network
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.plan import Write
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor, may_move
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View
from hivelet.store.watch import Watcher

log = structlog.get_logger(__name__)


class SessionInvalid(NotFound):
    """The session is not, or no longer, known; the agent registers anew."""


class Dispatcher:
    """What agents talk to (structurally `hivelet.agent.session.Dispatcher`)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: dict[str, Session] = {}
        self._by_node: dict[NodeId, Session] = {}
        self._heard: dict[NodeId, float] = {}
        self._entries = EntryCache()
        self._down_since: dict[NodeId, float] = {}
        self._listening = asyncio.Event()
        self.pulse = Pulse()

    async def register(self, node_id: NodeId, description: NodeDescription) -> SessionInfo:
        """Begin a session; an older one of the same node ends.

        Raises:
            NotFound: the cluster has no such node.
        """
        await self._listening.wait()
        await self._store.writable()
        node = self._store.view(lambda view: view.node(node_id))
        if node is None:
            raise NotFound(f"node {node_id} is not a member of this swarm")
        ready = mark_ready(node, description)
        if ready is not node:
            self._store.commit([Write(update=(ready,), why="registered")], Actor.DISPATCHER)
        if (older := self._by_node.get(node_id)) is not None:
            self._forget(older)
        session = Session(new_id(), node_id, self._entries, self._store.setbacks)
        session.begin(self._store.view(lambda view: view.tasks_on_node(node_id)))
        self._sessions[session.id] = self._by_node[node_id] = session
        self._heard[node_id] = self._store.clock.steady()
        log.info("agent registered", **{"node.id": node_id})
        return SessionInfo(session_id=session.id, period=self._period())

    async def assignments(self, session_id: str) -> AsyncIterator[Assignments]:
        """First everything, then every change; a new task only once it is durable."""
        session = self._session(session_id)
        while True:
            await session.wait()
            if session.ended:
                return
            await self._store.writable()
            found = self._store.view(session.next)
            if found is not None:
                # What is only to be stopped or known need not wait: decided once more, it comes out the same.
                await self._store.durable(session.newest_version)
                yield found

    async def heartbeat(self, session_id: str) -> float:
        """Note that the agent lives."""
        session = self._session(session_id)
        self._heard[session.node_id] = self._store.clock.steady()
        return self._period()

    async def update_task_status(self, session_id: str, updates: Sequence[StatusUpdate]) -> None:
        """Write statuses, once anything can be written; what the store knows better is ignored."""
        await self._store.writable()
        session = self._session(session_id)
        writes = self._store.view(lambda view: list(_status_writes(view, session.node_id, updates)))
        self._store.commit(writes, Actor.AGENT)

    async def run(self) -> None:
        """Route changes and listen for silence, until cancelled; then all sessions end."""
        kinds = (Task, Node, Network, Service, Secret, Config)
        try:
            with self._store.watch(kinds) as watcher:
                self.pulse.follow(lambda: watcher.pending)
                self._expect_everyone()
                self._listening.set()
                look_at = self._call_silent_nodes_down()
                while True:
                    self.pulse.turn()
                    nodes_changed = await self._route_next(watcher, look_at)
                    # With many nodes a look is dear: not for every change of a task.
                    if nodes_changed or self._store.clock.steady() >= look_at:
                        look_at = self._call_silent_nodes_down()
        finally:
            self._listening.clear()
            for session in tuple(self._sessions.values()):
                self._forget(session)

    async def _route_next(self, watcher: Watcher, until: float) -> bool:
        """Route what changes next, if anything does until then; the answer is whether a node was among it."""
        try:
            # Never zero: the loop's clock and the steady one may differ by a rounding.
            async with asyncio.timeout(max(until - self._store.clock.steady(), 0.001)):
                await watcher.wait()
        except TimeoutError:
            return False
        events = watcher.drain().events
        for event in events:
            self._route(event)
        return any(isinstance(event.obj, Node) for event in events)

    def _expect_everyone(self) -> None:
        """A new manager gives every node that was there the usual time to come back."""
        now = self._store.clock.steady()
        for node in self._store.view(lambda view: list(view.all(Node))):
            self._heard.setdefault(node.id, now)
        for node_id in {task.node_id for task in self._store.view(lambda v: list(v.all(Task)))}:
            if node_id and self._store.view(lambda view, n=node_id: view.node(n)) is None:  # type: ignore[misc]
                self._orphan(node_id)

    def _call_silent_nodes_down(self) -> float:
        """Look at every node; the answer is when to look again, by the steady clock."""
        now = self._store.clock.steady()
        if self._store.failure:
            # Silence is not held against agents that are kept waiting.
            self._heard = dict.fromkeys(self._heard, now)
            return now + self._period()
        nodes = self._store.view(lambda view: list(view.all(Node)))
        for node in nodes:
            if node.status.state != "down":
                self._down_since.pop(node.id, None)
            elif now - self._down_since.setdefault(node.id, now) >= ORPHAN_AFTER:
                self._orphan(node.id)
        writes, next_look = mark_silent(nodes, self._heard, self._period(), now)
        self._store.commit(writes, Actor.DISPATCHER)
        for write in writes:
            for silent in write.update:
                if (session := self._by_node.get(NodeId(silent.id))) is not None:
                    self._forget(session)
        return now + self._period() if next_look is None else next_look

    def _orphan(self, node_id: NodeId) -> None:
        if self._store.failure:
            return  # the next look at silent nodes, or the next start, comes upon it again
        now = self._store.clock.now()
        tasks = self._store.view(lambda view: view.tasks_on_node(node_id))
        self._store.commit(orphan_tasks(tasks, now), Actor.DISPATCHER)

    def _route(self, event: Event) -> None:
        removed = event.action is Action.REMOVE
        if isinstance(event.obj, Task):
            session = self._by_node.get(event.obj.node_id)
            if session is not None:
                session.observe_task(event.obj, removed=removed)
            return
        if removed and isinstance(event.obj, Service):
            self._entries.forget(event.obj.id)
        if removed and isinstance(event.obj, Node):
            self._heard.pop(event.obj.id, None)
            self._down_since.pop(event.obj.id, None)
            self._orphan(event.obj.id)
            if (gone := self._by_node.get(event.obj.id)) is not None:
                self._forget(gone)
        for session in self._sessions.values():
            session.observe_surroundings()

    def _forget(self, session: Session) -> None:
        session.end()
        self._sessions.pop(session.id, None)
        if self._by_node.get(session.node_id) is session:
            del self._by_node[session.node_id]

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionInvalid("session invalid")
        if session.setbacks != self._store.setbacks and not self._store.failure:
            # What it has reported may have been taken back: it begins anew, and reports everything again.
            self._forget(session)
            raise SessionInvalid("the cluster state was put back to what is on the disk")
        return session

    def _period(self) -> float:
        cluster: Cluster | None = self._store.view(lambda view: view.cluster())
        period = cluster.spec.dispatcher.heartbeat_period if cluster else 5 * SECOND
        return period / SECOND


def _status_writes(view: View, node_id: NodeId, updates: Sequence[StatusUpdate]) -> list[Write]:
    writes: list[Write] = []
    for update in updates:
        task = view.task(update.task_id)
        if task is None or task.node_id != node_id or task.status == update.status:
            continue
        if not may_move(Actor.AGENT, task.status.state, update.status.state) or (
            task.status.state.terminal or task.status.state.order < TaskState.ASSIGNED.order
        ):
            log.debug("stale status ignored", **{"task.id": task.id, "state": update.status.state})
            continue
        writes.append(Write(update=(task.replaced(status=update.status),), why="reported"))
    return writes
