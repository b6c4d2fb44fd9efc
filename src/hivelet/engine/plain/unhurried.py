"""Output of a container for a client that may be slow, or may have ceased to read without leaving.

A slow client holds the container up, so that it misses nothing. One that takes nothing at all for `PATIENCE` seconds does so no
longer: what it does not take is left out from then on, and it is told so at that place once it reads again. The log
has it all. So neither the container nor anybody else who reads from it waits for ever.

What always holds: no more than `AHEAD` bytes are kept for one client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

AHEAD = 1 << 20
PATIENCE = 30.0


class Unhurried:
    """Takes what a container writes, and hands it on as fast as it is asked for. Notices are said on the stream `speaks`."""

    def __init__(
        self,
        source: AsyncIterator[tuple[int, bytes]],
        *,
        speaks: int,
        patience: float = PATIENCE,
        ahead: int = AHEAD,
    ) -> None:
        self._source = source
        self._speaks = speaks
        self._patience = patience
        self._ahead = ahead
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._left_out = 0
        self._given_up = False
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    async def output(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """What the container writes, until it ends."""
        taking = asyncio.ensure_future(self._take())
        try:
            while True:
                while self._waiting:
                    stream, data = self._waiting.popleft()
                    self._size -= len(data)
                    self._given_up = False
                    self._went.set()
                    yield stream, data
                if self._left_out:
                    self._tell()
                elif taking.done():
                    taking.result()
                    return
                else:
                    self._came.clear()
                    await self._came.wait()
        finally:
            taking.cancel()
            with suppress(asyncio.CancelledError):
                await taking

    async def _take(self) -> None:
        try:
            async for stream, data in self._source:
                if not await self._has_room(len(data)):
                    self._left_out += len(data)
                    continue
                if self._left_out:
                    self._tell()
                self._waiting.append((stream, data))
                self._size += len(data)
                self._came.set()
        finally:
            self._came.set()

    async def _has_room(self, size: int) -> bool:
        while self._size and self._size + size > self._ahead:
            if self._given_up:
                return False
            self._went.clear()
            try:
                async with asyncio.timeout(self._patience):
                    await self._went.wait()
            except TimeoutError:
                self._given_up = True
        return True

    def _tell(self) -> None:
        text = (
            f"\r\n[hivelet: {self._left_out} bytes of output are left out here, for nobody read them for "
            f"{self._patience:g} s; the container's log has them]\r\n"
        )
        self._left_out = 0
        self._waiting.append((self._speaks, text.encode()))
        self._size += len(text)
