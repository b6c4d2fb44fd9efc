"""Directory trees that somebody else made, of any depth: removed and measured without a stack that their depth could overflow.

A program in a container can nest directories far deeper than a path is long; neither recursion nor whole paths reach their end.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from hivelet.errors import Conflict

DEPTH = 256
"""How deeply directories may be nested where each is told by its path: in archives and in lists of changes."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


class TooDeep(Conflict):
    """A path has more directories than can be told."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"directories are nested more than {DEPTH} deep below {path[:60]}: remove them, or leave them out"
        )


def check_depth(path: str) -> None:
    """Refuse a path that is too deep.

    Raises:
        TooDeep: it is.
    """
    if path.count("/") > DEPTH:
        raise TooDeep(path)


def remove_tree(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> None:
    """Remove a directory and all below it; symbolic links are removed and not followed.

    Every directory is emptied by lifting those in it to the top, so that all are one step away from there.

    Raises:
        OSError: as the system calls do; what is left can be removed by another call.
    """
    number = 0
    with _opened(path, dir_fd) as top:
        while names := os.listdir(top):
            for name in names:
                if _is_directory(name, top):
                    number = _dissolve(name, top, number)
                else:
                    os.unlink(name, dir_fd=top)
    os.rmdir(path, dir_fd=dir_fd)


def tree_size(path: str | os.PathLike[str]) -> int:
    """Bytes of all regular files below `path`; 0 where there is no such directory. Others may change it meanwhile."""
    total = 0
    trail: list[tuple[tuple[int, int], list[str]]] = []
    try:
        here = os.open(path, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    try:
        size, below = _look(here)
        total += size
        trail.append((_identity(here), below))
        while trail:
            _, below = trail[-1]
            if below:
                try:
                    there = os.open(below.pop(), _DIRECTORY, dir_fd=here)
                except OSError:
                    continue  # gone, or no directory any more
                os.close(here)
                here = there
                size, deeper = _look(here)
                total += size
                trail.append((_identity(here), deeper))
                continue
            trail.pop()
            if trail:
                above = os.open("..", _DIRECTORY, dir_fd=here)
                os.close(here)
                here = above
                if _identity(here) != trail[-1][0]:
                    return total  # moved meanwhile: where we came from is not above any more
    finally:
        os.close(here)
    return total


def _dissolve(name: str, top: int, number: int) -> int:
    with _opened(name, top) as directory:
        for inner in os.listdir(directory):
            if _is_directory(inner, directory):
                number = _lift(inner, directory, top, number)
            else:
                os.unlink(inner, dir_fd=directory)
    os.rmdir(name, dir_fd=top)
    return number


def _lift(name: str, directory: int, top: int, number: int) -> int:
    while True:
        number += 1
        try:
            os.rename(name, f".lifted-{number}", src_dir_fd=directory, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return number


@contextmanager
def _opened(path: str | os.PathLike[str], dir_fd: int | None) -> Iterator[int]:
    descriptor = os.open(path, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _look(directory: int) -> tuple[int, list[str]]:
    """The bytes of the files in a directory, and the names of those directories that are in it."""
    total, below = 0, []
    for name in os.listdir(directory):
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue  # a running container may delete while we look
        if stat.S_ISDIR(found.st_mode):
            below.append(name)
        elif stat.S_ISREG(found.st_mode):
            total += found.st_size
    return total, below


def _identity(directory: int) -> tuple[int, int]:
    found = os.fstat(directory)
    return found.st_dev, found.st_ino
