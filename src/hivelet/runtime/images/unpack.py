"""Unpacks one layer's tar into a directory that overlayfs can take as a lower layer.

Whiteouts become character devices 0/0, opaque directories get `trusted.overlay.opaque`. Owners stay numeric; modes with
setuid, extended attributes, hard links, devices, fifos and times are kept.

What always holds: nothing outside the directory is touched or linked to (see `inroot`). An entry that would is refused,
and the error names it; the caller then removes the directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from hivelet.errors import System
from hivelet.kit.trees import remove_tree
from hivelet.runtime.images.compression import BufferedBytes, HashedReader
from hivelet.runtime.images.directory_times import DirectoryTimes
from hivelet.runtime.images.inroot import Cursor, InRoot
from hivelet.runtime.images.recipes import RecipeWriter
from hivelet.runtime.images.tarstream import BrokenArchive, Entry, Reader, TarStream
from hivelet.runtime.images.whiteouts import Meaning, parse_place, split_path

OPAQUE_XATTR = "trusted.overlay.opaque"
_OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEVICES = {"3": stat.S_IFCHR, "4": stat.S_IFBLK, "6": stat.S_IFIFO}
# The machine's fault and not the archive's; everything else that a system call refuses is the entry's.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was unpacked: the digest of the whole uncompressed tar, and the bytes in its regular files."""

    diff_id: str
    size: int


def unpack_layer(source: Reader, target: Path) -> Unpacked:
    """Unpack the uncompressed tar `source` into the empty directory `target`, and its recipe beside it.

    Raises:
        BrokenArchive: an entry is refused, or the tar is damaged.
        System: the machine could not write it.
    """
    hashed = HashedReader(source)
    recipe = RecipeWriter(target.parent / "recipe")
    try:
        tar = TarStream(BufferedBytes(hashed), recipe.literal)
        with Unpacker(target, recipe, target.parent) as unpacker:
            for entry in tar:
                unpacker.add(entry, tar)
            unpacker.set_directory_times()
        tar.drain()
        recipe.finish()
    except OSError as error:
        raise System(f"unpacking a layer: {error.strerror}") from error
    finally:
        recipe.close()
    return Unpacked(hashed.digest, unpacker.size)


class Recipe(Protocol):
    """Who is told of files as they are unpacked."""

    def content(self, name: str, size: int) -> None:
        """This file's content came next."""
        ...

    def abandon(self) -> None:
        """Something was written over."""
        ...


