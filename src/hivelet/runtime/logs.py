"""Reads the log of a container: the end of it, from a moment on, or on and on as it grows.

Follows by inotify, not by polling. The file may meanwhile be cut (the size got smaller) or replaced (another file has its
name); what was not read of the old file is read first. What the bytes mean is decided in `logfile`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

from hivelet.objects.log import LogOptions, LogRecord
from hivelet.runtime.inotify import shared_inotify
from hivelet.runtime.logfile import LogParser, is_past, is_wanted, tail_start

_BLOCK = 64 * 1024


async def read_log(
    path: Path, options: LogOptions, *, until_end: Awaitable[object] | None = None
) -> AsyncIterator[LogRecord]:
    """The records that `options` asks for. A missing log is an empty one.

    Follows the log only where `until_end` is given, until that is done and all is read: it is the container's end, by when
    conmon has written everything.
    """
    ended = None if until_end is None else asyncio.ensure_future(until_end)
    try:
        log = _OpenLog(path)
    except FileNotFoundError:
        if ended is not None:
            ended.cancel()
        return
    try:
        if options.tail is not None:
            log.seek_tail(options.tail)
        async with aclosing(_batches(log, ended)) as batches:
            async for batch in batches:
                for record in batch:
                    if is_past(record, options):
                        return
                    if is_wanted(record, options):
                        yield record
    finally:
        log.close()
        if ended is not None:
            ended.cancel()


async def _batches(
    log: _OpenLog, ended: asyncio.Future[object] | None
) -> AsyncGenerator[list[LogRecord], None]:
    """All there is from the log's place on; with `ended`, what is added until then, too."""
    while True:
        # Asked before reading: what comes after that sets the event, what came before is read.
        changed = None if ended is None else log.changed()
        last = ended is None or ended.done()
        while (batch := log.read()) is not None:
            yield batch
            await asyncio.sleep(0)  # a long log is not read at the expense of everything else
        if log.reopened():
            continue
        if last or ended is None or changed is None:
            yield log.rest()
            return
        await _either(changed, ended)


async def _either(changed: asyncio.Event, ended: asyncio.Future[object]) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(changed.wait())
    both: set[asyncio.Future[Any]] = {waiting, ended}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


class _OpenLog:
    """The log file with a place in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = LogParser()
        self._offset = 0
        self._watch = ExitStack()
        self._changed: asyncio.Event | None = None
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the file."""
        self._watch.close()
        os.close(self._descriptor)

    def seek_tail(self, lines: int) -> None:
        """Go to where the last `lines` lines begin."""
        self._offset = tail_start(self._backward(), lines)

    def changed(self) -> asyncio.Event:
        """An event that is set when the file changes after this call."""
        if self._changed is None:
            # By descriptor, so that it is the very file we read, whatever its name leads to by now.
            opened = Path(f"/proc/self/fd/{self._descriptor}")
            self._changed = self._watch.enter_context(shared_inotify().watching(opened))
        self._changed.clear()
        return self._changed

    def read(self) -> list[LogRecord] | None:
        """The records of the next piece of the file; None at its present end."""
        data = os.pread(self._descriptor, _BLOCK, self._offset)
        if not data:
            if os.fstat(self._descriptor).st_size >= self._offset:
                return None
            self._offset = 0  # it has been cut
            return self._parser.flush()
        self._offset += len(data)
        return self._parser.feed(data)

    def reopened(self) -> bool:
        """Whether another file has the name now; then that is the one to read on in."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        if os.path.sameopenfile(descriptor, self._descriptor):
            os.close(descriptor)
            return False
        self.close()
        self._watch, self._changed = ExitStack(), None
        self._descriptor, self._offset = descriptor, 0
        return True

    def rest(self) -> list[LogRecord]:
        """What the log ends with that is no whole line."""
        return self._parser.flush()

    def _backward(self) -> Iterator[tuple[int, bytes]]:
        end = os.fstat(self._descriptor).st_size
        while end > 0:
            begin = max(0, end - _BLOCK)
            yield begin, os.pread(self._descriptor, end - begin, begin)
            end = begin
