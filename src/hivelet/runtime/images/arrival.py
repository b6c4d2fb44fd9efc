"""Watches an image come: tells how much of it is here, and ends a transfer that brings more than was announced, or nothing any more."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivelet.errors import System, Unavailable
from hivelet.kit.host_faults import HostFault, way_out

SILENCE = 300.0
"""Seconds without a byte after which a registry is given up: one that fetches an image itself first may need some."""
_LOOK = 0.1
_TELL = 5
"""Looks from one time that it is told to the next."""
_SLACK = 1 << 20
"""Bytes beside the announced ones: the manifest, and what skopeo adds."""

Size = Callable[[], Coroutine[Any, Any, int | None]]
"""Asks how many bytes will come; None where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One transfer: `name` from `registry` into `directory`, of which so many bytes are `announced`."""

    name: str
    registry: str
    directory: Path
    announced: Size
    silence: float | None

    async def watch(self, tell: Callable[[int], None]) -> None:
        """Look at it, for ever.

        Raises:
            HostFault: there is no room for it.
            System: more comes than was announced.
            Unavailable: nothing comes any more.
            HiveletError: what became of the question how much it is.
        """
        loop = asyncio.get_running_loop()
        asked = asyncio.ensure_future(self.announced())
        looks, seen, since = 0, -1, loop.time()
        limit: int | None = None
        try:
            while True:
                size = await asyncio.to_thread(size_of, self.directory)
                if limit is None and asked.done() and (limit := asked.result()) is not None:
                    self._check_room(limit - size)
                if limit is not None and size > limit + _SLACK:
                    raise System(
                        f"registry {self.registry} sends more of {self.name} than the {limit} bytes that it announced"
                    )
                if size != seen:
                    seen, since = size, loop.time()
                elif self.silence is not None and loop.time() - since > self.silence:
                    raise Unavailable(
                        f"registry {self.registry} has sent nothing more of {self.name} for {self.silence:g} s"
                    )
                if looks % _TELL == 0:
                    tell(size)
                looks += 1
                await asyncio.sleep(_LOOK)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    def _check_room(self, more: int) -> None:
        found = os.statvfs(self.directory.parent)
        room = found.f_bavail * found.f_frsize
        if more > room:
            raise HostFault(
                f"{self.name} has {more} bytes more, and {self.directory.parent} has room for {room}: "
                f"no space left on device; {way_out(errno.ENOSPC)}"
            )


def size_of(directory: Path) -> int:
    """Bytes in the files of a directory; 0 where it is not there yet."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            # What is taken in for a moment has another name a moment later.
            with suppress(FileNotFoundError):
                total += entry.stat().st_size
    return total
