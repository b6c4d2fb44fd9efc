"""What the names of a layer's entries mean, by the OCI image specification. Pure.

A layer is a change set: `.wh.NAME` removes NAME of the layers below, `.wh..wh..opq` empties its directory of what the
layers below put there, and other names that begin with `.wh..wh.` are aufs's own and stand for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hivelet.runtime.images.tarstream import BrokenArchive

_PREFIX = ".wh."
_META = ".wh..wh."
_OPAQUE = ".wh..wh..opq"
_NAME_LIMIT = 255
_PATH_LIMIT = 4095


class Meaning(Enum):
    """What an entry does."""

    ADD = "add"
    REMOVE = "remove"
    OPAQUE = "opaque"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry acts: `name` in directory `parent` (both relative to the root; "" and "" for the root itself)."""

    meaning: Meaning
    parent: str
    name: str


def parse_place(path: str) -> Place:
    """Where an entry called `path` acts, and how; a leading "/" or "./" means the root.

    Raises:
        BrokenArchive: the name leads out of the root or can't be a file's name.
    """
    parts = split_path(path)
    if not parts:
        return Place(Meaning.ADD, "", "")
    for at, part in enumerate(parts):
        if part.startswith(_META) and (at < len(parts) - 1 or part != _OPAQUE):
            return Place(Meaning.NOTHING, "", "")
    parent, name = "/".join(parts[:-1]), parts[-1]
    if name == _OPAQUE:
        return Place(Meaning.OPAQUE, parent, "")
    if not name.startswith(_PREFIX):
        return Place(Meaning.ADD, parent, name)
    target = name.removeprefix(_PREFIX)
    if target in {"", ".", ".."}:
        raise BrokenArchive(f"{path!r}: a whiteout that names no file")
    return Place(Meaning.REMOVE, parent, target)


def split_path(path: str) -> list[str]:
    """The parts of an archive's path.

    Raises:
        BrokenArchive: it has a `..`, or no file system could hold it.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    shown = path if len(path) < 200 else f"{path[:200]}…"
    if ".." in parts:
        raise BrokenArchive(f"{shown!r} is outside of the layer: its path contains '..'")
    if "\0" in path:
        raise BrokenArchive(f"{shown!r}: a NUL in a file's name")
    if len(path) * 4 <= _NAME_LIMIT:
        return parts  # no character takes more than four bytes
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    if sum(sizes) + len(sizes) > _PATH_LIMIT or max(sizes, default=0) > _NAME_LIMIT:
        raise BrokenArchive(f"{shown!r}: the name is too long")
    return parts
