"""Watches the two processes of a container in the event loop: its first process, and the conmon that reaps it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from hivelet.runtime.spawn import reap

CONMON_PATIENCE = 5.0
"""Seconds that conmon gets after a container's death to write its last words and its exit code; it takes milliseconds."""


class Watch:
    """Calls `on_death` when the first process has died, and `on_end` once, when the container has ended and conmon has said all it has to say.

    That is when both processes have ended. Where conmon ended while the container lived, nobody reaps the container,
    nobody reads its output, and its exit code will not be known. The same comes of a conmon that hangs: it gets some seconds
    after the container's death, and is killed.
    """

    def __init__(
        self,
        pidfd: int | None,
        conmon: int | None,
        *,
        on_death: Callable[[], None],
        on_end: Callable[[], None],
        on_orphan: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_death = on_death
        self._on_end = on_end
        self._on_orphan = on_orphan
        self._pidfd = pidfd
        self._conmon = conmon
        self._limit: asyncio.TimerHandle | None = None
        self._open = {descriptor for descriptor in (pidfd, conmon) if descriptor is not None}
        for descriptor in self._open:
            self._loop.add_reader(descriptor, self._ended, descriptor)
        if pidfd is None:
            self._hurry_conmon()

    @property
    def pidfd(self) -> int | None:
        """The pidfd of the first process while it lives, else None."""
        return self._pidfd if self._pidfd in self._open else None

    def close(self) -> None:
        """Stop watching."""
        if self._limit is not None:
            self._limit.cancel()
        for descriptor in self._open:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        self._open.clear()

    def _ended(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        self._open.discard(descriptor)
        reap(descriptor)
        os.close(descriptor)
        if descriptor == self._pidfd:
            self._on_death()
            self._hurry_conmon()
        if not self._open:
            if self._limit is not None:
                self._limit.cancel()
            self._on_end()
        elif descriptor == self._conmon:
            self._on_orphan()

    def _hurry_conmon(self) -> None:
        if self._conmon in self._open:
            self._limit = self._loop.call_later(CONMON_PATIENCE, self._give_up_conmon)

    def _give_up_conmon(self) -> None:
        if self._conmon is not None and self._conmon in self._open:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._conmon, signal.SIGKILL)
