"""Attaching to a container's first process, also before it has been started: `docker run` attaches first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from hivelet.engine.execs.streams import Streams
from hivelet.engine.plain.unhurried import Unhurried
from hivelet.errors import HiveletError
from hivelet.objects.log import STDERR, STDOUT, LogOptions
from hivelet.objects.streams import AttachWish
from hivelet.runtime.attach import Attachment
from hivelet.runtime.logs import read_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Who is told that a client has left: by the detach keys, or before there were any streams."""

    detached: Callable[[], None]
    early: Callable[[], None]


class LateStreams:
    """Streams of a process that may not be there yet. Until it is, input waits with whoever sends it."""

    def __init__(
        self,
        wish: AttachWish,
        ready: asyncio.Future[Attachment],
        *,
        tty: bool,
        log: Path,
        log_files: int,
        leave: Leave,
    ) -> None:
        self._wish = wish
        self._ready = ready
        self._log = log
        self._log_files = log_files
        self._leave = leave
        self.tty = tty
        self.takes_input = wish.stdin

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What was written before, where that is asked for; then what is written, until the end."""
        wish = self._wish
        if wish.logs:
            options = LogOptions(stdout=wish.stdout, stderr=wish.stderr)
            async for record in read_log(self._log, options, files=self._log_files):
                yield record.stream, record.line
        if not wish.stream:
            return
        attachment = await self._attached()
        if attachment is None:
            return
        streams = Streams(
            attachment=attachment,
            tty=self.tty,
            takes_input=wish.stdin,
            stdout=wish.stdout,
            stderr=wish.stderr,
        )
        speaks = STDERR if wish.stderr and not self.tty else STDOUT
        async with aclosing(Unhurried(streams.output(), speaks=speaks).output()) as output:
            async for stream, data in output:
                yield stream, data

    async def write(self, data: bytes) -> bool:
        """Give it input; False where it takes no more."""
        attachment = await self._attached()
        return attachment is not None and await attachment.write(data)

    def close_input(self) -> None:
        """There is no more input: said as soon as there is somebody to say it to."""
        self._ready.add_done_callback(_close_input)

    def detached(self) -> None:
        """The user has left by the detach keys."""
        self._leave.detached()

    def close(self) -> None:
        """The end of it, however it came."""
        if self._ready.done():
            _close(self._ready)
        elif self._ready.cancel():
            self._leave.early()

    async def _attached(self) -> Attachment | None:
        with suppress(HiveletError):
            return await asyncio.shield(self._ready)
        return None


def _close_input(ready: asyncio.Future[Attachment]) -> None:
    if not ready.cancelled() and ready.exception() is None:
        ready.result().close_input()


def _close(ready: asyncio.Future[Attachment]) -> None:
    if not ready.cancelled() and ready.exception() is None:
        ready.result().close()
