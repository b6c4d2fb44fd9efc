"""Writes what is in a directory as a tar, through descriptors alone: a name that changes meanwhile leads nowhere else."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Collection
from typing import IO

from hivelet.kit.trees import check_depth

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_DIRECTORY = _OPEN | os.O_DIRECTORY
_PIECE = 1 << 18
_END = bytes(2 * 512)
_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
_OVERLAY = "trusted.overlay."


class TarWriter:
    """A tar that is being written. Hard links within it stay hard links."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._links: dict[tuple[int, int], str] = {}

    def add(self, parent: int, name: str, called: str) -> None:
        """Add file `name` of directory `parent`, and what is below it, as `called`. Sockets are left out, as tar does.

        Raises:
            TooDeep: there are too many directories in each other.
        """
        check_depth(called)
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(found.st_mode))
        if kind is None:
            return
        if kind == tarfile.DIRTYPE:
            self._add_directory(parent, name, called, found)
        elif kind == tarfile.REGTYPE:
            self._add_file(parent, name, called, found)
        else:
            info = self._info(called, found, kind)
            if kind == tarfile.SYMTYPE:
                info.linkname = os.readlink(name, dir_fd=parent)
            self._write_header(info)

    def add_content(self, directory: int, called: str, hollow: Collection[str] = ()) -> None:
        """Add all that is in a directory, its directories of these names without what is in them."""
        for name in sorted(os.listdir(directory)):
            shown = f"{called}/{name}" if called else name
            try:
                if name in hollow:
                    self.add_header(directory, name, shown)
                else:
                    self.add(directory, name, shown)
            except FileNotFoundError:
                continue  # a running container may delete while we look

    def add_marker(self, called: str) -> None:
        """Add an empty file, as layers say that something is gone."""
        self._write_header(tarfile.TarInfo(called))

    def add_header(self, parent: int, name: str, called: str) -> None:
        """Add a directory without what is in it."""
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        self._write_header(self._info(called, found, tarfile.DIRTYPE))

    def finish(self) -> None:
        """There is no more."""
        self._out.write(_END)

    def _add_directory(self, parent: int, name: str, called: str, found: os.stat_result) -> None:
        directory = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            self._write_header(self._info(called, found, tarfile.DIRTYPE, directory))
            self.add_content(directory, called)
        finally:
            os.close(directory)

    def _add_file(self, parent: int, name: str, called: str, found: os.stat_result) -> None:
        descriptor = os.open(name, _OPEN, dir_fd=parent)
        try:
            found = os.fstat(descriptor)
            key = (found.st_dev, found.st_ino)
            if found.st_nlink > 1 and key in self._links:
                info = self._info(called, found, tarfile.LNKTYPE)
                info.linkname, info.size = self._links[key], 0
                self._write_header(info)
                return
            self._links[key] = called
            info = self._info(called, found, tarfile.REGTYPE, descriptor)
            self._write_header(info)
            self._copy(descriptor, info.size)
        finally:
            os.close(descriptor)

    def _copy(self, descriptor: int, size: int) -> None:
        """Exactly as many bytes as the header says, whatever becomes of the file meanwhile."""
        left = size
        while left:
            piece = os.read(descriptor, min(left, _PIECE)) or bytes(min(left, _PIECE))
            self._out.write(piece)
            left -= len(piece)
        self._out.write(bytes(-size % 512))

    def _info(
        self, called: str, found: os.stat_result, kind: bytes, descriptor: int | None = None
    ) -> tarfile.TarInfo:
        info = tarfile.TarInfo(called)
        info.type = kind
        info.mode = stat.S_IMODE(found.st_mode)
        info.uid, info.gid = found.st_uid, found.st_gid
        info.mtime = found.st_mtime_ns // 1_000_000_000
        if kind == tarfile.REGTYPE:
            info.size = found.st_size
        if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            info.devmajor, info.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
        if descriptor is not None:
            info.pax_headers = {
                f"SCHILY.xattr.{key}": os.getxattr(descriptor, key).decode(
                    "utf-8", "surrogateescape"
                )
                for key in _xattrs(descriptor)
            }
        return info

    def _write_header(self, info: tarfile.TarInfo) -> None:
        self._out.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))


def _xattrs(descriptor: int) -> list[str]:
    try:
        return [key for key in os.listxattr(descriptor) if not key.startswith(_OVERLAY)]
    except OSError:
        return []  # a file system without them
