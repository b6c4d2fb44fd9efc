"""One session: register, then hear assignments, deliver statuses and send heartbeats until one of them fails."""

from __future__ import annotations

import asyncio

import structlog

from hivelet.agent.diff import Changes, Told
from hivelet.agent.exec.controller import Executor
from hivelet.agent.reporter import Reporter
from hivelet.agent.session import Dispatcher, SessionLost
from hivelet.agent.worker import Worker
from hivelet.errors import HiveletError
from hivelet.kit.backoff import Backoff
from hivelet.kit.clock import Clock
from hivelet.kit.pulse import Pulse
from hivelet.objects.common import NodeId

log = structlog.get_logger(__name__)

_RETRY = Backoff(first=0.1, ceiling=8.0, jitter=0.0)

_PATIENCE = 60.0
"""Seconds that one step of a session may take beyond its time before it counts as hanging."""


class SessionLoop:
    """Keeps a session, for ever. What was told survives the session; what is told next is held against it."""

    def __init__(
        self,
        node_id: NodeId,
        dispatcher: Dispatcher,
        executor: Executor,
        worker: Worker,
        reporter: Reporter,
        clock: Clock,
    ) -> None:
        self._node_id = node_id
        self._dispatcher = dispatcher
        self._executor = executor
        self._worker = worker
        self._reporter = reporter
        self._clock = clock
        self._told = Told()
        self._first = asyncio.Event()
        self._networks_behind = asyncio.Event()
        self._attempt = 0
        self._due = 0.0
        self.pulse = Pulse(lambda: self._clock.steady() > self._due)

    async def run(self) -> None:
        """Session after session."""
        while True:
            self._turn(0.0)
            try:
                await self._session()
            except* HiveletError as group:
                log.warning("session lost", error=_first_message(group))
            self._attempt += 1
            self._turn(_RETRY.delay(self._attempt))
            await self._clock.sleep(_RETRY.delay(self._attempt))

    def _turn(self, rest: float) -> None:
        self._due = self._clock.steady() + rest + _PATIENCE
        self.pulse.turn()

    async def keep_networks(self) -> None:
        """Bring the data plane up to date again and again where that failed."""
        while True:
            await self._networks_behind.wait()
            await self._clock.sleep(_RETRY.ceiling / 8)
            self._networks_behind.clear()
            await self._configure_networks()

    async def _session(self) -> None:
        description = await self._executor.describe()
        info = await self._dispatcher.register(self._node_id, description)
        self._attempt = 0
        # The manager may have lost what it was told in the session before.
        self._worker.report_all()
        session = info.session_id
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(session))
            group.create_task(self._beat(session, info.period))
            group.create_task(self._tell(session))

    async def _beat(self, session_id: str, period: float) -> None:
        while True:
            self._turn(period)
            await self._clock.sleep(period)
            period = await self._dispatcher.heartbeat(session_id)

    async def _tell(self, session_id: str) -> None:
        """Deliver statuses; the first ones once all that an earlier daemon left has been looked at.

        After a cold start every task is found dead. Told one by one, the first would be replaced while the store still
        takes the others for running, and what its service depends on with them.
        """
        await self._first.wait()
        await self._worker.wait_adopted()
        await self._reporter.deliver(
            lambda updates: self._dispatcher.update_task_status(session_id, updates)
        )

    async def _hear(self, session_id: str) -> None:
        async for message in self._dispatcher.assignments(session_id):
            await self._obey(self._told.apply(message))
            self._first.set()
        raise SessionLost("the manager ended the session")

    async def _obey(self, changes: Changes) -> None:
        if changes.node is not None:
            await self._executor.configure(changes.node)
        if changes.dependencies:
            await self._executor.configure_dependencies(self._told.secrets, self._told.configs)
        if changes.networks:
            await self._configure_networks()
        self._worker.dismiss(changes.dismissed)
        self._worker.assign(changes.tasks)

    async def _configure_networks(self) -> None:
        try:
            await self._executor.configure_networks(self._told.networks, self._told.services)
        except HiveletError as error:
            # Tasks that need what is missing will say so themselves; the others must not wait for it.
            log.warning("networks are not as they should be", error=error.message)
            self._networks_behind.set()

    async def settle(self) -> None:
        """Once, after the first message: adopt what is ours, and clear away what is nobody's."""
        await self._first.wait()
        await self._worker.wait_adopted()
        await self._executor.resume()
        for task_id in await self._executor.known_tasks():
            if task_id not in self._worker.tasks:
                log.info("unknown task discarded", **{"task.id": task_id})
                await self._executor.discard(task_id)


def _first_message(group: BaseExceptionGroup[HiveletError]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.message if isinstance(error, HiveletError) else str(error)
