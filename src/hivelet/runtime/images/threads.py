"""Blocking work beside the event loop, whose end is always waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking `work` in a thread. A cancelled caller still waits for its end: threads can't be stopped."""
    background = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(background)
    except asyncio.CancelledError:
        while not background.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([background])
        raise
