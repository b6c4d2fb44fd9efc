"""The one source of time. Decisions take `now` as an argument; edges ask a `Clock`.

Wall clocks jump: NTP corrects them, people set them, virtual machines wake up. Deadlines are moments of the wall clock, because
they must outlive the daemon; so time here never goes back and never stands still. Where the wall clock is put back, `now` goes
on at the pace of the machine's steady clock, ahead of the wall, until that has caught up. Where it is put forward, `now` follows.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a loop may know of time. `hivelet.testing` has one whose time is virtual."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def not_before(self, moment: datetime) -> float:
        """Never tell a time before `moment`, such as that of the last write before a restart.

        Returns by how many seconds the wall clock is behind it; 0 where it is not.
        """
        ...

    def steady(self) -> float:
        """Seconds since some moment in the past, which nobody can put: for whatever no restart has to outlive."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once where they are not positive."""
        ...


def _since_boot() -> float:
    # Goes on while the machine is suspended, unlike time.monotonic.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SystemClock:
    """The machine's clock, made steady. `wall` and `steady` give seconds; they are arguments for tests alone."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _since_boot
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead = -math.inf

    def now(self) -> datetime:
        """The present moment, aware, in UTC; never earlier than one asked for before."""
        steady = self._steady()
        self._ahead = max(self._ahead, self._wall() - steady)
        return datetime.fromtimestamp(steady + self._ahead, UTC)

    def not_before(self, moment: datetime) -> float:
        """Never tell a time before `moment`, such as that of the last write before a restart.

        Returns by how many seconds the wall clock is behind it; 0 where it is not.
        """
        behind = moment.timestamp() - self.now().timestamp()
        self._ahead += max(0.0, behind)
        return max(0.0, behind)

    def steady(self) -> float:
        """Seconds since the machine was started."""
        return self._steady()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(max(0.0, seconds))


class LoopClock(SystemClock):
    """A clock that follows the event loop's time, for event loops whose time is virtual; its wall clock can be put."""

    def __init__(self, epoch: datetime) -> None:
        self._epoch = epoch.timestamp()
        super().__init__(wall=lambda: self._epoch + _loop_time(), steady=_loop_time)

    def put(self, seconds: float) -> None:
        """Put the wall clock forward, or back where `seconds` is negative."""
        self._epoch += seconds


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
