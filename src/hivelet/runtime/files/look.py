"""Looks at one path of a container's root, and copies it out."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from hivelet.errors import NotFound
from hivelet.objects.files import PathStat
from hivelet.runtime.files.tarwriter import TarWriter
from hivelet.runtime.images.inroot import InRoot

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG}
"""What the kernel says of paths that nothing can be at: too long, links in a circle, a NUL."""


def stat_path(root: Path, path: str) -> PathStat:
    """What is at `path`: a symlink itself, unless the path ends in a slash.

    Raises:
        NotFound: nothing.
    """
    with _found(root, path) as (parent, name, shown):
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        target = ""
        if stat.S_ISLNK(found.st_mode):
            link = os.readlink(name, dir_fd=parent)
            folder = posixpath.dirname(posixpath.normpath(f"/{path}"))
            target = posixpath.normpath(posixpath.join(folder, link))
        return PathStat(
            name=shown,
            size=found.st_size,
            mode=found.st_mode,
            mtime=datetime.fromtimestamp(found.st_mtime, UTC),
            link_target=target,
        )


def write_path(out: IO[bytes], root: Path, path: str, *, kernels: Collection[str] = ()) -> None:
    """What is at `path` and below it, as a tar whose names begin with the path's last part.

    Of the directories of the root that are named as the kernel's, an archive of the root has no content.

    Raises:
        NotFound: nothing.
    """
    with _found(root, path) as (parent, name, shown):
        tar = TarWriter(out)
        hollow = () if posixpath.normpath(path).strip("/.") else kernels
        if shown in {"/", "."}:
            tar.add_header(parent, ".", "./")
            # Docker's clients put another name in the place of the dot, and know it by its slash.
            _add_content(tar, parent, ".", ".", hollow)
        elif name == ".":
            tar.add_header(parent, ".", f"{shown}/")
            _add_content(tar, parent, ".", shown)
        else:
            tar.add(parent, name, shown)
        tar.finish()


def write_root(out: IO[bytes], root: Path) -> None:
    """A whole root file system as a tar."""
    with InRoot(root) as inside, inside.directory("/") as top:
        tar = TarWriter(out)
        _add_content(tar, top, ".", "")
        tar.finish()


def check_directory(root: Path, path: str) -> str:
    """The directory that a path leads to, as the root has it when all links are followed; refuse what is none.

    Raises:
        NotFound: there is nothing.
        NotADirectoryError: there is something else.
    """
    try:
        with (
            InRoot(root) as inside,
            inside.directory("/") as top,
            inside.directory(path) as found,
        ):
            base, whole = (os.readlink(f"/proc/self/fd/{each}") for each in (top, found))
            return "/" + whole.removeprefix(base).lstrip("/")
    except NotADirectoryError:
        raise
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise NotFound(path) from error
        raise


def _add_content(
    tar: TarWriter, parent: int, name: str, called: str, hollow: Collection[str] = ()
) -> None:
    directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
    try:
        tar.add_content(directory, called, hollow)
    finally:
        os.close(directory)


@contextmanager
def _found(root: Path, path: str) -> Iterator[tuple[int, str, str]]:
    """The directory that a path's last part is in, that part (`.` for a directory itself), and how it is shown."""
    if "\0" in path:
        raise NotFound(path)
    whole = posixpath.normpath(f"/{path}")
    as_directory = path.endswith(("/", "/.")) or whole == "/"
    folder, _, name = whole.rpartition("/")
    try:
        with InRoot(root) as inside:
            if as_directory:
                # What ends in a dot means what is in the directory: an archive of it has no name of its own (Docker).
                shown = "." if path.endswith("/.") else name or "/"
                with inside.directory(whole) as directory:
                    yield directory, ".", shown
                return
            with inside.directory(folder or "/") as directory:
                os.stat(name, dir_fd=directory, follow_symlinks=False)
                yield directory, name, name
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise NotFound(path) from error
        raise
