"""A journal that breaks off at a chosen write, as the daemon does when it is killed there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hivelet.store.journal import Entry, MemoryJournal


class FragileJournal(MemoryJournal):
    """Behaves like its parent until it breaks; then nothing becomes safe any more, and `survivors` is what was safe."""

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__(latency)
        self._latency_wanted = latency
        self._left: int | None = None
        self._keeps_last = False
        self._broke: Callable[[], None] = _nothing
        self.broken = False

    def break_at(self, write: int, *, keep: bool, then: Callable[[], None]) -> None:
        """Break at the `write`th append from now (1 is the next), and call `then` at that instant.

        With `keep` that write is still safe though nobody hears of it, as when the daemon dies between fsync and answer.
        """
        self._left, self._keeps_last, self._broke = write, keep, then

    def relent(self) -> None:
        """Don't break after all."""
        self._left = None

    def append(self, entry: Entry) -> asyncio.Future[None]:
        """As the parent, until the chosen write."""
        if self.broken:
            return asyncio.get_running_loop().create_future()
        if self._left is None:
            return super().append(entry)
        self._left -= 1
        if self._left:
            return super().append(entry)
        if self._keeps_last:
            super().append(entry)
            super()._settle(len(self._unsafe))
        self.broken = True
        self._broke()
        return asyncio.get_running_loop().create_future()

    def survivors(self) -> FragileJournal:
        """A whole journal with what is safe now, and nothing else."""
        copy = FragileJournal(self._latency_wanted)
        copy._rows = dict(self._rows)
        copy._version = self._version
        return copy

    def _settle(self, count: int) -> None:
        if not self.broken:
            super()._settle(count)


def _nothing() -> None:
    pass
