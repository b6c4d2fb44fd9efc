"""Where an archive's files are: in a directory, or inside a tar that stays packed.

Both are opened by name and read as streams; a tar is indexed once and then read in place, by several threads at once.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from hivelet.runtime.images.compression import BufferedBytes
from hivelet.runtime.images.tarstream import BrokenArchive, Reader, TarStream

_CHUNK = 1 << 20
_ENTRY_LIMIT = 100_000
_NAMES_LIMIT = 16 << 20
_LINK_LIMIT = 16


class BlobSource(Protocol):
    """Named files, to be read as streams."""

    def has(self, name: str) -> bool:
        """Whether there is a file called `name`."""
        ...

    def open(self, name: str) -> Reader:
        """A stream of file `name`; BrokenArchive where there is none."""
        ...

    def close(self) -> None:
        """Let go of it; streams that were opened end here."""
        ...


class FileWindow:
    """A part of an open file as a stream. Readers of one descriptor don't disturb each other."""

    def __init__(self, descriptor: int, offset: int = 0, size: int | None = None) -> None:
        self._descriptor = descriptor
        self._at = offset
        self._left = os.fstat(descriptor).st_size - offset if size is None else size

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        data = os.pread(self._descriptor, min(size, self._left, _CHUNK), self._at)
        self._at += len(data)
        self._left -= len(data)
        return data


class TarBlobs:
    """The files of a tar on disk."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._index()
        except BrokenArchive:
            os.close(self._descriptor)
            raise

    def has(self, name: str) -> bool:
        """Whether there is a file called `name`."""
        return self._resolve(name) is not None

    def open(self, name: str) -> Reader:
        """A stream of file `name`."""
        place = self._resolve(name)
        if place is None:
            raise BrokenArchive(f"the archive has no file {name!r}")
        return FileWindow(self._descriptor, *place)

    def close(self) -> None:
        """Close the tar."""
        os.close(self._descriptor)

    def _index(self) -> None:
        tar, names = TarStream(_Seeking(self._descriptor)), 0
        for count, entry in enumerate(tar):
            names += len(entry.name) + len(entry.link)
            if count >= _ENTRY_LIMIT or names > _NAMES_LIMIT:
                raise BrokenArchive(
                    f"the archive has more than {_ENTRY_LIMIT} entries, or more than {_NAMES_LIMIT >> 20} MiB of names"
                )
            name = _normal(entry.name)
            if entry.kind == "0":
                self._files[name] = (entry.offset, entry.size)
            elif entry.kind == "1":
                self._links[name] = _normal(entry.link)
            elif entry.kind == "2":
                # Old `docker save` writes a layer that several images share once, and then links.
                self._links[name] = _normal(f"{name.rpartition('/')[0]}/{entry.link}")

    def _resolve(self, name: str) -> tuple[int, int] | None:
        name = _normal(name)
        for _ in range(_LINK_LIMIT):
            if name in self._files:
                return self._files[name]
            if name not in self._links:
                return None
            name = self._links[name]
        return None


class DirectoryBlobs:
    """The files of a directory; symbolic links are not followed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[int] = []

    def has(self, name: str) -> bool:
        """Whether there is a regular file called `name`."""
        try:
            return stat.S_ISREG((self._path / _inside(name)).lstat().st_mode)
        except OSError:
            return False

    def open(self, name: str) -> Reader:
        """A stream of file `name`."""
        if not self.has(name):
            raise BrokenArchive(f"{self._path} has no file {name!r}")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path / _inside(name), flags)
        self._open.append(descriptor)
        return FileWindow(descriptor)

    def close(self) -> None:
        """Close what was opened."""
        while self._open:
            os.close(self._open.pop())


def open_blobs(path: Path) -> BlobSource:
    """The files at `path`, a directory or an uncompressed tar."""
    return DirectoryBlobs(path) if path.is_dir() else TarBlobs(path)


def read_blob(source: BlobSource, name: str, limit: int) -> bytes:
    """The whole of a small file."""
    data = BufferedBytes(source.open(name)).read(limit + 1)
    if len(data) > limit:
        raise BrokenArchive(f"{name!r} in the archive is larger than {limit} bytes")
    return data


class _Seeking:
    """Lets the index pass over contents without reading them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0
        self._size = os.fstat(descriptor).st_size

    def read(self, size: int, /) -> bytes:
        data = os.pread(self._descriptor, size, self._at)
        self._at += len(data)
        return data

    def skip(self, size: int) -> int:
        step = min(size, self._size - self._at)
        self._at += step
        return step


def _normal(name: str) -> str:
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _inside(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise BrokenArchive(f"{name!r} is outside of the image layout")
    return name
