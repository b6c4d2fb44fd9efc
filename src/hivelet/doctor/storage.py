"""Disk space and inodes where hivelet keeps its things. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hivelet.doctor.finding import Finding, Level

_MIB = 1 << 20
_LITTLE, _VERY_LITTLE = 0.10, 0.02
_BYTES_NEEDED = {"root": 200 * _MIB, "run": 10 * _MIB}


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A directory's file system: `purpose` "root" (kept) or "run" (gone at a reboot)."""

    purpose: str
    path: str
    bytes_free: int
    bytes_total: int
    inodes_free: int
    inodes_total: int
    """0 where the file system has no fixed number of them (btrfs)."""


def check_storage(volumes: Iterable[Volume]) -> Iterator[Finding]:
    """Space and inodes of each."""
    for volume in volumes:
        needed = _BYTES_NEEDED.get(volume.purpose, 0)
        space = _level(volume.bytes_free, volume.bytes_total)
        if volume.bytes_free < needed:
            space = "serious"
        yield Finding(
            name=f"disk-{volume.purpose}",
            seen=f"{volume.path}: {_size(volume.bytes_free)} of {_size(volume.bytes_total)} are free",
            level=space,
            meaning="when it is full, nothing can be written: no state, no log, no container",
            way_out="docker system df shows what takes it; docker container prune, docker image prune -a",
        )
        if volume.inodes_total:
            yield Finding(
                name=f"inodes-{volume.purpose}",
                seen=f"{volume.path}: {volume.inodes_free} of {volume.inodes_total} inodes are free",
                level=_level(volume.inodes_free, volume.inodes_total),
                meaning="without inodes no file can be made, however much space is free",
                way_out="remove what has many small files: unused images (docker image prune -a), caches",
            )


def _level(free: int, total: int) -> Level:
    if total and free < total * _VERY_LITTLE:
        return "serious"
    return "note" if total and free < total * _LITTLE else "ok"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count // _MIB} MiB"
