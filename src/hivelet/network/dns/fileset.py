"""Files that we write and others read: written only where they differ, and seen at a glance when somebody touched them."""

from __future__ import annotations

from pathlib import Path

from hivelet.kit.files import write_atomic

_Print = tuple[int, int, int]
"""Inode, size and time of change: together they change with every way of writing a file."""


class FileSet:
    """The files of one resolver."""

    def __init__(self) -> None:
        self._written: dict[Path, _Print] = {}

    def __contains__(self, path: Path) -> bool:
        """Whether a file is one of ours."""
        return path in self._written

    def write(self, path: Path, text: str) -> bool:
        """Make a file say this; True where it did not."""
        if changed := self.read(path) != text:
            write_atomic(path, text)
        status = path.stat()
        self._written[path] = (status.st_ino, status.st_size, status.st_ctime_ns)
        return changed

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        self._written.pop(path, None)
        path.unlink(missing_ok=True)

    def read(self, path: Path) -> str | None:
        """What a file says; None where there is none."""
        try:
            return path.read_text(errors="replace")
        except FileNotFoundError:
            return None

    def find_touched(self) -> list[Path]:
        """The files that are no longer as we wrote them."""
        return [path for path, print_ in self._written.items() if _look(path) != print_]


def _look(path: Path) -> _Print | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_ctime_ns
