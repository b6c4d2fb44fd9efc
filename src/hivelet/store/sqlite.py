"""The journal as one SQLite file: WAL, synchronous=FULL, its own thread, many commits to one fsync.

The file holds one row for each object (kind, id, sealed JSON) and the number of the newest commit; it is a snapshot that every
transaction moves on, so it never grows with history and needs no compaction. What always holds: a transaction contains whole
commits, in order, so the file is the state after some commit, whenever the power fails.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hivelet.errors import HiveletError, System
from hivelet.kit.failpoints import point
from hivelet.kit.files import sync_directory
from hivelet.kit.pulse import Pulse
from hivelet.kit.sqlite_files import look_after_opening, look_before_opening
from hivelet.objects.plan import Object
from hivelet.store.journal import (
    SCHEMA,
    Entry,
    JournalCorrupt,
    JournalTooNew,
    Saved,
    decode,
    encode,
)
from hivelet.store.meter import JournalMeter
from hivelet.store.migrations import MIGRATIONS
from hivelet.store.sealing import KeyUnusable, Seal, is_locked, keep_key, make_key, read_key
from hivelet.store.tables import KIND_NAMES

_CREATE = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS objects "
    "(kind TEXT NOT NULL, id TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID",
)
_PUT = (
    "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data"
)
_DROP = "DELETE FROM objects WHERE kind = ? AND id = ?"
_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

_LINGER = 0.05
"""Seconds that commits nobody waits for may gather: a disk flush holds up every new file on the file system, and a
burst of status reports would otherwise make dozens of them."""

_ROOM = 1 << 18
"""Bytes that must fit before the journal believes that there is room again: else every commit would be one more try."""

WAY_OUT = "Restore a backup (`hivelet restore`), or move the files of this directory away and start with a new swarm."

Item = tuple[Entry | None, "asyncio.Future[None]", asyncio.AbstractEventLoop]


class SqliteJournal:
    """A journal in a file that one process at a time may open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key_path = path.with_suffix(".key")
        self._seal: Seal | None = None
        self._unlock_key = ""
        self._wake = threading.Condition()
        self._items: list[Item] = []
        self._urgent = False
        self._ending = False
        self._failure: System | None = None
        self._thread: threading.Thread | None = None
        self._db: sqlite3.Connection | None = None
        self.meter = JournalMeter(path)
        self._writing = False
        self.pulse = Pulse(lambda: self._writing or bool(self._items))

    async def load(self, unlock_key: str = "") -> Saved:
        """Open the file, make it where there is none, and read everything.

        Raises:
            JournalCorrupt, JournalTooNew, KeyUnusable: with the way out in the sentence.
            SwarmLocked, UnlockKeyWrong: the key file needs an unlock key, or another one.
        """
        saved = await asyncio.to_thread(self._open, unlock_key)
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
        if unlock_key == self._unlock_key or self._seal is None:
            return
        try:
            await asyncio.to_thread(keep_key, self._key_path, self._seal, unlock_key)
        except OSError as error:
            raise System(f"the key {self._key_path} can't be written: {error.strerror}") from error
        self._unlock_key = unlock_key

    async def discard(self) -> None:
        """Remove the files."""
        await asyncio.to_thread(self._remove)

    def _remove(self) -> None:
        # The state first: without it a key is harmless, while a state without its key is refused.
        for suffix in (".db", ".db-wal", ".db-shm", ".key"):
            self._path.with_suffix(suffix).unlink(missing_ok=True)
        sync_directory(self._path.parent)

    def _open(self, unlock_key: str) -> Saved:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            look_before_opening(self._path, flushed=True, known=self._key_path.exists())
            # Only ever used by one thread at a time: this one until it returns, the journal's after that.
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            look_after_opening(self._db)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            for statement in _CREATE:
                self._db.execute(statement)
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            self._seal = self._prepare_key(meta, unlock_key)
            self._unlock_key = unlock_key if is_locked(self._key_path) else ""
            rows = self._db.execute("SELECT kind, id, data FROM objects").fetchall()
        except sqlite3.OperationalError as error:
            self._release()
            # The file system's fault, not the file's: nothing may be moved away for that.
            raise System(
                f"the cluster state in {self._path} can't be opened: {error}. Its file system is full, read-only or "
                "broken: mend that, and start again; running tasks go on."
            ) from error
        except sqlite3.DatabaseError as error:
            self._release()
            raise JournalCorrupt(
                f"the cluster state in {self._path} can't be read: {error}. {WAY_OUT}"
            ) from error
        except HiveletError:
            self._release()
            raise
        self._path.chmod(0o600)
        saved = Saved(meta.get("version", 0), tuple(self._decode(row) for row in rows))
        self._check_version(saved)
        return saved

    def _check_version(self, saved: Saved) -> None:
        """The number of the newest commit is the one thing that is not sealed; what it must not be is told by what is."""
        newest = max((obj.meta.version.index for obj in saved.objects), default=0)
        if newest > saved.version:
            self._release()
            raise JournalCorrupt(
                f"the cluster state in {self._path} can't be read: its version is {saved.version}, and it has an "
                f"object of version {newest}. {WAY_OUT}"
            )

    def _check_schema(self, meta: dict[str, int]) -> int:
        """The format of the file; the present one for a new file."""
        assert self._db is not None
        ((records,),) = self._db.execute("SELECT count(*) FROM objects")
        schema = meta.get("schema", 0 if records else SCHEMA)
        if schema > SCHEMA:
            raise JournalTooNew(
                f"the cluster state in {self._path} has format {schema}, this hivelet knows formats up to "
                f"{SCHEMA}. Start the version that wrote it, or a later one."
            )
        if schema < 1:
            raise JournalCorrupt(
                f"the cluster state in {self._path} can't be read: it has no format. {WAY_OUT}"
            )
        return schema

    def _prepare_key(self, meta: dict[str, int], unlock_key: str) -> Seal:
        """The key of the file, whose format is the present one from then on; for a new file, and for one of format 1, one is made.

        A key that is there is never replaced: whatever this file is, it may be the key of another.
        """
        assert self._db is not None
        schema = self._check_schema(meta)
        if meta.get("schema") == SCHEMA or self._key_path.exists():
            seal = read_key(self._key_path, unlock_key)
        else:
            seal = make_key(self._key_path)
        if meta.get("schema") == SCHEMA:
            return seal
        try:
            with self._transaction():
                for step in range(schema, SCHEMA):
                    MIGRATIONS[step](self._db, seal)
                self._db.execute(_META, ("schema", SCHEMA))
        except JournalCorrupt as error:
            raise JournalCorrupt(
                f"the cluster state in {self._path} can't be read: {error.message}. {WAY_OUT}"
            ) from error
        if schema < SCHEMA:
            # What was there before, in plain it may be, must not stay in free pages, nor in the write-ahead log.
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return seal

    def _decode(self, row: tuple[str, str, bytes]) -> Object:
        kind, id_, record = row
        assert self._seal is not None
        try:
            return decode(kind, id_, self._seal.open(kind, id_, record))
        except KeyUnusable as error:
            self._release()
            raise KeyUnusable(
                f"the key {self._key_path} does not fit {self._path}: {error.message}. "
                "Put both files back from the same backup."
            ) from error
        except (JournalCorrupt, ValueError) as error:
            self._release()
            raise JournalCorrupt(
                f"{kind} {id_} in {self._path} can't be read: {error}. {WAY_OUT}"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        assert self._db is not None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except (sqlite3.Error, HiveletError):
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _release(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

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
                entries = [entry for entry, _, _ in items if entry is not None]
                try:
                    with self.meter.flushing(len(entries)):
                        self._write(entries)
                except sqlite3.Error as failure:
                    self._failure = System(f"{self._path}: {failure}")
            _answer(items, self._failure)
        self._release()

    def _gather(self) -> tuple[list[Item], bool]:
        with self._wake:
            self._wake.wait_for(lambda: self._items or self._ending)
            self._wake.wait_for(lambda: self._urgent or self._ending, timeout=_LINGER)
            items, self._items, self._urgent = self._items, [], False
            self._writing = bool(items)
            return items, self._ending

    def _try_room(self) -> None:
        assert self._db is not None
        with self._transaction():
            self._db.execute(_META, ("room", bytes(_ROOM)))
        with self._transaction():
            self._db.execute("DELETE FROM meta WHERE key = 'room'")

    def _write(self, entries: list[Entry]) -> None:
        seal = self._seal
        assert self._db is not None
        assert seal is not None
        if not entries:
            self._try_room()
            return
        # Within one transaction only an object's last value matters.
        latest: dict[tuple[type[Any], str], Object | None] = {}
        for entry in entries:
            latest.update({(type(obj), obj.id): obj for obj in entry.puts})
            latest.update(dict.fromkeys(entry.drops))
        puts = [
            (KIND_NAMES[kind], id_, seal.shut(KIND_NAMES[kind], id_, encode(obj)))
            for (kind, id_), obj in latest.items()
            if obj is not None
        ]
        drops = [(KIND_NAMES[kind], id_) for (kind, id_), obj in latest.items() if obj is None]
        point("journal.begin")
        with self._transaction():
            self._db.executemany(_PUT, puts)
            self._db.executemany(_DROP, drops)
            self._db.execute(_META, ("version", entries[-1].version))
            point("journal.commit")
        point("journal.answer")


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
