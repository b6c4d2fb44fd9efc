"""The streams of a process as the API gets them, whether it is a container's first process or a further one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from hivelet.objects.log import STDERR, STDOUT
from hivelet.runtime.attach import Attachment


def _nothing() -> None:
    """Where nobody wants to know."""


@dataclass(slots=True, kw_only=True)
class Streams:
    """An attachment, of which a client takes what it asked for."""

    attachment: Attachment
    tty: bool
    takes_input: bool
    stdout: bool = True
    stderr: bool = True
    on_detach: Callable[[], None] = _nothing
    ended: asyncio.Event | None = None
    """Set when it is known how the process has ended: clients ask for its exit code as soon as the output ends."""

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What the process writes; what nobody asked for is read and dropped, so that it never holds the process up."""
        wanted = {STDOUT} if self.stdout else set()
        wanted |= {STDERR} if self.stderr else set()
        async for stream, data in self.attachment.output():
            if stream in wanted:
                yield stream, data
        if self.ended is not None:
            await self.ended.wait()

    async def write(self, data: bytes) -> bool:
        """Give it input; False where it takes no more."""
        return await self.attachment.write(data)

    def close_input(self) -> None:
        """There is no more input."""
        self.attachment.close_input()

    def detached(self) -> None:
        """The user has left by the detach keys."""
        self.on_detach()

    def close(self) -> None:
        """The end of it, however it came."""
        self.attachment.close()
