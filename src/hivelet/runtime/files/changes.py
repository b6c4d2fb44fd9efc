"""What a container has changed in its file system: its writable layer held against the layers below it."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hivelet.kit.trees import check_depth
from hivelet.runtime.files.tarwriter import TarWriter
from hivelet.runtime.images.unpack import OPAQUE_XATTR

MODIFIED, ADDED, DELETED = 0, 1, 2
"""Docker's numbers."""


@dataclass(frozen=True, slots=True)
class Change:
    """A path from the root, and what became of it."""

    path: str
    kind: int


def list_changes(upper: Path, lower: Sequence[Path], made: Collection[str] = ()) -> list[Change]:
    """All changes, by path. `lower` has the top layer first.

    `made` are paths that the runtime makes for its mounts: what is there only for their sake is no change.
    """
    found = list(_walk(upper, tuple(lower), "", frozenset(made)))
    real = {change.path for change in found if not _is_frame(change, upper, made)}
    above = {parent for path in real for parent in _parents(path)}
    return sorted(
        (c for c in found if c.path in real or c.path in above), key=lambda change: change.path
    )


def write_changes(out: IO[bytes], upper: Path, changes: Sequence[Change]) -> None:
    """The changes as a layer's tar: what is gone is marked as the OCI specification has it."""
    tar = TarWriter(out)
    for change in changes:
        parent, _, name = change.path.rpartition("/")
        if change.kind == DELETED:
            tar.add_marker(f"{parent}/.wh.{name}".lstrip("/"))
            continue
        directory = os.open(f"{upper}{parent}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                tar.add_header(directory, name, change.path.lstrip("/"))
            else:
                tar.add(directory, name, change.path.lstrip("/"))
        finally:
            os.close(directory)
    tar.finish()


def _walk(
    upper: Path, lower: tuple[Path, ...], path: str, made: frozenset[str]
) -> Iterator[Change]:
    for entry in os.scandir(f"{upper}{path}"):
        place = f"{path}/{entry.name}"
        check_depth(place)
        found = entry.stat(follow_symlinks=False)
        below = _find_below(lower, place)
        if _is_whiteout(found):
            if below is not None:
                yield Change(place, DELETED)
            continue
        if place in made and below is None and not stat.S_ISDIR(found.st_mode):
            continue
        yield Change(place, ADDED if below is None else MODIFIED)
        if not stat.S_ISDIR(found.st_mode):
            continue
        yield from _walk(upper, lower, place, made)
        if _is_opaque(f"{upper}{place}") and below is not None:
            for name in _names_below(lower, place) - set(os.listdir(f"{upper}{place}")):
                yield Change(f"{place}/{name}", DELETED)


def _find_below(lower: Sequence[Path], path: str) -> os.stat_result | None:
    """What the layers below have at a path, as overlayfs would show it."""
    parts = path.strip("/").split("/")
    for layer in lower:
        place, hides = str(layer), False
        for at, part in enumerate(parts):
            place = f"{place}/{part}"
            try:
                found = os.lstat(place)
            except (FileNotFoundError, NotADirectoryError):
                break
            last = at == len(parts) - 1
            if _is_whiteout(found):
                return None
            if last:
                return found
            if not stat.S_ISDIR(found.st_mode):
                return None
            hides = hides or _is_opaque(place)
        if hides:
            return None
    return None


def _names_below(lower: Sequence[Path], path: str) -> set[str]:
    names: set[str] = set()
    for layer in lower:
        try:
            names |= set(os.listdir(f"{layer}{path}"))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return {name for name in names if _find_below(lower, f"{path}/{name}") is not None}


def _is_frame(change: Change, upper: Path, made: Collection[str]) -> bool:
    """Whether it is a directory that is only there for a mount below it, or for nothing but what is told itself."""
    if change.kind == DELETED:
        return False
    ours = change.path in made or any(path.startswith(f"{change.path}/") for path in made)
    return ours and os.path.isdir(f"{upper}{change.path}")


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, OPAQUE_XATTR, follow_symlinks=False) == b"y"
    except OSError:
        return False
