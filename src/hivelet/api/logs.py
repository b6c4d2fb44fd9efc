"""Logs of services and tasks: the logs of their containers on this node, merged.

Without `follow` the lines of all tasks are merged by their time. With it they come as they are written, and tasks that
start later join in; the tail counts for each task on its own, as in Docker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from hivelet.api.backend.engine import EngineBackend
from hivelet.api.backend.swarm import SwarmBackend
from hivelet.api.streams import FanIn, closing
from hivelet.errors import NotFound
from hivelet.objects.common import ContainerId, ServiceId, TaskId
from hivelet.objects.log import LogOptions, TaskLogRecord
from hivelet.objects.task import Task


async def merge_task_logs(
    engine: EngineBackend, tasks: Sequence[Task], options: LogOptions
) -> AsyncIterator[TaskLogRecord]:
    """What these tasks have written so far, oldest line first."""
    sources = [_task_log(engine, task, options) for task in tasks]
    try:
        heads = [await anext(source, None) for source in sources]
        while waiting := [(e.record.time_ns, i) for i, e in enumerate(heads) if e is not None]:
            _, index = min(waiting)
            entry = heads[index]
            if entry is not None:
                yield entry
            heads[index] = await anext(sources[index], None)
    finally:
        for source in sources:
            async with closing(source):
                pass


async def follow_task(
    engine: EngineBackend, task: Task, options: LogOptions
) -> AsyncIterator[TaskLogRecord]:
    """What one task writes, until its container ends."""
    async with closing(_task_log(engine, task, options)) as source:
        async for entry in source:
            yield entry


async def follow_service(
    swarm: SwarmBackend, engine: EngineBackend, service: ServiceId, options: LogOptions
) -> AsyncIterator[TaskLogRecord]:
    """What all tasks of a service write, those to come included; ends with the reader."""
    async with FanIn[TaskLogRecord]("service logs") as fan:
        fan.run(_watch(swarm, engine, service, options, fan))
        async for entry in fan.items():
            yield entry


async def _watch(
    swarm: SwarmBackend,
    engine: EngineBackend,
    service: ServiceId,
    options: LogOptions,
    fan: FanIn[TaskLogRecord],
) -> None:
    """Add the log of each task that gets a container."""
    known: set[TaskId] = set()
    async with closing(swarm.watch_tasks({service})) as changes:
        async for task in changes:
            if task.id not in known and _container_of(task):
                known.add(task.id)
                fan.add(_task_log(engine, task, options))


async def _task_log(
    engine: EngineBackend, task: Task, options: LogOptions
) -> AsyncIterator[TaskLogRecord]:
    container = _container_of(task)
    if container is None:
        return
    try:
        async with closing(engine.container_logs(container, options)) as records:
            async for record in records:
                yield TaskLogRecord(
                    record=record,
                    node_id=task.node_id,
                    service_id=task.service_id,
                    task_id=task.id,
                    container_id=container,
                )
    except NotFound:
        # The container is gone, or another node's: the log of this task cannot be read here, that of others can.
        return


def _container_of(task: Task) -> ContainerId | None:
    status = task.status.container_status
    return status.container_id if status is not None and status.container_id else None