class Unpacker:
    """Makes files of entries below one root. `set_directory_times` comes last."""

    def __init__(self, target: Path, recipe: Recipe, scratch: Path) -> None:
        self.size = 0
        self._recipe = recipe
        self._root = InRoot(target)
        self._directory_times = DirectoryTimes(scratch)
        self._cursor = Cursor(self._root)
        self._parent_path = ""

    def __enter__(self) -> Unpacker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cursor.close()
        self._root.close()
        self._directory_times.close()

    def add(self, entry: Entry, tar: TarStream) -> None:
        """Make what an entry says."""
        place = parse_place(entry.name)
        if place.meaning is Meaning.NOTHING:
            return
        with blamed_on(entry):
            self._enter(place.parent)
            match place.meaning:
                case Meaning.OPAQUE:
                    _set_opaque(self._parent, ".")
                case Meaning.REMOVE:
                    self._white_out(place.name)
                case _ if not place.name:
                    self._add_root(entry)
                case _:
                    self._add(entry, place.name, tar)

    def set_directory_times(self) -> None:
        """The times of directories, last, since each new file changes its directory's."""
        for path, mtime in self._directory_times:
            try:
                self._cursor.enter(path)
                os.utime(".", ns=(mtime, mtime), dir_fd=self._parent)
            except OSError as error:
                # A later entry of the same layer may have replaced it.
                if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                    raise System(f"unpacking {path!r}: {error.strerror}") from error

    @property
    def _parent(self) -> int:
        return self._cursor.here

    def _enter(self, path: str) -> None:
        if path != self._parent_path:
            self._parent_path = path
            self._cursor.enter(path, create=True)

    def _white_out(self, name: str) -> None:
        found = self._lstat(name)
        if found is None:
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=self._parent)
        elif stat.S_ISDIR(found.st_mode):
            # A whiteout hides only what is below; what this layer itself has stays.
            _set_opaque(self._parent, name)

    def _add_root(self, entry: Entry) -> None:
        if entry.kind != "5":
            raise BrokenArchive("the root of a layer must be a directory")
        self._dress(entry, ".")
        self._directory_times.note("/", entry.mtime_ns)

    def _add(self, entry: Entry, name: str, tar: TarStream) -> None:
        if entry.kind == "5":
            self._make_directory(entry, name)
            return
        if entry.kind == "1":
            self._make_hard_link(entry, name)
            return
        self._clear(name)
        if entry.kind == "0":
            self._make_file(entry, name, tar)
            return
        if entry.kind == "2":
            os.symlink(entry.link, name, dir_fd=self._parent)
        elif entry.kind in _DEVICES:
            device = os.makedev(entry.major, entry.minor)
            os.mknod(name, _DEVICES[entry.kind] | 0o600, device, dir_fd=self._parent)
        else:
            raise BrokenArchive(f"unhandled tar entry type {entry.kind!r}")
        self._dress(entry, name)
        os.utime(
            name,
            ns=(entry.mtime_ns, entry.mtime_ns),
            dir_fd=self._parent,
            follow_symlinks=False,
        )

    def _make_directory(self, entry: Entry, name: str) -> None:
        found = self._lstat(name)
        if found is None or not stat.S_ISDIR(found.st_mode):
            self._clear(name)
            os.mkdir(name, 0o700, dir_fd=self._parent)
            if found is not None and _is_whiteout(found):
                _set_opaque(self._parent, name)
        self._dress(entry, name)
        self._directory_times.note(f"{self._parent_path}/{name}", entry.mtime_ns)

    def _make_file(self, entry: Entry, name: str, tar: TarStream) -> None:
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=self._parent)
        try:
            for piece in tar.content():
                view = memoryview(piece)
                while view:
                    view = view[os.write(descriptor, view) :]
            if entry.uid or entry.gid:
                os.fchown(descriptor, entry.uid, entry.gid)
            os.fchmod(descriptor, entry.mode)
            _set_xattrs(descriptor, entry.xattrs)
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(descriptor)
        self._recipe.content(f"{self._parent_path}/{name}", entry.size)
        self.size += entry.size

    def _make_hard_link(self, entry: Entry, name: str) -> None:
        parts = split_path(entry.link)
        if not parts:
            raise BrokenArchive("a hard link to the root of the layer")
        try:
            with self._root.directory("/".join(parts[:-1])) as source:
                there = os.stat(parts[-1], dir_fd=source, follow_symlinks=False)
                here = self._lstat(name)
                if here is not None and os.path.samestat(here, there):
                    return
                if stat.S_ISDIR(there.st_mode):
                    raise BrokenArchive(f"a hard link to directory {entry.link!r}")
                self._clear(name)
                os.link(
                    parts[-1],
                    name,
                    src_dir_fd=source,
                    dst_dir_fd=self._parent,
                    follow_symlinks=False,
                )
        except FileNotFoundError as error:
            raise BrokenArchive(
                f"a hard link to {entry.link!r}, which this layer does not have"
            ) from error

    def _dress(self, entry: Entry, name: str) -> None:
        """Owner, mode and attributes of what isn't a regular file; chown first, as it clears setuid and capabilities."""
        os.chown(name, entry.uid, entry.gid, dir_fd=self._parent, follow_symlinks=False)
        if entry.kind != "2":
            os.chmod(name, entry.mode, dir_fd=self._parent)
        if entry.xattrs:
            _set_xattrs(f"/proc/self/fd/{self._parent}/{name}", entry.xattrs)

    def _clear(self, name: str) -> None:
        found = self._lstat(name)
        if found is None:
            return
        if not _is_whiteout(found):
            self._recipe.abandon()
        if stat.S_ISDIR(found.st_mode):
            remove_tree(name, dir_fd=self._parent)
        else:
            os.unlink(name, dir_fd=self._parent)

    def _lstat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._parent, follow_symlinks=False)
        except FileNotFoundError:
            return None


@contextmanager
def blamed_on(entry: Entry) -> Iterator[None]:
    """Errors in here say which entry they are about, and whose fault it is."""
    shown = entry.name if len(entry.name) < 200 else f"{entry.name[:200]}…"
    try:
        yield
    except BrokenArchive as error:
        raise BrokenArchive(f"{shown!r}: {error}") from error
    except OSError as error:
        if error.errno in _MACHINE:
            raise System(f"unpacking {shown!r}: {error.strerror}") from error
        raise BrokenArchive(f"{shown!r} can't be unpacked: {error.strerror or error}") from error
    except (OverflowError, ValueError) as error:
        raise BrokenArchive(f"{shown!r} can't be unpacked: {error}") from error


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _set_opaque(parent: int, name: str) -> None:
    os.setxattr(f"/proc/self/fd/{parent}/{name}", OPAQUE_XATTR, b"y", follow_symlinks=False)


def _set_xattrs(target: int | str, xattrs: dict[str, bytes]) -> None:
    for key, value in xattrs.items():
        if key.startswith(_OVERLAY_XATTRS):
            continue  # overlayfs's own bookkeeping would let one layer lead into another.
        try:
            if isinstance(target, int):
                os.setxattr(target, key, value)
            else:
                os.setxattr(target, key, value, follow_symlinks=False)
        except OSError as error:
            # File systems differ in what they can store; a capability that is lost would change what a program may do.
            if key == "security.capability" or error.errno not in {errno.ENOTSUP, errno.EPERM}:
                raise
