"""A clock that a test moves by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""When simulated time begins."""


class ManualClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._now = start

    def now(self) -> datetime:
        """The moment it was moved to."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move it on."""
        self._now += timedelta(seconds=seconds)
        return self._now

    def not_before(self, moment: datetime) -> float:
        """Move it on to `moment`, where it is not there yet."""
        behind = max(0.0, (moment - self._now).total_seconds())
        self.advance(behind)
        return behind

    def steady(self) -> float:
        """Seconds it was moved since simulated time began."""
        return (self._now - EPOCH).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Move on by `seconds`, at once."""
        self.advance(max(0.0, seconds))
