"""The `/dev/shm` of containers that lend their IPC namespace to others (`--ipc shareable`).

It is mounted on the host, below the daemon's run directory, before its container starts, so that those who join can have the very
same one; a container that shares with nobody has one that only it can see. What always holds: it is there as long as its
container runs, and goes with it; who has joined keeps what it has mounted.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hivelet.engine.networks.place import lending
from hivelet.engine.registry import Record, Registry
from hivelet.kit.files import ensure_private
from hivelet.objects.common import ContainerId
from hivelet.objects.container import HostConfig
from hivelet.runtime.images.mounts import is_mounted, mount_filesystem, unmount
from hivelet.runtime.mount_options import MS_NODEV, MS_NOEXEC, MS_NOSUID, MountOptions
from hivelet.runtime.mounts import SHM_SIZE

SHAREABLE = "shareable"
_CONTAINER = "container:"
_FLAGS = MS_NOSUID | MS_NOEXEC | MS_NODEV


class SharedMemory:
    """The mounts, one for each container that lends."""

    def __init__(self, run: Path) -> None:
        self._home = run / "shm"

    def path(self, container_id: str) -> Path:
        """Where a container's is mounted."""
        return self._home / container_id

    def adopt(self, in_use: Collection[str]) -> None:
        """Undo what an earlier daemon has left of containers that have ended."""
        if self._home.exists():
            for place in self._home.iterdir():
                if place.name not in in_use:
                    self.release(place.name)

    def ensure(self, container_id: ContainerId, host: HostConfig) -> None:
        """Mount it, where it is not mounted yet."""
        place = self.path(container_id)
        if is_mounted(place):
            return
        ensure_private(self._home)
        place.mkdir(exist_ok=True)
        data = f"mode=1777,size={host.shm_size or SHM_SIZE}"
        mount_filesystem("shm", place, "tmpfs", MountOptions(flags=_FLAGS, data=data))

    def release(self, container_id: str) -> None:
        """Let go of it; idempotent."""
        place = self.path(container_id)
        if place.exists():
            unmount(place)
            place.rmdir()


def lender_of_memory(record: Record, registry: Registry) -> ContainerId | None:
    """Whose shared memory a container sees: its own where it lends it, another's where it joins; None where nobody's.

    Raises:
        NotFound: there is no such container.
        Conflict: it does not run, or does not lend.
    """
    mode = record.container.host_config.ipc_mode
    while mode.startswith(_CONTAINER):
        record = lending(mode, registry, "ipc")
        mode = record.container.host_config.ipc_mode
    return record.id if mode == SHAREABLE else None
