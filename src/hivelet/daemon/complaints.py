"""What the event loop itself complains of, as lines of our log.

A connection that cannot be accepted for want of a descriptor waits in the queue, and asyncio tries again a second later, with one
complaint for each place of the queue: of each kind one a minute is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from hivelet.kit.host_faults import describe_fault, is_host_fault

log = structlog.get_logger(__name__)

_PAUSE = 60.0


class Complaints:
    """The event loop's exception handler. `steady` gives seconds that nobody can put."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._told: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of one."""
        message, error = str(context.get("message", "")), context.get("exception")
        if not isinstance(error, Exception) or not is_host_fault(error):
            log.error("the event loop complains", work=message, exc_info=error)
            return
        now = self._steady()
        if now - self._told.get(message, -_PAUSE) >= _PAUSE:
            self._told[message] = now
            log.warning(
                "the machine refused what hiveletd needs", work=message, error=describe_fault(error)
            )
