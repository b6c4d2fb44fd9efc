"""The times that directories get when all is unpacked: noted on disk, since an archive may have millions of directories."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

_RECORD = struct.Struct("<qI")
_IN_MEMORY = 1 << 18


class DirectoryTimes:
    """Paths with their times, in the order in which they were noted; `scratch` has what memory should not."""

    def __init__(self, scratch: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(scratch))  # noqa: SIM115 - `close` ends it

    def note(self, path: str, mtime_ns: int) -> None:
        """This directory's time, in place of an earlier one."""
        raw = os.fsencode(path)
        self._file.write(_RECORD.pack(mtime_ns, len(raw)) + raw)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """What was noted; of one path several times, the last counts."""
        self._file.seek(0)
        while head := self._file.read(_RECORD.size):
            mtime_ns, length = _RECORD.unpack(head)
            yield os.fsdecode(self._file.read(length)), mtime_ns

    def close(self) -> None:
        """Forget them."""
        self._file.close()
