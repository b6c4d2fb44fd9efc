"""The watchdog: the service manager is told that the daemon lives, but only while everything turns that must.

That it is told at all shows that the event loop turns. Each other part has a `Pulse`; one that had work at two looks in a row and did
not come round between them hangs, and then nothing is said, so that systemd ends the daemon and starts it anew (`WatchdogSec`).
What a slow disk or a busy machine holds up for one look is made up for by the next: three fit into the manager's patience.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from hivelet.kit.clock import Clock
from hivelet.kit.pulse import Pulse

log = structlog.get_logger(__name__)

_LOOKS = 3
"""Looks within the time after which the service manager gives the daemon up."""

Pulses = Callable[[], Mapping[str, Pulse]]


class Watchdog:
    """Looks at pulses, and says so where all is well."""

    def __init__(
        self, pulses: Pulses, patience: float, tell: Callable[[str], object], clock: Clock
    ) -> None:
        self._pulses = pulses
        self._every = patience / _LOOKS
        self._tell = tell
        self._clock = clock
        self._seen: dict[str, tuple[Pulse, int]] = {}
        self._told: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look and tell, for ever."""
        while True:
            self.look()
            await self._clock.sleep(self._every)

    def look(self) -> None:
        """One look."""
        hanging = frozenset(self._find_hanging())
        if not hanging:
            self._tell("WATCHDOG=1")
        if hanging - self._told:
            log.error(
                "a part of hiveletd does not turn; the watchdog is not told", parts=sorted(hanging)
            )
        self._told = hanging

    def _find_hanging(self) -> list[str]:
        working = {
            name: (pulse, pulse.turns) for name, pulse in self._pulses().items() if pulse.has_work
        }
        hanging = [name for name, seen in working.items() if self._seen.get(name) == seen]
        self._seen = working
        return hanging
