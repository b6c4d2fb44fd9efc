"""Whether a loop turns, told by the loop itself and read by a watchdog."""

from __future__ import annotations

from collections.abc import Callable


def _nothing() -> bool:
    return False


class Pulse:
    """A loop's pulse: how often it has come round, and whether there is work for it.

    A loop without work may rest for as long as it likes; one that has work and does not come round, hangs.
    """

    def __init__(self, has_work: Callable[[], bool] = _nothing) -> None:
        self._has_work = has_work
        self.turns = 0

    @property
    def has_work(self) -> bool:
        """Whether the loop should be turning."""
        return self._has_work()

    def follow(self, has_work: Callable[[], bool]) -> None:
        """From now on this says whether there is work."""
        self._has_work = has_work

    def turn(self) -> None:
        """The loop has come round."""
        self.turns += 1
