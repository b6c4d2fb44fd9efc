"""What a container mounts, seen in its place by whoever copies files while it does not run, and what of it is read-only.

Decides in which mount a path lies; makes mount points as the first start would. Only for a thread with a view of the mounts of
its own: what is bound here ends with the thread.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hivelet.errors import Forbidden
from hivelet.objects.container import HostConfig
from hivelet.objects.engine import MountPoint
from hivelet.runtime.images.inroot import InRoot
from hivelet.runtime.images.mounts import mount_bind, remount_read_only


def bind_in_place(root: Path, point: MountPoint) -> None:
    """Bind a volume, a directory or a file of the host where the container has it; no more than it may do there itself."""
    source = os.open(point.source, os.O_PATH | os.O_CLOEXEC)
    try:
        with InRoot(root) as inside:
            if stat.S_ISDIR(os.fstat(source).st_mode):
                _bind_directory(inside, source, point)
            else:
                _bind_file(inside, source, point)
    except NotADirectoryError:
        return  # a start of this container would fail as well: of its root there is more than of the mount
    finally:
        os.close(source)


def _bind_directory(inside: InRoot, source: int, point: MountPoint) -> None:
    with inside.directory(point.destination, create=True) as place:
        mount_bind(source, Path(f"/proc/self/fd/{place}"))
    if not point.rw:
        with inside.directory(point.destination) as place:
            remount_read_only(Path(f"/proc/self/fd/{place}"))


def _bind_file(inside: InRoot, source: int, point: MountPoint) -> None:
    folder, name = posixpath.split(posixpath.normpath(point.destination))
    with inside.directory(folder, create=True) as directory:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with suppress(FileExistsError):
            os.close(os.open(name, flags, 0o755, dir_fd=directory))
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if stat.S_ISREG(os.fstat(place).st_mode):
            mount_bind(source, Path(f"/proc/self/fd/{place}"))
    finally:
        os.close(place)


def check_writable(path: str, points: Iterable[MountPoint], host: HostConfig) -> None:
    """Refuse to write at a normal, absolute path (of which no part is a link) that the container could not write to itself.

    Raises:
        Forbidden: in Docker's words.
    """
    around = [point for point in points if _is_in(path, posixpath.normpath(point.destination))]
    nearest = max(around, key=lambda point: len(point.destination), default=None)
    if nearest is not None and not nearest.rw:
        raise Forbidden("mounted volume is marked read-only")
    if nearest is None and host.readonly_rootfs:
        raise Forbidden("container rootfs is marked read-only")


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
