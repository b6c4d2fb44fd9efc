"""The fake engine as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from hivelet.errors import NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.objects.engine import DiskUsage, EngineInfo, EngineVersion
from hivelet.objects.event import Event
from hivelet.objects.volume import Volume, VolumeRequest
from hivelet.testing.engine_backend.execs import FakeExecs
from hivelet.testing.engine_backend.files import FakeFiles
from hivelet.testing.engine_backend.networks import FakeNetworks


class FakeEngine(FakeFiles, FakeExecs, FakeNetworks):
    """An `EngineBackend` in memory."""

    async def list_volumes(self) -> Sequence[Volume]:
        """All volumes."""
        return list(self.volumes.values())

    async def get_volume(self, name: str) -> Volume:
        """One volume."""
        if name not in self.volumes:
            raise NotFound(f"get {name}: no such volume")
        return self.volumes[name]

    async def create_volume(self, request: VolumeRequest) -> Volume:
        """Keep a volume."""
        name = request.name or new_hex_id()
        volume = Volume(
            name=name, created_at=self.moment, labels=request.labels, anonymous=not request.name
        )
        return self.volumes.setdefault(name, volume)

    async def remove_volume(self, name: str, *, force: bool) -> None:
        """Forget it."""
        if name in self.volumes or not force:
            del self.volumes[(await self.get_volume(name)).name]

    async def prune_volumes(self, names: Sequence[str]) -> tuple[Sequence[str], int]:
        """Forget them."""
        for name in names:
            del self.volumes[name]
        return names, 0

    async def version(self) -> EngineVersion:
        """A fixed one."""
        return EngineVersion(version="0.1.0", kernel_version="6.1", components={"runc": "1.1.5"})

    async def info(self) -> EngineInfo:
        """A fixed one with true counts."""
        running = sum(container.state.running for container in self.containers.values())
        return EngineInfo(
            id="fake",
            name="node-1",
            server_version="0.1.0",
            containers=len(self.containers),
            containers_running=running,
            containers_stopped=len(self.containers) - running,
            images=len(self.images),
            cpus=2,
            memory_total=1 << 30,
        )

    async def disk_usage(self) -> DiskUsage:
        """Everything, without sizes."""
        return DiskUsage(
            images=list(self.images.values()),
            containers=list(self.containers.values()),
            volumes=list(self.volumes.values()),
        )

    def note_prune(self, kind: str, reclaimed: int) -> None:
        """Only remembered."""
        self.calls.append(("prune", kind, reclaimed))

    async def engine_events(
        self, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Event]:
        """The history, then silence until the reader leaves (at once, if `until` was given)."""
        self.opened_streams += 1
        try:
            for event in self.history:
                if since is not None and event.at >= since and (until is None or event.at <= until):
                    yield event
            if until is None:
                await asyncio.Event().wait()
        finally:
            self.closed_streams += 1
