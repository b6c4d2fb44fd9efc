"""What this machine is short of, as `docker info` warns of it: room where things are kept, files that may be open."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_LITTLE_ROOM = 16 * _MIB
_FEW_INODES = 64
_MANY = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A directory's file system. `inodes` is None where it has no fixed number of them."""

    path: str
    bytes_free: int
    inodes: int | None
    read_only: bool


def describe_shortages(rooms: Iterable[Room], open_files: int, limit: int) -> Iterator[str]:
    """A sentence for each shortage, with the way out."""
    for room in rooms:
        if room.read_only:
            yield f"{room.path} is on a read-only file system: nothing can be changed until it is remounted."
        elif room.bytes_free < _LITTLE_ROOM:
            yield (
                f"{room.path} has {room.bytes_free // _MIB} MiB left: make space (docker system df shows what takes it)."
            )
        elif room.inodes is not None and room.inodes < _FEW_INODES:
            yield f"{room.path} has {room.inodes} inodes left: remove what has many small files."
    if limit > 0 and open_files > limit * _MANY:
        yield (
            f"hiveletd has {open_files} of {limit} files open: requests will be kept waiting; raise LimitNOFILE=."
        )


def read_shortages(*directories: Path) -> list[str]:
    """Those of this process, and of the file systems of these directories."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    rooms = [_room(path) for path in directories]
    return list(describe_shortages(rooms, open_files_now(), soft))


def _room(path: Path) -> Room:
    found = os.statvfs(path)
    return Room(
        path=str(path),
        bytes_free=found.f_bavail * found.f_frsize,
        inodes=found.f_favail if found.f_files else None,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def open_files_now() -> int:
    """How many descriptors this process has."""
    # Where no descriptor is left, not even this can be looked at.
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
