"""Reads this node's facts for the metrics, from the parts that know them."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import hivelet
from hivelet.engine.engine import Engine
from hivelet.metrics.node import NodeFacts
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import TaskId


class NodeReader:
    """Looks at a node once for each scrape."""

    def __init__(self, root: Path, runtime: str, engine: Engine, plane: NetworkPlane) -> None:
        self._root = root
        self._runtime = runtime
        self._engine = engine
        self._plane = plane

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
            traffic=await self._engine.task_traffic(tasks),
        )
