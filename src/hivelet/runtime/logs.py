"""Reads the log of a container: the end of it, from a moment on, or on and on as it grows.

Follows by inotify, not by polling. The log may be several files (`log_files`), and its file may meanwhile be cut (the size
got smaller) or replaced (another file has its name): what was not read of the older files is read first. What the bytes
mean is decided in `logfile`.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

from hivelet.objects.log import LogOptions, LogRecord
from hivelet.runtime.inotify import shared_inotify
from hivelet.runtime.log_files import LogFile, log_files
from hivelet.runtime.logfile import LogParser, is_all_wanted, is_past, is_wanted, tail_start

_BLOCK = 64 * 1024

_AHEAD = 100
"""Files that a reader may have open ahead of the one that it is in."""


async def read_log(
    path: Path,
    options: LogOptions,
    *,
    files: int = 1,
    until_end: Awaitable[object] | None = None,
) -> AsyncIterator[LogRecord]:
    """The records of `read_log_batches`, one by one."""
    reading = read_log_batches(path, options, files=files, until_end=until_end)
    async with aclosing(reading) as batches:
        async for batch in batches:
            for record in batch:
                yield record


async def read_log_batches(
    path: Path,
    options: LogOptions,
    *,
    files: int = 1,
    until_end: Awaitable[object] | None = None,
) -> AsyncGenerator[Sequence[LogRecord], None]:
    """The records that `options` asks for, as many at a time as there are. A missing log is an empty one.

    The log has so many `files` at most.

    Follows the log only where `until_end` is given, until that is done and all is read: it is the container's end, by when
    conmon has written everything.
    """
    ended = None if until_end is None else asyncio.ensure_future(until_end)
    try:
        log = _OpenLog(path, files, options.tail)
    except FileNotFoundError:
        if ended is not None:
            ended.cancel()
        return
    everything = is_all_wanted(options)
    try:
        async with aclosing(_batches(log, ended)) as batches:
            async for batch in batches:
                if everything:
                    yield batch
                    continue
                wanted = [record for record in batch if is_wanted(record, options)]
                present = [record for record in wanted if not is_past(record, options)]
                if present:
                    yield present
                if len(present) < len(wanted):
                    return
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
        # Asked before reading, too: once there is a next file, nothing more comes to this one.
        more = log.look_ahead()
        while (batch := log.read()) is not None:
            yield batch
            await asyncio.sleep(0)  # a long log is not read at the expense of everything else
            log.look_ahead()
        if more:
            log.go_on()
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
    """A log with a place in one of its files."""

    def __init__(self, path: Path, files: int, tail: int | None) -> None:
        self._path = path
        self._files = files
        self._parser = LogParser()
        self._watch = ExitStack()
        self._changed: asyncio.Event | None = None
        self._descriptor, self._offset = _open_at_tail(path, files, tail)
        self._ahead: deque[int] = deque()

    def close(self) -> None:
        """Let go of the files."""
        self._leave()
        while self._ahead:
            os.close(self._ahead.pop())

    def _leave(self) -> None:
        self._watch.close()
        os.close(self._descriptor)

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

    def look_ahead(self) -> bool:
        """Whether there are files after this one. They are opened as they come, and so outlive their names.

        Who does not look loses what is not kept: the next is the oldest that is. Whoever reads slowly thus holds no disk.
        """
        if len(self._ahead) >= _AHEAD:
            return True
        latest = os.fstat(self._ahead[-1] if self._ahead else self._descriptor).st_ino
        files = log_files(self._path, self._files)
        place = next((n for n, file in enumerate(files) if file.inode == latest), len(files))
        for file in reversed(files[:place]):
            descriptor = _open_as(file)
            if descriptor is None:
                break  # it has been moved in this moment: the next look finds it
            self._ahead.append(descriptor)
        return bool(self._ahead)

    def go_on(self) -> None:
        """Read on in the next file; half a raw line at the end of this one will never be whole."""
        self._parser.drop_half()
        self._leave()
        self._watch, self._changed = ExitStack(), None
        self._descriptor, self._offset = self._ahead.popleft(), 0

    def rest(self) -> list[LogRecord]:
        """What the log ends with that is no whole line."""
        return self._parser.flush()


def _open_as(file: LogFile) -> int | None:
    """Open a file as it was looked up; None where its name leads to another one by now."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if os.fstat(descriptor).st_ino == file.inode:
        return descriptor
    os.close(descriptor)
    return None


def _open_at_tail(path: Path, most: int, tail: int | None) -> tuple[int, int]:
    """The file, and the place in it, where a log's last `tail` lines begin; None is all of them.

    Raises:
        FileNotFoundError: there is no log.
    """
    while files := log_files(path, most):
        begins = _begins(files)
        start = 0 if tail is None else tail_start(_backward(begins), tail)
        begin, file = next(each for each in begins if each[0] <= start)
        descriptor = _open_as(file)
        if descriptor is not None:
            return descriptor, start - begin
    raise FileNotFoundError(path)


def _begins(files: Sequence[LogFile]) -> list[tuple[int, LogFile]]:
    """Where each file would begin if they were one; the newest first, as they come."""
    place = sum(file.size for file in files)
    found: list[tuple[int, LogFile]] = []
    for file in files:
        place -= file.size
        found.append((place, file))
    return found


def _backward(begins: Sequence[tuple[int, LogFile]]) -> Iterator[tuple[int, bytes]]:
    """All files from their ends to their starts, as one."""
    for begin, file in begins:
        descriptor = _open_as(file)
        if descriptor is None:
            return  # moved up in this moment; the tail is then what was found by now
        try:
            end = file.size
            while end > 0:
                start = max(0, end - _BLOCK)
                yield begin + start, os.pread(descriptor, end - start, start)
                end = start
        finally:
            os.close(descriptor)
