"""Watches the two processes of a container in the event loop: its first process, and the conmon that reaps it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from hivelet.runtime.spawn import reap


class Watch:
    """Calls `on_death` when the first process has died, and `on_end` once, when the container has ended and conmon has said all it has to say.

    That is when both processes have ended. Where conmon ended while the container lived, nobody reaps the container,
    nobody reads its output, and its exit code will not be known.
    """

    def __init__(
        self,
        pidfd: int | None,
        conmon: int | None,
        *,
        on_death: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_death = on_death
        self._on_end = on_end
        self._pidfd = pidfd
        self._open = {descriptor for descriptor in (pidfd, conmon) if descriptor is not None}
        for descriptor in self._open:
            self._loop.add_reader(descriptor, self._ended, descriptor)

    @property
    def pidfd(self) -> int | None:
        """The pidfd of the first process while it lives, else None."""
        return self._pidfd if self._pidfd in self._open else None

    def close(self) -> None:
        """Stop watching."""
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
        if not self._open:
            self._on_end()
