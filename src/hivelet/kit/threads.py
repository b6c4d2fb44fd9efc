"""Blocking work beside the event loop, whose end is always waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

import structlog

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking `work` in a thread. A cancelled caller still waits for its end: threads can't be stopped."""
    return await to_its_end(asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs)))


async def to_its_end(background: asyncio.Future[T]) -> T:
    """What `background` gives. A cancelled caller waits until it has ended; how it ended is nobody's then but the log's."""
    try:
        return await asyncio.shield(background)
    except asyncio.CancelledError:
        while not background.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([background])
        if not background.cancelled() and (error := background.exception()) is not None:
            log.info("work that nobody waits for any more has failed", error=repr(error))
        raise
