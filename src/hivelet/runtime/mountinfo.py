"""What is mounted where, from `/proc/self/mountinfo`: exactly, also for binds within one file system."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountEntry:
    """One mount: where, of which type of file system, and how events propagate to and from it."""

    target: str
    type: str = ""
    shared: bool = False
    slave: bool = False


def parse_mountinfo(data: bytes) -> list[MountEntry]:
    """The mounts in a mountinfo file, in its order: of several at one place the last is on top. Pure."""
    entries = []
    # A place may have anything in its name but a space, a tab, a line feed and a backslash, which the kernel escapes.
    for line in filter(None, data.split(b"\n")):
        fields = line.split(b" ")
        end = fields.index(b"-")
        optional = fields[6:end]
        target = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4])
        entries.append(
            MountEntry(
                target=os.fsdecode(target),
                type=os.fsdecode(fields[end + 1]),
                shared=any(field.startswith(b"shared:") for field in optional),
                slave=any(field.startswith(b"master:") for field in optional),
            )
        )
    return entries


def mount_of(path: str, entries: Iterable[MountEntry]) -> MountEntry:
    """The mount that a path (without symbolic links) lies on. Pure."""
    found = MountEntry(target="/")
    for entry in entries:
        prefix = entry.target.rstrip("/") + "/"
        if len(entry.target) >= len(found.target) and f"{path}/".startswith(prefix):
            found = entry
    return found


def read_mountinfo() -> list[MountEntry]:
    """The mounts of this process's namespace."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())


def is_mount_point(path: Path) -> bool:
    """Whether anything is mounted exactly there."""
    real = os.path.realpath(path)
    return any(entry.target == real for entry in read_mountinfo())
