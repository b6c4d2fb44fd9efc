"""An event loop whose time is virtual: when nothing is left to do, it jumps to the next timer instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from hivelet.kit.clock import LoopClock
from hivelet.testing.clock import EPOCH

T = TypeVar("T")

_NAPS = (0.0, 0.0, 0.0, 0.0001, 0.003, 0.06, 0.4)
"""Seconds by which a reader is late: from the next turn of the event loop to the time that a container takes to stop."""


class _JumpingSelector(selectors.SelectSelector):
    """Never waits; it moves the time on by as much as it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; otherwise the time has passed."""
        found = super().select(0)
        if found or timeout is None:
            # Without a timer only another thread could go on; give it a moment.
            return found or super().select(0.01)
        self.elapsed += max(timeout, 0.0)
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The event loop; `time` starts at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of virtual time since the start."""
        return self._jumping.elapsed


class VirtualClock(LoopClock):
    """The loop's time as moments; no two of them are the same, as no two are on a real clock."""

    def __init__(self, epoch: datetime = EPOCH) -> None:
        super().__init__(epoch)
        self._last = epoch

    def now(self) -> datetime:
        """The present moment, at least a microsecond after the last one asked for."""
        self._last = max(super().now(), self._last + timedelta(microseconds=1))
        return self._last


class SleepyWaker:
    """Wakes the readers of a store in an order of chance: each at once, or a while later than the others, as if it were busy.

    What reaches a reader meanwhile is one event to it, so no loop may count on seeing every step of an object.
    """

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)  # noqa: S311 - to be repeated, not to be guessed

    def __call__(self, wake: Callable[[], None]) -> None:
        """Wake, sooner or later."""
        delay = self._chance.choice(_NAPS)
        if delay == 0:
            wake()
        else:
            asyncio.get_running_loop().call_later(delay, wake)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a loop of its own whose time is virtual."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
