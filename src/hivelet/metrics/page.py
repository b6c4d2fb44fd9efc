"""The page that Prometheus scrapes: gathers the facts once, and writes them as text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

import prometheus_client
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hivelet.metrics.node import NodeFacts, node_families
from hivelet.metrics.swarm import swarm_families
from hivelet.metrics.tasks import TaskMeter
from hivelet.objects.common import TaskId
from hivelet.objects.task import Task
from hivelet.store import Store
from hivelet.store.view import View

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Facts = Callable[[Collection[TaskId]], Awaitable[NodeFacts]]
"""Reads a node's facts, with the traffic of these tasks."""


class Measured(Protocol):
    """A part that has instruments or makes families of its own."""

    def families(self) -> Iterator[Metric]:
        """What it tells."""
        ...


class _Gathered:
    """What `generate_latest` asks for: something whose `collect` gives families."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


class MetricsPage:
    """Everything that there is to tell. Who asks while it is read waits, and then gets a reading of its own."""

    def __init__(self, store: Store, facts: Facts, parts: Sequence[Measured]) -> None:
        # When a series began is of use to few, and would be a third of the page.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._store = store
        self._facts = facts
        self.tasks = TaskMeter(store)
        self._parts = (*parts, self.tasks)
        self._process: Collector = prometheus_client.ProcessCollector(registry=None)
        self._reading = asyncio.Lock()

    async def render(self) -> bytes:
        """The page as it is now."""
        async with self._reading:
            return await self._render()

    async def _render(self) -> bytes:
        here = self._store.view(_with_container)
        facts = await self._facts([task.id for task in here.values()])
        families = [
            *node_families(facts, here.values()),
            *self._store.view(lambda view: list(swarm_families(view))),
            *(family for part in self._parts for family in part.families()),
            *self._process.collect(),
        ]
        # Text of thousands of lines takes long enough to be felt by whoever else waits for the loop.
        return await asyncio.to_thread(generate_latest, _Gathered(families))


def _with_container(view: View) -> Mapping[TaskId, Task]:
    return {
        task.id: task
        for task in view.all(Task)
        if task.status.container_status is not None and not task.status.state.terminal
    }
