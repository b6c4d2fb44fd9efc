"""Where a command may put a file that it writes whole: at a new name, or in the place of a file; with Docker's words for what is refused.

A file that comes by a rename takes the place of whatever has the name, a device too: `-o /dev/null` would leave the machine without one.
"""

from __future__ import annotations

import stat
from pathlib import Path

from hivelet.errors import InvalidParameter

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link directly",
    stat.S_IFCHR: "a character device file",
    stat.S_IFBLK: "a block device file",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
}


def check_output(path: Path) -> None:
    """Refuse a place that no file can be put to.

    Raises:
        InvalidParameter: there is something that is no file, or no directory for it.
    """
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        if path.parent.is_dir():
            return
        raise InvalidParameter(f"{path}: there is no directory {path.parent}") from None
    except OSError as error:
        raise InvalidParameter(f"{path}: {error.strerror}") from error
    if kind in _KINDS:
        raise InvalidParameter(f"{path}: cannot write to {_KINDS[kind]}")
