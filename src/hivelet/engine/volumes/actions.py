"""What the API asks of volumes; the containers that mount them are their users."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hivelet.engine.registry import Registry
from hivelet.engine.volumes.local import Volumes
from hivelet.errors import NotFound
from hivelet.kit.trees import tree_size
from hivelet.objects.volume import Volume, VolumeRequest


class VolumeActions:
    """The volume side of the engine."""

    def __init__(self, volumes: Volumes, registry: Registry) -> None:
        self._all_volumes = volumes
        self._mounting = registry

    async def list_volumes(self) -> Sequence[Volume]:
        """All volumes."""
        return self._all_volumes.list()

    async def get_volume(self, name: str) -> Volume:
        """One volume."""
        return self._all_volumes.get(name)

    async def create_volume(self, request: VolumeRequest) -> Volume:
        """The volume of that name, made where it is not there."""
        return await self._all_volumes.ensure(
            request.name, driver=request.driver, options=request.driver_opts, labels=request.labels
        )

    async def remove_volume(self, name: str, *, force: bool) -> None:
        """Remove a volume that no container uses."""
        try:
            await self._all_volumes.remove(name, self._mounting.volume_users(name))
        except NotFound:
            if not force:
                raise

    async def prune_volumes(self, names: Sequence[str]) -> tuple[Sequence[str], int]:
        """Remove those of `names` that no container uses."""
        gone: list[str] = []
        freed = 0
        for name in names:
            if self._mounting.volume_users(name):
                continue
            freed += await volume_size(self._all_volumes.get(name))
            await self._all_volumes.remove(name)
            gone.append(name)
        return gone, freed


async def volume_size(volume: Volume) -> int:
    """Bytes in a volume; 0 where it is a mount, whose contents are not ours (as in Docker)."""
    if volume.options:
        return 0
    return await asyncio.to_thread(tree_size, Path(volume.mountpoint))
