"""A hiveletd whose wall clock can be put, whose disk can be made slow and whose watches be used up, while it runs, and nobody else's are."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.daemons import Hiveletd
from harness.machine import Machine

_SOURCE = Path(__file__).with_name("native") / "faults.c"


class TroubledHiveletd(Hiveletd):
    """hiveletd with `native/faults.c` preloaded."""

    def __init__(self, machine: Machine, *options: str) -> None:
        super().__init__(machine, *options)
        self._library = self.dir / "faults.so"
        self._settings = self.dir / "faults"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(_SOURCE), "-ldl"],
            check=True,
        )
        self._settings.write_bytes(bytes(24))

    def environment(self) -> Mapping[str, str]:
        """With the library in it."""
        more = {"LD_PRELOAD": str(self._library), "HARNESS_FAULTS": str(self._settings)}
        return {**super().environment(), **more}

    def trouble(
        self, *, clock_seconds: int = 0, flush_milliseconds: int = 0, no_watches: bool = False
    ) -> None:
        """From now on the wall clock is that much off, each flush takes that much longer, no file can be watched."""
        with self._settings.open("r+b") as file:
            file.write(struct.pack("qqq", clock_seconds, flush_milliseconds, no_watches))
