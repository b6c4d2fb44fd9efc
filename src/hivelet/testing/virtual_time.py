"""An event loop whose time is virtual: when nothing is left to do, it jumps to the next timer instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hivelet.kit.clock import LoopClock
from hivelet.testing.clock import EPOCH

T = TypeVar("T")


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


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a loop of its own whose time is virtual."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
