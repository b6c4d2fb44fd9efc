"""Parts of volumes that containers mount (`volume-subpath`): each bound to a place of ours, and mounted from there.

A container that writes to the volume may put a symbolic link in the way at any moment, and the OCI runtime would follow it
out to the host. So the part is opened beneath its volume by the kernel and bound by that descriptor; what the runtime then
mounts can't be exchanged any more. What always holds: directories here are only ever unmounted and removed empty, for
what is mounted on them is a user's.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

from hivelet.errors import HiveletError, InvalidParameter, NotFound, System
from hivelet.objects.common import ContainerId
from hivelet.runtime.beneath import open_beneath
from hivelet.runtime.images.mounts import mount_bind, unmount


class Subpaths:
    """The bound parts of volumes of this node's containers."""

    def __init__(self, run: Path) -> None:
        self._home = run / "subpaths"

    def adopt(self, in_use: Collection[ContainerId]) -> None:
        """Undo what an earlier daemon has left of containers that have ended."""
        if self._home.exists():
            for directory in self._home.iterdir():
                if directory.name not in in_use:
                    self.release(ContainerId(directory.name))

    def place(self, container_id: ContainerId, target: str) -> Path:
        """Where the part is bound that the container mounts at `target`."""
        return self._home / container_id / hashlib.sha256(target.encode()).hexdigest()[:16]

    def bind(self, container_id: ContainerId, target: str, volume: Path, subpath: str) -> None:
        """Bind a part of a volume anew.

        Raises:
            NotFound: the volume has no such part.
            InvalidParameter: it leads out of the volume.
        """
        place = self.place(container_id, target)
        _clear(place)
        try:
            descriptor = open_beneath(volume, subpath)
        except OSError as error:
            raise _refusal(error, volume, subpath) from error
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                place.mkdir(mode=0o700)
            else:
                place.touch(mode=0o600)
            mount_bind(descriptor, place)
        finally:
            os.close(descriptor)

    def release(self, container_id: ContainerId) -> None:
        """Let go of a container's parts; idempotent."""
        directory = self._home / container_id
        if directory.exists():
            for place in directory.iterdir():
                _clear(place)
            directory.rmdir()


def _clear(place: Path) -> None:
    while unmount(place):
        pass
    if place.is_dir():
        place.rmdir()
    else:
        place.unlink(missing_ok=True)


def _refusal(error: OSError, volume: Path, subpath: str) -> HiveletError:
    if error.errno == errno.EXDEV:
        return InvalidParameter(
            f'path concatenation escapes the base directory, base: "{volume}", sub: "{subpath}"'
        )
    reason = os.strerror(error.errno or 0)
    said = f"cannot access path {volume}/{subpath}: {reason[:1].lower()}{reason[1:]}"
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return NotFound(said)
    return System(said)
