"""The Agent: puts session, worker and reporter together, starts and stops them."""

from __future__ import annotations

from hivelet.agent.exec.controller import Executor
from hivelet.agent.loop import SessionLoop
from hivelet.agent.reporter import Reporter
from hivelet.agent.session import Dispatcher
from hivelet.agent.worker import Worker
from hivelet.kit.clock import Clock
from hivelet.kit.pulse import Pulse
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import NodeId


class Agent:
    """This node's side of the swarm. `start` once, `stop` once; `stop` leaves all containers running."""

    def __init__(
        self, executor: Executor, dispatcher: Dispatcher, node_id: NodeId, clock: Clock
    ) -> None:
        self._supervisor = Supervisor("agent")
        reporter = Reporter()
        self._worker = Worker(executor, reporter, clock, self._supervisor)
        self._loop = SessionLoop(node_id, dispatcher, executor, self._worker, reporter, clock)

    @property
    def pulse(self) -> Pulse:
        """That of the session."""
        return self._loop.pulse

    async def start(self) -> None:
        """Begin; returns at once."""
        self._supervisor.keep("session", self._loop.run)
        self._supervisor.keep("networks", self._loop.keep_networks)
        self._supervisor.spawn("settle", self._loop.settle())

    async def stop(self) -> None:
        """End, and let go of all tasks without touching their containers."""
        await self._supervisor.stop()
        await self._worker.close()
