"""What the API asks of containers: looked up in the registry, done by the lifecycle, read from their logs and cgroups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.log_keeper import policy_of
from hivelet.engine.readings.processes import read_processes
from hivelet.engine.readings.stats import read_stats
from hivelet.engine.registry import Record, Registry
from hivelet.engine.storage import Storage
from hivelet.errors import Conflict, InvalidParameter, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.trees import tree_size
from hivelet.objects.common import ContainerId, TaskId
from hivelet.objects.engine import Container, ContainerStats, ExitResult, ProcessTable
from hivelet.objects.log import LogOptions, LogRecord
from hivelet.runtime.logs import read_log_batches

BeforeStop = Callable[[TaskId], Awaitable[None]]
"""Lets a task's connections end before its container is stopped by hand, or removed by force."""

_CONDITIONS = ("", "not-running", "next-exit", "removed")


class ContainerActions:
    """The container side of the engine."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        registry: Registry,
        storage: Storage,
        clock: Clock,
        execs_of: Callable[[ContainerId], list[str]],
    ) -> None:
        self._execs_of = execs_of
        self._lifecycle = lifecycle
        self._records = registry
        self._files = storage
        self._time = clock
        self.before_stop: BeforeStop = _nothing

    async def list_containers(self, *, size: bool = False) -> Sequence[Container]:
        """All containers, oldest first. One whose image has lost its name, or given it to another, shows the image's id."""
        named: dict[str, str] = {}
        shown = []
        for record in self._records.all():
            if record.removing:
                continue
            container = await self._shown(record, size=size)
            name = container.image
            if name not in named:
                named[name] = await self._files.image_named(name)
            # A digest names the same image for ever.
            if "@" not in name and named[name] != container.image_id:
                container = container.replaced(image=container.image_id or name)
            shown.append(container)
        return shown

    async def get_container(self, ref: str, *, size: bool = False) -> Container:
        """One container."""
        record = self._records.find(ref)
        shown = await self._shown(record, size=size)
        return shown.replaced(directories=self._files.directories(record))

    async def start_container(self, ref: str) -> bool:
        """Start it; False where it was running already."""
        return await self._lifecycle.start(self._records.find(ref).id)

    async def stop_container(self, ref: str, *, timeout: int | None, signal: str = "") -> bool:
        """Stop it; False if it was not running."""
        record = self._records.find(ref)
        seconds = timeout if timeout is not None else record.container.config.stop_timeout
        grace = 10.0 if seconds is None else None if seconds < 0 else float(seconds)
        await self._let_leave(record)
        return await self._lifecycle.stop(record.id, grace=grace, signal=signal)

    async def restart_container(self, ref: str, *, timeout: int | None, signal: str = "") -> None:
        """Stop and start it. A task's container is not restarted: its service replaces it."""
        record = self._records.find(ref)
        await self.stop_container(record.id, timeout=timeout, signal=signal)
        if not record.task_id:
            await self._lifecycle.start(record.id)
            self._lifecycle.publish(record, "restart")

    async def kill_container(self, ref: str, signal: str) -> None:
        """Send its first process a signal."""
        try:
            record = self._records.find(ref)
            await self._lifecycle.kill(record.id, signal)
        except (NotFound, Conflict) as error:
            raise type(error)(f"Cannot kill container: {ref}: {error.message}") from None

    async def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Remove it."""
        record = self._records.find(ref)
        if force:
            await self._let_leave(record)
        await self._lifecycle.remove(record.id, force=force, volumes=volumes)

    async def wait_container(self, ref: str, condition: str) -> AsyncIterator[ExitResult | None]:
        """None once the wait is in place, then how it ended."""
        if condition not in _CONDITIONS:
            raise InvalidParameter(
                f'invalid condition: "{condition}"; it is one of {", ".join(_CONDITIONS[1:])}'
            )
        record = self._records.find(ref)
        if condition in ("", "not-running") and not record.container.state.running:
            await self._lifecycle.settled(record.id)
            yield None
            yield ExitResult(status_code=record.container.state.exit_code)
            return
        ending = asyncio.ensure_future(self._lifecycle.next_end(record.id))
        try:
            yield None
            state = await ending
            if condition == "removed":
                await self._lifecycle.removed(record.id)
            yield ExitResult(status_code=state.exit_code)
        finally:
            ending.cancel()

    async def container_logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogRecord]:
        """Its log; with `follow`, on until it is stopped."""
        async with aclosing(self.container_log_batches(ref, options)) as batches:
            async for batch in batches:
                for entry in batch:
                    yield entry

    async def container_log_batches(
        self, ref: str, options: LogOptions
    ) -> AsyncGenerator[Sequence[LogRecord], None]:
        """The same, as many records at a time as there are."""
        record = self._records.find(ref)
        path = Path(record.container.log_path)
        follow = (
            self._lifecycle.next_end(record.id)
            if options.follow and record.container.state.running
            else None
        )
        files = policy_of(record.container).files
        reading = read_log_batches(path, options, files=files, until_end=follow)
        async with aclosing(reading) as batches:
            async for batch in batches:
                yield batch

    async def container_top(self, ref: str, ps_args: str) -> ProcessTable:
        """Its processes."""
        record = self._running(ref)
        table = await read_processes(self._lifecycle.processes(record.id), ps_args)
        self._lifecycle.publish(record, "top")
        return table

    async def container_stats(self, ref: str, *, stream: bool) -> AsyncIterator[ContainerStats]:
        """Its counters: once, or every second."""
        record = self._records.find(ref)
        while True:
            record = self._records.find(record.id)
            yield read_stats(
                self._lifecycle.cgroups(record.id), record.container.state.pid, self._time.now()
            )
            if not stream:
                return
            await self._time.sleep(1)

    async def prune_containers(self, refs: Sequence[str]) -> tuple[Sequence[ContainerId], int]:
        """Remove those of `refs` that do not run."""
        gone: list[ContainerId] = []
        freed = 0
        for ref in refs:
            record = self._records.find(ref)
            if record.container.state.running or record.task_id:
                continue
            freed += await asyncio.to_thread(tree_size, self._files.upper(record))
            await self._lifecycle.remove(record.id, force=False, volumes=False)
            gone.append(record.id)
        return gone, freed

    async def _let_leave(self, record: Record) -> None:
        if record.task_id and record.container.state.running:
            await self.before_stop(record.task_id)

    def _running(self, ref: str) -> Record:
        record = self._records.find(ref)
        if not record.container.state.running:
            raise Conflict(f"Container {record.id} is not running")
        return record

    async def _shown(self, record: Record, *, size: bool) -> Container:
        container = record.container.replaced(exec_ids=self._execs_of(record.id))
        if not size:
            return container
        written = await asyncio.to_thread(tree_size, self._files.upper(record))
        image = await self._files.image_size(record)
        return container.replaced(size_rw=written, size_root_fs=image + written)


async def _nothing(_: TaskId) -> None:
    """Outside of a swarm nobody's connections are waited for."""
