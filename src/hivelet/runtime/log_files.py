"""Where the log of a container lies: in the file that conmon writes, and in those that were full before it.

Conmon starts its file anew when it is full, which takes the old one's name away. So the file has a second name, `….held`,
and when the first has come to lead to another file, the old one becomes `….1`, and those before it move up by one.

What always holds: at most so many files are kept as was asked for, and the disk is bounded also while nobody looks, when what
conmon lets go of is lost. Every step may be the last one: the next look goes on where this one ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log, under one of its names, and which file that was when it was looked up."""

    path: Path
    inode: int
    size: int


def numbered(log: Path, number: int) -> Path:
    """The name of a file that was full: 1 is the latest of them."""
    return log.with_name(f"{log.name}.{number}")


def held(log: Path) -> Path:
    """The second name of the file that is written."""
    return log.with_name(f"{log.name}.held")


def log_files(log: Path, files: int) -> list[LogFile]:
    """The files of a log that are kept, the newest first: what is listed once is kept until it is too old.

    So the newest is looked up by its second name: the first may lead on to a file that is let go of before anybody holds it.
    """
    keep_full(log, files)
    found: list[LogFile] = []
    for path in (held(log) if files > 1 else log, *_full(log, files)):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append(LogFile(path, status.st_ino, status.st_size))
    return found


def _full(log: Path, files: int) -> Iterator[Path]:
    return (numbered(log, number) for number in range(1, files))


def keep_full(log: Path, files: int) -> None:
    """Keep the file that conmon has let go of since the last look, where it has."""
    if files < 2:
        return
    second = held(log)
    while _inode(log) not in (None, _inode(second)):
        if second.exists():
            _move_up(log, files)
            second.rename(numbered(log, 1))
        # Conmon may put a new file there at any moment: then the loop looks once more.
        with suppress(FileNotFoundError):
            os.link(log, second)


def begin_anew(log: Path, limit: int, files: int) -> None:
    """Before a start: conmon counts from nothing each time, so what is full already is put away here."""
    keep_full(log, files)
    try:
        full = 0 < limit <= log.stat().st_size
    except FileNotFoundError:
        return
    if not full:
        return
    if files < 2:
        log.unlink()
        return
    _move_up(log, files)
    held(log).unlink(missing_ok=True)
    log.rename(numbered(log, 1))


def _move_up(log: Path, files: int) -> None:
    """Free the number 1, over the first number that is free, or over the oldest file."""
    last = files - 1
    free = next((n for n in range(1, last) if not numbered(log, n).exists()), last)
    for number in range(free, 1, -1):
        numbered(log, number - 1).replace(numbered(log, number))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
