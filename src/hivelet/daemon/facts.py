"""Reads this node's facts for the metrics, from the parts that know them.

All are as they are at the moment of asking, but for connections: to list those of one sandbox the kernel goes through the sockets of
the whole machine, 4 ms of processor time for each task. So they are read beside the scrape, which waits for that but a second, and no
sooner again than keeps it at a thirtieth of a processor.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import hivelet
from hivelet.engine.engine import Engine
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.metrics.node import NodeFacts
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import TaskId
from hivelet.objects.engine import BackendTraffic

_WAIT = 1.0
"""Seconds that a scrape waits for a reading of connections; then it has the one before."""

_REST = 30.0
"""How many times as long as a reading took is waited until the next."""


class TrafficReader:
    """Reads the connections of tasks, seldom enough."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._supervisor = Supervisor("metrics")
        self._last: Mapping[TaskId, BackendTraffic] = {}
        self._reading: asyncio.Task[None] | None = None
        self._due = -math.inf

    async def read(self, tasks: Collection[TaskId]) -> Mapping[TaskId, BackendTraffic]:
        """The last reading; a new one where it is due and quick."""
        if self._reading is None and self._clock.steady() >= self._due:
            self._reading = self._supervisor.spawn("traffic", self._read(tuple(tasks)))
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_WAIT)
        return self._last

    async def stop(self) -> None:
        """End what is being read."""
        await self._supervisor.stop()

    async def _read(self, tasks: Collection[TaskId]) -> None:
        begun = self._clock.steady()
        try:
            self._last = await self._engine.task_traffic(tasks)
        finally:
            now = self._clock.steady()
            self._due = now + (now - begun) * _REST
            self._reading = None


class NodeReader:
    """Looks at a node once for each scrape."""

    def __init__(
        self, root: Path, runtime: str, engine: Engine, plane: NetworkPlane, clock: Clock
    ) -> None:
        self._root = root
        self._runtime = runtime
        self._engine = engine
        self._plane = plane
        self._traffic = TrafficReader(engine, clock)

    async def stop(self) -> None:
        """End what is being read."""
        await self._traffic.stop()

    async def read(self, tasks: Collection[TaskId]) -> NodeFacts:
        """The facts now, with the traffic of these tasks."""
        containers, images, volumes = await self._engine.census()
        running, failed = self._plane.resolvers()
        disk = os.statvfs(self._root)
        return NodeFacts(
            version=hivelet.__version__,
            runtime=self._runtime,
            containers=containers,
            images=images,
            volumes=volumes,
            networks=len(self._plane.networks()),
            resolvers_running=running,
            resolvers_failed=failed,
            disk=(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize),
            traffic=await self._traffic.read(tasks),
        )
