"""Whether SQLite failed at what is in its file or at the machine beneath it, and what to do then.

The two must not be taken for each other: a file that is damaged is put back from a backup, one on a full disk only waits for room. SQLite
itself tells little of it: where there is no room for its shared memory it speaks of an I/O error, or of a file that can't be opened.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from hivelet.kit.host_faults import way_out

_MACHINE = {
    sqlite3.SQLITE_BUSY: 0,
    sqlite3.SQLITE_LOCKED: 0,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
    sqlite3.SQLITE_CANTOPEN: 0,
    sqlite3.SQLITE_PERM: 0,
}
_OTHERS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_ROOM = 64 << 10
"""Bytes without which SQLite can't begin: its shared memory takes half of them."""


def describe_sqlite_fault(path: Path, error: sqlite3.Error) -> str:
    """What the machine refused and the way out, where it was the machine; "" where it is the file."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code not in _MACHINE:
        return ""
    number = _found_on_disk(path) or _MACHINE[code]
    words = str(error)
    if code in _OTHERS:
        return f"{words}; another program has it open: end that"
    reason = os.strerror(number).lower() if number else ""
    said = f"{words} ({reason})" if reason and reason not in words.lower() else words
    way = way_out(number) or "its file system is full, read-only or broken: mend that"
    return f"{said}; {way}"


def _found_on_disk(path: Path) -> int:
    """What is the matter with the file system, as it says itself; 0 for nothing."""
    try:
        found = os.statvfs(path.parent)
    except OSError as failure:
        return failure.errno or 0
    if found.f_flag & os.ST_RDONLY:
        return errno.EROFS
    room = found.f_bavail if os.geteuid() else found.f_bfree
    # A file system that makes inodes as it needs them (btrfs) says that it has none at all.
    without_inodes = found.f_files and not found.f_favail
    return errno.ENOSPC if room * found.f_frsize < _ROOM or without_inodes else 0
