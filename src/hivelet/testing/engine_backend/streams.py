"""The streams of a process that is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hivelet.objects.log import STDOUT


class FakeStreams:
    """A process's streams that say each input again in capitals. `ending` says how a client has left."""

    def __init__(self, *, tty: bool, takes_input: bool) -> None:
        self.tty = tty
        self.takes_input = takes_input
        self.ending = ""
        self.closed = False
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        if not takes_input:
            self._said.put_nowait(b"hello\n")
            self._said.put_nowait(b"")

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What was put in, in capitals."""
        while data := await self._said.get():
            yield STDOUT, data

    async def write(self, data: bytes) -> bool:
        """Take it."""
        self._said.put_nowait(data.upper())
        return True

    def close_input(self) -> None:
        """The end of output, too."""
        self._said.put_nowait(b"")

    def detached(self) -> None:
        """Remembered."""
        self.ending = "detached"

    def close(self) -> None:
        """Remembered."""
        self.closed = True
