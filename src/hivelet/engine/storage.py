"""A container's files: its root file system from the image's layers, and its volumes.

Made before the container and, for what it wrote, kept until it is removed. A new volume begins as a copy of what the
image has at its place, as in Docker, with owners and modes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from pathlib import Path

from hivelet.engine.mounts import collect_mounts
from hivelet.engine.registry import Record, Registry
from hivelet.engine.volumes import Volumes
from hivelet.errors import NotFound
from hivelet.kit.process import run_command
from hivelet.objects.container import Mount
from hivelet.objects.engine import MountPoint
from hivelet.runtime.images.inroot import InRoot
from hivelet.runtime.images.snapshots import Snapshots
from hivelet.runtime.images.store import ImageStore
from hivelet.runtime.images.users import find_user
from hivelet.runtime.oci_spec import ProcessUser


class Storage:
    """File systems and volumes of this node's containers."""

    def __init__(
        self, images: ImageStore, snapshots: Snapshots, volumes: Volumes, registry: Registry
    ) -> None:
        self._images = images
        self._snapshots = snapshots
        self._volumes = volumes
        self._registry = registry

    async def adopt(self, known: Collection[str]) -> None:
        """Forget the file systems of containers that nobody knows; live mounts stay."""
        await asyncio.to_thread(self._snapshots.adopt, known)

    async def prepare(self, record: Record) -> list[MountPoint]:
        """Mount the root file system and make the volumes; idempotent. The answer is what is mounted where."""
        rootfs = self._snapshots.path(record.id)
        if self._snapshots.prepared(record.id):
            self._snapshots.mount(record.id)  # after a reboot; its image may be gone by now
        else:
            image = await self._images.resolve(record.container.image_id)
            rootfs = self._snapshots.prepare(record.id, self._images.layers_of(image))
        if record.container.mounts:
            return record.container.mounts
        wanted = collect_mounts(record.container.config, record.container.host_config)
        return [await self._mount_point(mount, rootfs) for mount in wanted]

    def rootfs(self, record: Record) -> Path:
        """Where the container's root file system is mounted."""
        return self._snapshots.path(record.id)

    def process_user(self, record: Record) -> ProcessUser:
        """Who the container's first process is, by the image's own passwd and group files.

        Raises:
            InvalidParameter: they know no such user or group.
        """
        container = record.container
        found = find_user(
            self.rootfs(record), container.config.user, container.host_config.group_add
        )
        return ProcessUser(
            uid=found.uid, gid=found.gid, additional_gids=found.additional_gids, home=found.home
        )

    async def _has_image(self, record: Record) -> bool:
        try:
            await self._images.resolve(record.container.image_id)
        except NotFound:
            return False
        return True

    async def image_size(self, record: Record) -> int:
        """Bytes of the image that the container was made from; 0 where it is gone."""
        try:
            return (await self._images.resolve(record.container.image_id)).size
        except NotFound:
            return 0

    def upper(self, record: Record) -> Path:
        """Where what the container wrote is."""
        return self._snapshots.upper(record.id)

    async def release(self, container_id: str) -> None:
        """Unmount; what the container wrote stays."""
        if container_id in self._snapshots.known():
            # The kernel writes the disk's unwritten data before it lets go.
            await asyncio.to_thread(self._snapshots.unmount, container_id)

    async def remove(self, record: Record, *, volumes: bool) -> None:
        """Delete what the container wrote and, with `volumes`, the volumes that were made for it alone."""
        await asyncio.to_thread(self._snapshots.remove, record.id)
        if not await self._has_image(record):
            await (
                self._images.collect_layers()
            )  # it was removed by force, and its layers stayed for us
        if not volumes:
            return
        for mount in record.container.mounts:
            if mount.type != "volume":
                continue
            users = set(self._registry.volume_users(mount.name)) - {record.id}
            try:
                if self._volumes.get(mount.name).anonymous and not users:
                    await self._volumes.remove(mount.name)
            except NotFound:
                continue  # removed by hand before

    async def _mount_point(self, mount: Mount, rootfs: Path) -> MountPoint:
        if mount.type == "tmpfs":
            return MountPoint(type="tmpfs", destination=mount.target, rw=not mount.read_only)
        if mount.type == "bind":
            self._check_bind(mount)
            propagation = mount.bind_options.propagation if mount.bind_options else ""
            return MountPoint(
                type="bind",
                source=mount.source,
                destination=mount.target,
                mode="ro" if mount.read_only else "",
                rw=not mount.read_only,
                propagation=propagation or "rprivate",
            )
        options = mount.volume_options
        driver = options.driver_config if options else None
        volume = self._volumes.ensure(
            mount.source,
            driver=driver.name if driver else "",
            options=driver.options if driver else None,
            labels=options.labels if options else None,
        )
        if not (options and options.no_copy):
            await _copy_up(rootfs, mount.target, Path(volume.mountpoint))
        return MountPoint(
            type="volume",
            name=volume.name,
            source=volume.mountpoint,
            destination=mount.target,
            driver=volume.driver,
            mode="ro" if mount.read_only else "z",
            rw=not mount.read_only,
        )

    def _check_bind(self, mount: Mount) -> None:
        source = Path(mount.source)
        if source.exists():
            return
        if mount.bind_options and mount.bind_options.create_mountpoint:
            source.mkdir(parents=True, exist_ok=True)
            return
        raise NotFound(
            f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
        )


async def _copy_up(rootfs: Path, target: str, volume: Path) -> None:
    """Fill an empty volume with what the image has at `target`, if it has anything."""
    if os.listdir(volume):
        return
    with InRoot(rootfs) as root:
        try:
            source = root.open_directory(target)
        except OSError:
            return  # the image has no such directory: the volume begins empty
    try:
        # Through the descriptor, so that a symlink in the image can't lead out of its root.
        origin = f"/proc/self/fd/{source}"
        if os.listdir(origin):
            await run_command(["cp", "-a", f"{origin}/.", f"{volume}/"], pass_fds=(source,))
        info = os.stat(origin)
        os.chown(volume, info.st_uid, info.st_gid)
        os.chmod(volume, info.st_mode & 0o7777)
    finally:
        os.close(source)
