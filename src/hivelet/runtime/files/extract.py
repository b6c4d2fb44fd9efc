"""Unpacks an archive into a directory of a container. Nothing of it can come to lie outside of the container's root."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from hivelet.errors import Forbidden, InvalidParameter, NotFound
from hivelet.runtime.images.blobs import FileWindow
from hivelet.runtime.images.compression import BufferedBytes, open_decompressed
from hivelet.runtime.images.inroot import InRoot
from hivelet.runtime.images.tarstream import Entry, TarStream
from hivelet.runtime.images.unpack import Unpacker, blamed_on
from hivelet.runtime.images.whiteouts import split_path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """`owner` replaces all owners; with `keep_kinds` no directory becomes a file, nor the other way round."""

    owner: tuple[int, int] | None = None
    keep_kinds: bool = False


class _NoRecipe:
    """A copy is no layer: nobody will want the archive back."""

    def content(self, name: str, size: int) -> None:
        """Nothing."""

    def abandon(self) -> None:
        """Nothing."""


class _Copier(Unpacker):
    """Unpacks into a directory of a root that others use meanwhile; names that mean something in a layer mean nothing here."""

    def __init__(self, root: Path, prefix: str, options: ExtractOptions, scratch: Path) -> None:
        super().__init__(root, _NoRecipe(), scratch)
        self._prefix = prefix.strip("/")
        self._options = options

    def add(self, entry: Entry, tar: TarStream) -> None:
        parts = split_path(f"{self._prefix}/{entry.name}")
        if not parts:
            return
        if entry.kind == "1":
            entry = replace(entry, link=f"{self._prefix}/{entry.link}")
        if self._options.owner is not None:
            entry = replace(entry, uid=self._options.owner[0], gid=self._options.owner[1])
        with blamed_on(entry):
            self._enter("/".join(parts[:-1]))
            if self._options.keep_kinds:
                self._check_kind(entry, parts[-1])
            self._add(entry, parts[-1], tar)

    def _check_kind(self, entry: Entry, name: str) -> None:
        found = self._lstat(name)
        if found is None or stat.S_ISDIR(found.st_mode) == (entry.kind == "5"):
            return
        if entry.kind == "5":
            raise InvalidParameter(
                f'cannot overwrite non-directory "/{self._prefix}/{name}" with directory "/{self._prefix}"'
            )
        raise InvalidParameter(
            f'cannot overwrite directory "/{self._prefix}/{name}" with non-directory "/{self._prefix}"'
        )


def extract_archive(archive: Path, root: Path, prefix: str, options: ExtractOptions) -> None:
    """Unpack a tar, compressed or not, into directory `prefix` of `root`.

    Raises:
        BrokenArchive: an entry is refused, or the tar is damaged.
        NotFound: the directory is not there.
        Forbidden: it can't be written to.
        System: the machine could not write it.
    """
    try:
        with InRoot(root) as inside, inside.directory(prefix) as directory:
            if not os.access(f"/proc/self/fd/{directory}", os.W_OK):
                raise Forbidden("container rootfs is marked read-only")
    except (FileNotFoundError, NotADirectoryError) as error:
        # It was there a moment ago: the container changes its files meanwhile.
        raise NotFound(f"there is no directory {prefix} in the container any more") from error
    source = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        tar = TarStream(BufferedBytes(open_decompressed(FileWindow(source))))
        with _Copier(root, prefix, options, archive.parent) as copier:
            for entry in tar:
                copier.add(entry, tar)
            copier.set_directory_times()
        tar.drain()
    finally:
        os.close(source)
