"""A container's files: its root file system from the image's layers, and its volumes.

Made before the container and, for what it wrote, kept until it is removed. A new volume begins as a copy of what the
image has at its place, as in Docker, with owners and modes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from pathlib import Path

from hivelet.engine.create import mounts_of
from hivelet.engine.plain.shared_memory import SHAREABLE, SharedMemory, lender_of_memory
from hivelet.engine.registry import Record, Registry
from hivelet.engine.volumes.binds import prepare_bind
from hivelet.engine.volumes.local import Volumes
from hivelet.engine.volumes.subpaths import Subpaths
from hivelet.engine.volumes.views import bind_in_place
from hivelet.errors import InvalidParameter, NotFound, System
from hivelet.kit.ids import new_hex_id
from hivelet.kit.process import run_command
from hivelet.objects.common import ContainerId
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
        self,
        images: ImageStore,
        snapshots: Snapshots,
        volumes: Volumes,
        registry: Registry,
        subpaths: Subpaths,
        memory: SharedMemory,
    ) -> None:
        self._images = images
        self._snapshots = snapshots
        self._volumes = volumes
        self._registry = registry
        self._subpaths = subpaths
        self._memory = memory

    async def adopt(self, known: Collection[str]) -> None:
        """Forget the file systems of containers that nobody knows; live mounts stay."""
        await asyncio.to_thread(self._snapshots.adopt, known)
        in_use = {r.id: r for r in self._registry.all() if _is_prepared(r)}
        self._subpaths.adopt(in_use)
        self._memory.adopt(in_use)
        for volume in self._volumes.list():
            users = [r.id for r in in_use.values() if _names_volume(r, volume.name)]
            await self._volumes.mounts.adopt(volume, users)

    def plan(self, record: Record) -> list[MountPoint]:
        """What will be mounted where; anonymous volumes get their names, so that the record has them before they exist.

        Raises:
            InvalidParameter: the request names what can't be mounted.
        """
        if record.container.mounts:
            return record.container.mounts
        wanted = mounts_of(record)
        return [self._mount_point(mount) for mount in wanted]

    async def prepare(self, record: Record) -> None:
        """Mount the root file system and what the record plans; idempotent."""
        rootfs = self._snapshots.path(record.id)
        if self._snapshots.prepared(record.id):
            self._snapshots.mount(record.id)  # after a reboot; its image may be gone by now
        else:
            image = await self._images.resolve(record.container.image_id)
            rootfs = self._snapshots.prepare(record.id, self._images.layers_of(image))
        if record.container.host_config.ipc_mode == SHAREABLE:
            self._memory.ensure(record.id, record.container.host_config)
        names = {point.destination: point.name for point in record.container.mounts}
        for mount in mounts_of(record):
            if mount.type == "bind":
                prepare_bind(mount)
            elif mount.type == "volume":
                await self._prepare_volume(record, mount, names[mount.target], rootfs)

    def mounted(self, record: Record, *, volumes: bool = False) -> Path:
        """The root file system, mounted if it is not: for a thread with a view of the mounts of its own.

        With `volumes`, what the container mounts is bound in its place as well.
        """
        root = self._snapshots.mount(record.id)
        for point in record.container.mounts if volumes else ():
            if point.type != "tmpfs" and Path(point.source).exists():
                bind_in_place(root, point)
        return root

    def layers(self, record: Record) -> tuple[Path, tuple[Path, ...]]:
        """What the container wrote, and the layers below it, the top one first."""
        return self._snapshots.upper(record.id), tuple(self._snapshots.lower(record.id))

    def directories(self, record: Record) -> dict[str, str]:
        """Where its file system lies on the host, as overlayfs names the parts."""
        if not self._snapshots.prepared(record.id):
            return {}
        upper = self._snapshots.upper(record.id)
        return {
            "LowerDir": ":".join(map(str, self._snapshots.lower(record.id))),
            "MergedDir": str(self._snapshots.path(record.id)),
            "UpperDir": str(upper),
            "WorkDir": str(upper.with_name("work")),
        }

    def rootfs(self, record: Record) -> Path:
        """Where the container's root file system is mounted."""
        return self._snapshots.path(record.id)

    def process_user(self, record: Record) -> ProcessUser:
        """Who the container's first process is, by the image's own passwd and group files.

        Raises:
            InvalidParameter: they know no such user or group.
        """
        return self.find_user(record, record.container.config.user)

    def find_user(self, record: Record, user: str) -> ProcessUser:
        """Who `user` is in the container, with the groups that it adds.

        Raises:
            InvalidParameter: its files know no such user or group.
        """
        found = find_user(self.rootfs(record), user, record.container.host_config.group_add)
        return ProcessUser(
            uid=found.uid, gid=found.gid, additional_gids=found.additional_gids, home=found.home
        )

    async def _has_image(self, record: Record) -> bool:
        try:
            await self._images.resolve(record.container.image_id)
        except NotFound:
            return False
        return True

    async def image_named(self, name: str) -> str:
        """The id of the image that a name means by now; empty where it means none."""
        try:
            return (await self._images.resolve(name)).id
        except (NotFound, InvalidParameter):
            return ""

    async def image_size(self, record: Record) -> int:
        """Bytes of the image that the container was made from; 0 where it is gone."""
        try:
            return (await self._images.resolve(record.container.image_id)).size
        except NotFound:
            return 0

    def upper(self, record: Record) -> Path:
        """Where what the container wrote is."""
        return self._snapshots.upper(record.id)

    def subpaths(self, record: Record) -> dict[str, str]:
        """Where the parts of volumes are bound that the container mounts, by its own path."""
        wanted = mounts_of(record)
        parts = [mount.target for mount in wanted if _subpath(mount)]
        return {target: str(self._subpaths.place(record.id, target)) for target in parts}

    def shared_memory(self, record: Record) -> str:
        """Where on the host the `/dev/shm` lies that the container shares with others; empty where it has its own.

        Raises:
            NotFound: whose it is to share is not there.
            Conflict: it does not run, or does not lend it.
        """
        lender = lender_of_memory(record, self._registry)
        return str(self._memory.path(lender)) if lender is not None else ""

    def sources(self, record: Record) -> dict[str, str]:
        """Where on the host what the container mounts lies, by its own path."""
        sources = {m.destination: m.source for m in record.container.mounts if m.source}
        return sources | self.subpaths(record)

    async def release(self, container_id: ContainerId) -> None:
        """Unmount; what the container wrote stays."""
        if container_id in self._snapshots.known():
            # The kernel writes the disk's unwritten data before it lets go.
            await asyncio.to_thread(self._snapshots.unmount, container_id)
        self._subpaths.release(container_id)
        self._memory.release(container_id)
        record = self._registry.get(container_id)
        for mount in record.container.mounts if record is not None else ():
            if mount.type == "volume" and (volume := self._volumes.find(mount.name)) is not None:
                await self._volumes.mounts.release(volume, container_id)

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

    def _mount_point(self, mount: Mount) -> MountPoint:
        point = MountPoint(type=mount.type, destination=mount.target, rw=not mount.read_only)
        if mount.type == "tmpfs":
            return point
        if mount.type == "bind":
            propagation = mount.bind_options.propagation if mount.bind_options else ""
            return point.replaced(
                source=mount.source,
                mode="ro" if mount.read_only else "",
                propagation=propagation or "rprivate",
            )
        name = mount.source or new_hex_id()
        return point.replaced(
            name=name,
            source=str(self._volumes.path(name)),
            driver="local",
            mode="ro" if mount.read_only else "z",
        )

    async def _prepare_volume(self, record: Record, mount: Mount, name: str, rootfs: Path) -> None:
        options = mount.volume_options
        driver = options.driver_config if options else None
        volume = await self._volumes.ensure(
            name,
            driver=driver.name if driver else "",
            options=driver.options if driver else None,
            labels=options.labels if options else None,
            anonymous=not mount.source,
        )
        await self._volumes.mounts.acquire(volume, record.id)
        data, subpath = Path(volume.mountpoint), _subpath(mount)
        if subpath:
            self._subpaths.bind(record.id, mount.target, data, subpath)
        elif not (options and options.no_copy) and record.container.state.status == "created":
            await _copy_up(rootfs, mount.target, data)


def _is_prepared(record: Record) -> bool:
    """Whether a container has, or may have, what it needs in order to run."""
    return not record.removing and record.container.state.status != "exited"


def _names_volume(record: Record, name: str) -> bool:
    return any(m.type == "volume" and m.name == name for m in record.container.mounts)


def _subpath(mount: Mount) -> str:
    options = mount.volume_options
    return options.subpath if mount.type == "volume" and options else ""


async def _copy_up(rootfs: Path, target: str, volume: Path) -> None:
    """Fill an empty volume with what the image has at `target`, if it has anything."""
    try:
        await _copy_if_empty(rootfs, target, volume)
    except OSError as error:
        # A mount of the user's may be read-only, or belong to a server that gives nothing away.
        raise System(f"the image's files could not be copied to the volume: {error}") from error


async def _copy_if_empty(rootfs: Path, target: str, volume: Path) -> None:
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
