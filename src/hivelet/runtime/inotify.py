"""The door to inotify: one instance for each event loop, however many files are watched.

The kernel allows few instances to a user (128 by default), so a hundred followers of logs must share one. Where another program
has used up what there is, a file is looked at every half second instead, until there are watches again.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from hivelet.errors import System

log = structlog.get_logger(__name__)

MODIFIED = 0x2
ATTRIBUTES = 0x4
MOVED_SELF = 0x800
DELETED_SELF = 0x400
MOVED_IN = 0x80
"""Of a folder: something in it has been given a name."""
CHANGED = MODIFIED | ATTRIBUTES | MOVED_SELF | DELETED_SELF
"""Written to, cut, renamed or replaced (the file that is replaced loses a link, which is an attribute)."""

_HEADER = struct.Struct("iIII")
_IGNORED = 0x8000
_OVERFLOW = 0x4000

_USED_UP = {errno.EMFILE, errno.ENFILE, errno.ENOSPC}
"""What the kernel says where no instance, descriptor or watch is left (inotify_init1(2), inotify_add_watch(2))."""

_LOOK_EVERY = 0.5


class Inotify:
    """File changes as events of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = -1
        self._watched: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._loop = loop
        self._told = False

    @contextmanager
    def watching(self, path: Path, changes: int = CHANGED) -> Iterator[asyncio.Event]:
        """An event that is set at every change of the file at `path`, as it is now.

        All who watch one file name the same `changes`: the kernel keeps one set for each file.

        Raises:
            FileNotFoundError: there is none.
        """
        changed = asyncio.Event()
        watch = self._add(path, changes)
        if watch is None:
            with self._looking_again(changed):
                yield changed
            return
        self._watched[watch].add(changed)
        try:
            yield changed
        finally:
            listeners = self._watched.get(watch, set())
            listeners.discard(changed)
            if not listeners and self._watched.pop(watch, None) is not None:
                self._library.inotify_rm_watch(self._descriptor, watch)

    def close(self) -> None:
        """Let go of the instance."""
        if self._descriptor < 0:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1

    def _add(self, path: Path, changes: int) -> int | None:
        """The number of a new watch; None where there is none to have."""
        if self._descriptor < 0:
            self._descriptor = self._library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
            if self._descriptor < 0:
                self._refused("inotify cannot be used")
                return None
            self._loop.add_reader(self._descriptor, self._read)
        watch: int = self._library.inotify_add_watch(self._descriptor, os.fsencode(path), changes)
        if watch < 0:
            self._refused(f"{path} cannot be watched")
            return None
        self._told = False
        return watch

    def _refused(self, what: str) -> None:
        """Say once that nothing is left; any other refusal is an error."""
        if ctypes.get_errno() not in _USED_UP:
            raise _error(what)
        if not self._told:
            self._told = True
            log.warning(
                "inotify is used up: logs are looked at every half second instead; "
                "raise fs.inotify.max_user_watches and max_user_instances",
                error=_error(what).args[0],
            )

    @contextmanager
    def _looking_again(self, changed: asyncio.Event) -> Iterator[None]:
        """Set the event every half second."""
        timers: list[asyncio.TimerHandle] = []

        def look() -> None:
            changed.set()
            timers[:] = [self._loop.call_later(_LOOK_EVERY, look)]

        look()
        try:
            yield
        finally:
            timers[0].cancel()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            watch, mask, _, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size + length
            self._tell(watch, mask)

    def _tell(self, watch: int, mask: int) -> None:
        if mask & _OVERFLOW:
            for listeners in self._watched.values():
                for changed in listeners:
                    changed.set()
            return
        for changed in self._watched.get(watch, ()):
            changed.set()
        if mask & _IGNORED:
            # The kernel has dropped the watch with its file; the number may be given out again.
            self._watched.pop(watch, None)


def _error(what: str) -> OSError | System:
    number = ctypes.get_errno()
    if number == 2:
        return FileNotFoundError(number, os.strerror(number))
    return System(f"{what}: {os.strerror(number)}")


_INSTANCES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Inotify] = (
    weakref.WeakKeyDictionary()
)


def shared_inotify() -> Inotify:
    """The running loop's instance."""
    loop = asyncio.get_running_loop()
    found = _INSTANCES.get(loop)
    if found is None:
        found = _INSTANCES[loop] = Inotify(loop)
    return found
