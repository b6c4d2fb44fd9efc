"""Files of containers as the API tells of them."""

from __future__ import annotations

import base64
import stat
from collections.abc import Sequence

import msgspec

from hivelet.convert.shape import Json, rfc3339
from hivelet.objects.files import FileChange, PathStat

_GO_MODES = (
    (stat.S_IFDIR, 1 << 31),
    (stat.S_IFLNK, 1 << 27),
    (stat.S_IFBLK, 1 << 26),
    (stat.S_IFIFO, 1 << 25),
    (stat.S_IFSOCK, 1 << 24),
    (stat.S_IFCHR, 1 << 26 | 1 << 21),
)
"""Go's bits for what a file is, by the kernel's (Go `io/fs.FileMode`)."""


def encode_stat(found: PathStat) -> str:
    """The header `X-Docker-Container-Path-Stat`."""
    answer: Json = {
        "name": found.name,
        "size": found.size,
        "mode": go_mode(found.mode),
        "mtime": rfc3339(found.mtime),
        "linkTarget": found.link_target,
    }
    return base64.b64encode(msgspec.json.encode(answer)).decode()


def encode_changes(changes: Sequence[FileChange]) -> list[Json] | None:
    """The answer of `GET /containers/{id}/changes`."""
    return [{"Path": change.path, "Kind": change.kind} for change in changes] or None


def go_mode(mode: int) -> int:
    """The kernel's mode as Go writes it."""
    found = stat.S_IMODE(mode) & 0o777
    found |= next((bits for kind, bits in _GO_MODES if stat.S_IFMT(mode) == kind), 0)
    for bit, go in ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20)):
        found |= go if mode & bit else 0
    return found
