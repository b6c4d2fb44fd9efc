"""Volumes that are mounts (options `type`, `device` and `o` of the driver `local`): there while a container uses them.

The first user mounts, the last one unmounts. Who uses what is not written down: it follows from the containers that have not
ended, so that a daemon which was killed finds it again. What always holds: nothing is deleted through such a mount.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections import defaultdict
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path

from hivelet.errors import Conflict, System
from hivelet.objects.common import ContainerId
from hivelet.objects.volume import Volume
from hivelet.objects.volume_options import needs_mount
from hivelet.runtime.images.mounts import MountFailed, mount_filesystem, unmount
from hivelet.runtime.mount_options import parse_mount_options
from hivelet.runtime.mountinfo import is_mount_point

_ADDRESS = re.compile(r"(?:^|,)addr=([^,]*)")
_PASSWORD = re.compile(r"\bpassword=[^,\s]*")


class VolumeMounts:
    """Which volumes are mounted, and for whom."""

    def __init__(self) -> None:
        self._users: defaultdict[str, set[ContainerId]] = defaultdict(set)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def adopt(self, volume: Volume, users: Collection[ContainerId]) -> None:
        """Take over a volume of an earlier daemon: these containers have not ended and name it."""
        if not needs_mount(volume.options):
            return
        if users:
            self._users[volume.name] = set(users)
        else:
            await self._unmount(volume)

    async def acquire(self, volume: Volume, user: ContainerId) -> None:
        """Have the volume mounted for this container; idempotent.

        Raises:
            MountFailed: the kernel refused.
            System: the name of its server means no address.
        """
        if not needs_mount(volume.options):
            return
        async with self._locks[volume.name]:
            self._users[volume.name].add(user)
            try:
                if not is_mount_point(Path(volume.mountpoint)):
                    await asyncio.to_thread(_mount, volume)
            except System:
                self._users[volume.name].discard(user)
                raise

    async def release(self, volume: Volume, user: ContainerId) -> None:
        """The container does not need it any more; the last one unmounts it. Idempotent."""
        if not needs_mount(volume.options):
            return
        async with self._locks[volume.name]:
            users = self._users[volume.name]
            users.discard(user)
            if not users:
                await self._unmount(volume)

    async def detach(self, volume: Volume) -> None:
        """Before a volume is deleted: what it mounts must not be.

        Raises:
            Conflict: somebody uses it, or something is mounted there and stays.
        """
        if needs_mount(volume.options):
            async with self._locks[volume.name]:
                if users := self._users[volume.name]:
                    raise Conflict(
                        f"remove {volume.name}: volume is in use - [{', '.join(sorted(users))}]"
                    )
                await self._unmount(volume)
        if is_mount_point(Path(volume.mountpoint)):
            raise Conflict(
                f"remove {volume.name}: something is mounted on {volume.mountpoint}; unmount it first"
            )

    async def _unmount(self, volume: Volume) -> None:
        # In a thread: the kernel may write unwritten data first, or wait for a server.
        await asyncio.to_thread(unmount, Path(volume.mountpoint))


def _mount(volume: Volume) -> None:
    options = volume.options
    kind, device = options.get("type", ""), options.get("device", "")
    text = options.get("o", "")
    if kind in {"nfs", "nfs4", "cifs"}:
        text = with_address(text)
    try:
        mount_filesystem(device, Path(volume.mountpoint), kind, parse_mount_options(text))
    except MountFailed as error:
        told = _PASSWORD.sub("password=********", error.message)
        raise MountFailed(
            f"error while mounting volume '{volume.mountpoint}': failed to mount local volume: {told}"
        ) from None


def with_address(options: str) -> str:
    """Mount options whose `addr=` is an address: the kernel knows no names.

    Raises:
        System: the name means no address.
    """
    match = _ADDRESS.search(options)
    if match is None:
        return options
    name = match[1]
    try:
        ip_address(name)
    except ValueError:
        try:
            address = str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            raise System(
                f"error resolving passed in network volume address {name}: {error}"
            ) from error
        return options[: match.start(1)] + address + options[match.end(1) :]
    return options
