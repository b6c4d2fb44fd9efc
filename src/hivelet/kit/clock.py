"""The one source of time. Decisions take `now` as an argument; edges ask a `Clock`."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a loop may know of time. `hivelet.testing` has one whose time is virtual."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once where they are not positive."""
        ...


class SystemClock:
    """The machine's clock. `now` never goes backwards within a process, whatever NTP does."""

    def __init__(self) -> None:
        self._last = 0.0

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        self._last = max(self._last, time.time())
        return datetime.fromtimestamp(self._last, UTC)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(max(0.0, seconds))


class LoopClock:
    """A clock that follows the event loop's time, for event loops whose time is virtual."""

    def __init__(self, epoch: datetime) -> None:
        self._epoch = epoch.timestamp()

    def now(self) -> datetime:
        """The epoch plus the loop's time."""
        return datetime.fromtimestamp(self._epoch + asyncio.get_running_loop().time(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of the loop's time."""
        await asyncio.sleep(max(0.0, seconds))
