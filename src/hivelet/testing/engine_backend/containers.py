"""Containers that do not run: their state is what they were told to be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta

from hivelet.convert.lookup import find
from hivelet.errors import Conflict, NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerCreate, HostConfig
from hivelet.objects.engine import Container, ContainerStats, ExitResult, ProcessTable
from hivelet.objects.log import LogOptions, LogRecord
from hivelet.objects.streams import AttachWish
from hivelet.testing.engine_backend.images import FakeImages
from hivelet.testing.engine_backend.streams import FakeStreams


class FakeContainers(FakeImages):
    """Containers are what a test puts in, and what it creates."""

    async def list_containers(self, *, size: bool = False) -> Sequence[Container]:
        """All containers."""
        return [self._sized(container, size) for container in self.containers.values()]

    async def get_container(self, ref: str, *, size: bool = False) -> Container:
        """One container."""
        try:
            found = find(ref, self.containers.values(), lambda c: (c.id, c.name), noun="container")
        except NotFound as error:
            raise NotFound(f"No such container: {ref}") from error
        return self._sized(found, size)

    async def start_container(self, ref: str) -> bool:
        """True unless it runs."""
        self.calls.append(("start", ref))
        return not (await self.get_container(ref)).state.running

    async def stop_container(self, ref: str, *, timeout: int | None, signal: str = "") -> bool:
        """True where it runs."""
        self.calls.append(("stop", ref, timeout, signal))
        return (await self.get_container(ref)).state.running

    async def restart_container(self, ref: str, *, timeout: int | None, signal: str = "") -> None:
        """Only remembered."""
        self.calls.append(("restart", (await self.get_container(ref)).id, timeout, signal))

    async def kill_container(self, ref: str, signal: str) -> None:
        """Only remembered."""
        self.calls.append(("kill", (await self.get_container(ref)).id, signal))

    async def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Forget it, a running one only by force."""
        container = await self.get_container(ref)
        if container.state.running and not force:
            raise Conflict(f"You cannot remove a running container {container.id}.")
        self.calls.append(("remove", container.id, force, volumes))
        del self.containers[container.id]

    async def remove_link(self, name: str) -> None:
        """Remember it."""
        self.calls.append(("remove_link", name))

    async def wait_container(self, ref: str, condition: str) -> AsyncIterator[ExitResult | None]:
        """What `exits` has for it."""
        container = await self.get_container(ref)
        yield None
        yield self.exits.get(container.id, ExitResult())

    async def container_logs(
        self, ref: str, options: LogOptions
    ) -> AsyncGenerator[LogRecord, None]:
        """What `logs` has for it; a follower then waits for `follow_forever`."""
        container = await self.get_container(ref)
        try:
            for record in self.logs.get(container.id, []):
                yield record
            if options.follow:
                await self.follow_forever.wait()
        finally:
            self.closed_streams += 1

    async def container_log_batches(
        self, ref: str, options: LogOptions
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """The same, one at a time."""
        async with aclosing(self.container_logs(ref, options)) as records:
            async for record in records:
                yield [record]

    async def container_top(self, ref: str, ps_args: str) -> ProcessTable:
        """One process."""
        await self.get_container(ref)
        return ProcessTable(titles=["PID", "CMD"], processes=[["1", ps_args]])

    async def container_stats(self, ref: str, *, stream: bool) -> AsyncIterator[ContainerStats]:
        """Readings a second apart, three at most."""
        await self.get_container(ref)
        for number in range(3 if stream else 1):
            yield ContainerStats(
                read=self.moment + timedelta(seconds=number), cpu_total=number * 10**9
            )

    async def prune_containers(self, refs: Sequence[str]) -> tuple[Sequence[ContainerId], int]:
        """Forget them."""
        gone = [self.containers.pop(ref).id for ref in refs]
        return gone, 0

    async def create_container(
        self, name: str, given: ContainerCreate
    ) -> tuple[ContainerId, list[str]]:
        """Keep it, created."""
        await self.get_image(given.image)
        container = Container(
            id=ContainerId(new_hex_id()),
            name=name or "calm_comb",
            created=self.moment,
            image=given.image,
            host_config=given.host_config,
        )
        self.containers[container.id] = container
        return container.id, []

    async def attach_container(self, ref: str, wish: AttachWish) -> FakeStreams:
        """Streams that say each input again in capitals."""
        container = await self.get_container(ref)
        self.streams = FakeStreams(tty=container.config.tty, takes_input=wish.stdin)
        return self.streams

    async def resize_container(self, ref: str, height: int, width: int) -> None:
        """Only remembered."""
        self.calls.append(("resize", (await self.get_container(ref)).id, height, width))

    async def pause_container(self, ref: str) -> None:
        """Only remembered."""
        self.calls.append(("pause", (await self.get_container(ref)).id))

    async def unpause_container(self, ref: str) -> None:
        """Only remembered."""
        self.calls.append(("unpause", (await self.get_container(ref)).id))

    async def rename_container(self, ref: str, name: str) -> None:
        """Keep the name."""
        container = await self.get_container(ref)
        self.containers[container.id] = container.replaced(name=name)

    async def update_container(
        self, ref: str, given: HostConfig, named: frozenset[str]
    ) -> list[str]:
        """Only remembered."""
        self.calls.append(("update", (await self.get_container(ref)).id, given, named))
        return []

    @staticmethod
    def _sized(container: Container, size: bool) -> Container:
        return container.replaced(size_rw=0, size_root_fs=1000) if size else container
