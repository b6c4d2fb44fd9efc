"""Writes a context as a tar, piece by piece: nothing but one piece of one file is held in memory.

All belongs to the superuser in it, as with the docker command line: what a build copies does not depend on who builds.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hivelet.client.context.ignore import IgnoreRules, parse_ignore
from hivelet.errors import InvalidParameter

_CHUNK = 1 << 18
_BLOCK = 512
_IGNORE = ".dockerignore"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is sent: a folder, and the Dockerfile by its path there; `text` is a Dockerfile that is not in the folder."""

    folder: Path
    dockerfile: str = "Dockerfile"
    text: bytes | None = None


def pack_context(context: Context) -> Iterator[bytes]:
    """The context as a tar.

    Raises:
        InvalidParameter: before the first piece, where the folder can't be read; later, where a file can't be.
    """
    rules = read_rules(context)
    if context.text is not None:
        yield from _file(context.dockerfile, context.text)
    for path, name in _walk(context.folder, "", rules):
        yield from _entry(path, name)
    yield bytes(2 * _BLOCK)


def read_rules(context: Context) -> IgnoreRules:
    """What stays at home; the Dockerfile and the list itself never do, as the builder needs them."""
    if not context.folder.is_dir():
        raise InvalidParameter(f"{context.folder}: there is no such folder to build from")
    try:
        patterns = parse_ignore((context.folder / _IGNORE).read_text())
    except FileNotFoundError:
        patterns = []
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{context.folder / _IGNORE} cannot be read: {error}") from error
    needed = [f"!{_IGNORE}", *([f"!{context.dockerfile}"] if context.text is None else [])]
    return IgnoreRules([*patterns, *needed] if patterns else [])


def pack_dockerfile(text: bytes) -> Iterator[bytes]:
    """A context of a Dockerfile alone."""
    yield from _file("Dockerfile", text)
    yield bytes(2 * _BLOCK)


def pack_stream(stream: IO[bytes]) -> Iterator[bytes]:
    """A context from a stream: a tar, compressed or not, as it is; any other text is a Dockerfile."""
    head = stream.read(_BLOCK)
    if head[257:262] == b"ustar" or head.startswith(_COMPRESSED):
        yield head
        while piece := stream.read(_CHUNK):
            yield piece
    else:
        yield from pack_dockerfile(head + stream.read())


def _walk(folder: Path, prefix: str, rules: IgnoreRules) -> Iterator[tuple[Path, str]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InvalidParameter(f"{folder} cannot be read: {error.strerror}") from error
    for name in names:
        path, inner = folder / name, f"{prefix}{name}"
        ignored = rules.ignores(inner)
        if not ignored:
            yield path, inner
        if (not ignored or rules.takes_back) and path.is_dir() and not path.is_symlink():
            yield from _walk(path, f"{inner}/", rules)


def _entry(path: Path, name: str) -> Iterator[bytes]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return  # gone since the folder was listed
    if stat.S_ISSOCK(found.st_mode):
        return
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    if stat.S_ISREG(found.st_mode):
        entry.size = found.st_size
        yield _header(entry)
        yield from _content(path, found.st_size)
        return
    if stat.S_ISLNK(found.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_ISFIFO(found.st_mode):
        entry.type = tarfile.FIFOTYPE
    else:
        raise InvalidParameter(f"{path} is a device: list it in {_IGNORE}")
    yield _header(entry)


def _content(path: Path, size: int) -> Iterator[bytes]:
    """As many bytes as the header says, whatever becomes of the file meanwhile."""
    left = size
    try:
        with path.open("rb") as stream:
            while left and (piece := stream.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise InvalidParameter(f"{path} cannot be read: {error.strerror}") from error
    yield from _zeros(left)
    yield bytes(-size % _BLOCK)


def _zeros(count: int) -> Iterator[bytes]:
    while count:
        yield bytes(min(_CHUNK, count))
        count -= min(_CHUNK, count)


def _file(name: str, data: bytes) -> Iterator[bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    yield _header(entry) + data + bytes(-len(data) % _BLOCK)


def _header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
