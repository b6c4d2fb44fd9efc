"""The journal as one SQLite file: its own thread, many commits to one fsync.

What always holds: a transaction contains whole commits, in order, so the file (`state_file.py`) is the state after some commit,
whenever the power fails.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.pulse import Pulse
from hivelet.kit.sqlite_faults import describe_sqlite_fault
from hivelet.store.journal import Entry, Saved
from hivelet.store.meter import JournalMeter
from hivelet.store.state_file import StateFile

_LINGER = 0.05
"""Seconds that commits nobody waits for may gather: a disk flush holds up every new file on the file system, and a
burst of status reports would otherwise make dozens of them."""

Item = tuple[Entry | None, "asyncio.Future[None]", asyncio.AbstractEventLoop]


class SqliteJournal:
    """A journal in a file that one process at a time may open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Only ever used by one thread at a time: the one that loads until it is done, the journal's after that.
        self._file = StateFile(path)
        self._wake = threading.Condition()
        self._items: list[Item] = []
        self._urgent = False
        self._ending = False
        self._failure: System | None = None
        self._thread: threading.Thread | None = None
        self.meter = JournalMeter(path)
        self._writing = False
        self.pulse = Pulse(lambda: self._writing or bool(self._items))

    async def load(self, unlock_key: str = "") -> Saved:
        """Open the file, make it where there is none, and read everything.

        Raises:
            JournalCorrupt, JournalTooNew, KeyUnusable: with the way out in the sentence.
            SwarmLocked, UnlockKeyWrong: the key file needs an unlock key, or another one.
        """
        saved = await asyncio.to_thread(self._file.open, unlock_key)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        return saved

    def append(self, entry: Entry) -> asyncio.Future[None]:
        """Take a commit in; the future is done once it is on the disk, soon by itself, at once after `hurry`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._wake:
            self._items.append((entry, future, loop))
            self._wake.notify()
        return future

    async def retry(self) -> None:
        """Try whether something can be written by now, and take commits again if it can.

        Raises:
            System: it still can't; the message says why.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._wake:
            self._items.append((None, future, loop))
            self._urgent = True
            self._wake.notify()
        await future

    def hurry(self) -> None:
        """Somebody waits: write what was taken in without delay."""
        with self._wake:
            self._urgent = True
            self._wake.notify()

    async def close(self) -> None:
        """Write out what was taken in, and close the file."""
        if self._thread is not None:
            with self._wake:
                self._ending = True
                self._wake.notify()
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def protect(self, unlock_key: str) -> None:
        """Seal the key under this one; "" for not at all.

        Raises:
            System: the key file can't be written; it is as before.
        """
        if unlock_key != self._file.unlock_key:
            await asyncio.to_thread(self._file.protect, unlock_key)

    async def discard(self) -> None:
        """Remove the files."""
        await asyncio.to_thread(self._file.remove)

    def _run(self) -> None:
        """The thread: whatever is queued becomes one transaction."""
        ended = False
        while not ended:
            self._writing = False
            self.pulse.turn()
            items, ended = self._gather()
            if not items:
                continue
            if any(entry is None for entry, _, _ in items):
                # Who tries again has taken back whatever was queued before, so that must not be kept.
                _answer([item for item in items if item[0] is not None], self._failure)
                items = [item for item in items if item[0] is None]
                self._failure = None
            if self._failure is None:
                self._write([entry for entry, _, _ in items if entry is not None])
            _answer(items, self._failure)
        self._file.close()

    def _gather(self) -> tuple[list[Item], bool]:
        with self._wake:
            self._wake.wait_for(lambda: self._items or self._ending)
            self._wake.wait_for(lambda: self._urgent or self._ending, timeout=_LINGER)
            items, self._items, self._urgent = self._items, [], False
            self._writing = bool(items)
            return items, self._ending

    def _write(self, entries: list[Entry]) -> None:
        try:
            with self.meter.flushing(len(entries)):
                if entries:
                    self._file.write(entries)
                else:
                    self._file.try_room()
        except sqlite3.Error as failure:
            why = describe_sqlite_fault(self._path, failure) or str(failure)
            self._failure = System(f"{self._path}: {why}")


def _answer(items: list[Item], error: Exception | None) -> None:
    if not items:
        return
    loop = items[0][2]

    def resolve() -> None:
        for _, future, _ in items:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    # The loop may have been closed meanwhile; then nobody is waiting any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(resolve)
