"""Whether an SQLite file is what was written: looked at before it is opened, right after, and row by row.

SQLite notices little by itself. It takes an empty file for a new database, drops a write-ahead log without its database, ignores all
that comes after a damaged frame of the log, and has no checksums for its pages. All that is found here is raised as
`sqlite3.DatabaseError`, whose words the caller completes by the way out. Nothing here writes but the files' modes.

The format of the log: https://sqlite.org/walformat.html
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import struct
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682
_SUM_LENGTH = 8
_SCHEMA = slice(40, 44)
"""Where a database's head counts the changes of its tables, from 0: https://sqlite.org/fileformat.html"""


def look_before_opening(path: Path, *, flushed: bool, known: bool = False) -> None:
    """Refuse what SQLite would take for something else than it is.

    `flushed` says that every commit reaches the disk by itself, so that the log must be whole but for its last commit; `known` that
    there must be something in the file.

    Raises:
        sqlite3.DatabaseError: it says what is wrong with which file.
    """
    log = path.with_name(f"{path.name}-wal")
    size = _size(path)
    log_size = _size(log)
    if size is None and log_size:
        raise sqlite3.DatabaseError(f"it is missing, and {log} is there without it")
    if size == 0 and (known or log_size):
        raise sqlite3.DatabaseError("it is empty")
    if size and not log_size:
        head = _head(path)
        if _is_cut(head, size):
            raise sqlite3.DatabaseError("it is cut off")
        if known and not int.from_bytes(head[_SCHEMA], "big"):
            raise sqlite3.DatabaseError(f"there is nothing in it, and {log} is missing")
    if log_size and flushed and (lost := lost_commits(log.read_bytes())):
        raise sqlite3.DatabaseError(
            f"{log} is damaged, and with it {lost} {'commit' if lost == 1 else 'commits'}"
        )


def look_after_opening(connection: sqlite3.Connection) -> None:
    """Have SQLite look at every page, before anything is written.

    Raises:
        sqlite3.DatabaseError: the pages don't fit each other.
    """
    findings = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if findings != ["ok"]:
        words = " ".join(findings[0].split())
        raise sqlite3.DatabaseError(f"database disk image is malformed: {words}")


def connect(path: Path, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """A connection whose file has been looked at and prepared, and is its owner's alone; after an error nothing is open.

    Raises:
        sqlite3.DatabaseError: the pages don't fit each other.
    """
    _close_to_others(path)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        look_after_opening(connection)
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _close_to_others(path: Path) -> None:
    """Make the file, whose mode its log and its shared memory take over; what was made before is closed as well."""
    with suppress(OSError):  # where it can't be made, SQLite says why
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        for part in ("", "-wal", "-shm"):
            file = path.with_name(path.name + part)
            if file.exists() and file.stat().st_mode & 0o077:
                file.chmod(0o600)


def checksum(*parts: str | bytes | float) -> bytes:
    """What is stored with a row, so that a changed bit in it is noticed."""
    digest = hashlib.blake2b(digest_size=_SUM_LENGTH)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.digest()


def lost_commits(log: bytes) -> int:
    """How many commits a write-ahead log has that SQLite will not read although they were on the disk; 0 for a sound one.

    The last commit may be torn, since nobody was told of it before it was flushed. Whatever is followed by another commit was
    flushed before that one began.
    """
    if len(log) < _HEADER.size:
        return 0
    header = _Header.read(log)
    if header is None:
        return 1
    frames = _frames(log, header)
    sound = _sound(log, header)
    later = frames[sound:]
    commits = sum(1 for number, salts in later if salts == header.salts and number)
    return commits - 1 if commits > 1 else 0


@dataclass(frozen=True, slots=True)
class _Header:
    """The head of a log: which frames are its own, and how they are summed up."""

    page: int
    salts: tuple[int, int]
    order: str
    sums: tuple[int, int]

    @staticmethod
    def read(log: bytes) -> _Header | None:
        """None where its own checksum does not fit."""
        magic, _, page, _, *rest = _HEADER.unpack_from(log)
        if magic & ~1 != _MAGIC or page not in {1 << bit for bit in range(9, 17)}:
            return None
        order = "big" if magic & 1 else "little"
        sums = _add((0, 0), log[: _HEADER.size - 8], order)
        return _Header(page, (rest[0], rest[1]), order, sums) if sums == tuple(rest[2:]) else None


def _frames(log: bytes, header: _Header) -> list[tuple[int, tuple[int, int]]]:
    """Of each frame in the file: the size of the database after it where it ends a commit, else 0; and its salts."""
    places = range(
        _HEADER.size, len(log) - _FRAME.size - header.page + 1, _FRAME.size + header.page
    )
    heads = (_FRAME.unpack_from(log, place) for place in places)
    return [(head[1], (head[2], head[3])) for head in heads]


def _sound(log: bytes, header: _Header) -> int:
    """How many frames SQLite will read at most: up to the first whose salts or running checksum are not right."""
    sums, count = header.sums, 0
    step = _FRAME.size + header.page
    for place in range(_HEADER.size, len(log) - step + 1, step):
        head = _FRAME.unpack_from(log, place)
        sums = _add(sums, log[place : place + 8], header.order)
        sums = _add(sums, log[place + _FRAME.size : place + step], header.order)
        if (head[2], head[3]) != header.salts or sums != (head[4], head[5]):
            break
        count += 1
    return count


def _add(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    """The log's checksum, carried on over more words."""
    words = array("I", data)
    if order == "big":
        words.byteswap()
    if struct.pack("=I", 1) != struct.pack("<I", 1):
        words.byteswap()
    first, second = sums
    pairs = iter(words)
    for one, other in zip(pairs, pairs, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SCHEMA.stop)


def _is_cut(head: bytes, size: int) -> bool:
    """Whether it ends within a page. SQLite would go on with zeros."""
    page = int.from_bytes(head[16:18], "big")
    return bool(size % (65536 if page == 1 else page or size))


def _size(path: Path) -> int | None:
    """The size of a regular file of ours; None where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise sqlite3.DatabaseError(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise sqlite3.DatabaseError(f"{path} is no file")
    if found.st_uid != os.geteuid():
        raise sqlite3.DatabaseError(
            f"{path} belongs to user {found.st_uid}, who may have changed it; if you trust it: chown root {path}"
        )
    return found.st_size
