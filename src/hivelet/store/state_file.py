"""The cluster's state as one SQLite file and its key: opened, checked, brought to the present format, written in transactions.

The file holds one row for each object (kind, id, sealed JSON) and the number of the newest commit; it is a snapshot that every
transaction moves on, so it never grows with history and needs no compaction. Blocking: one thread at a time uses it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hivelet.errors import HiveletError, System
from hivelet.kit.failpoints import point
from hivelet.kit.files import sync_directory
from hivelet.kit.sqlite_faults import describe_sqlite_fault
from hivelet.kit.sqlite_files import connect, look_before_opening
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

_ROOM = 1 << 18
"""Bytes that must fit before the journal believes that there is room again: else every commit would be one more try."""

WAY_OUT = "Restore a backup (`hivelet restore`), or move the files of this directory away and start with a new swarm."


class StateFile:
    """A state in a file that one process at a time may open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key_path = path.with_suffix(".key")
        self._seal: Seal | None = None
        self.unlock_key = ""
        """What the key is sealed under; "" for not at all."""
        self._db: sqlite3.Connection | None = None

    def open(self, unlock_key: str) -> Saved:
        """Open it, make it where there is none, and read everything. After an error nothing is open.

        Raises:
            System: the file system does not let it be opened.
            JournalCorrupt, JournalTooNew, KeyUnusable: with the way out in the sentence.
            SwarmLocked, UnlockKeyWrong: the key file needs an unlock key, or another one.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._load(unlock_key)
        except sqlite3.DatabaseError as error:
            self.close()
            # Where it is the file system's fault, not the file's, nothing may be moved away.
            if fault := describe_sqlite_fault(self._path, error):
                raise System(
                    f"the cluster state in {self._path} can't be opened: {fault}, and start again; running tasks go on"
                ) from error
            raise self._unreadable(error) from error
        except HiveletError:
            self.close()
            raise

    def write(self, entries: Sequence[Entry]) -> None:
        """These commits, one after the other, in one transaction.

        Raises:
            sqlite3.Error: none of them is written.
        """
        # Within one transaction only an object's last value matters.
        latest: dict[tuple[type[Any], str], Object | None] = {}
        for entry in entries:
            latest.update({(type(obj), obj.id): obj for obj in entry.puts})
            latest.update(dict.fromkeys(entry.drops))
        assert self._seal is not None
        puts = [
            (KIND_NAMES[kind], id_, self._seal.shut(KIND_NAMES[kind], id_, encode(obj)))
            for (kind, id_), obj in latest.items()
            if obj is not None
        ]
        drops = [(KIND_NAMES[kind], id_) for (kind, id_), obj in latest.items() if obj is None]
        point("journal.begin")
        with self._transaction() as db:
            db.executemany(_PUT, puts)
            db.executemany(_DROP, drops)
            db.execute(_META, ("version", entries[-1].version))
            point("journal.commit")
        point("journal.answer")

    def try_room(self) -> None:
        """Write something of some size, and take it away again.

        Raises:
            sqlite3.Error: there is no room for it.
        """
        with self._transaction() as db:
            db.execute(_META, ("room", bytes(_ROOM)))
        with self._transaction() as db:
            db.execute("DELETE FROM meta WHERE key = 'room'")

    def protect(self, unlock_key: str) -> None:
        """Seal the key under this one; "" for not at all.

        Raises:
            System: the key file can't be written; it is as before.
        """
        if self._seal is None:
            return
        try:
            keep_key(self._key_path, self._seal, unlock_key)
        except OSError as error:
            raise System(f"the key {self._key_path} can't be written: {error.strerror}") from error
        self.unlock_key = unlock_key

    def remove(self) -> None:
        """Remove the files."""
        # The state first: without it a key is harmless, while a state without its key is refused.
        for suffix in (".db", ".db-wal", ".db-shm", ".key"):
            self._path.with_suffix(suffix).unlink(missing_ok=True)
        sync_directory(self._path.parent)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _load(self, unlock_key: str) -> Saved:
        look_before_opening(self._path, flushed=True, known=self._key_path.exists())
        self._db = db = connect(self._path, _prepare)
        meta = dict(db.execute("SELECT key, value FROM meta"))
        self._seal = seal = self._prepare_key(db, meta, unlock_key)
        self.unlock_key = unlock_key if is_locked(self._key_path) else ""
        rows = db.execute("SELECT kind, id, data FROM objects").fetchall()
        saved = Saved(meta.get("version", 0), tuple(self._decode(seal, *row) for row in rows))
        # The number of the newest commit is the one thing that is not sealed; what it must not be is told by what is.
        newest = max((obj.meta.version.index for obj in saved.objects), default=0)
        if newest > saved.version:
            raise self._unreadable(
                f"its version is {saved.version}, and it has an object of version {newest}"
            )
        return saved

    def _check_schema(self, db: sqlite3.Connection, meta: dict[str, int]) -> int:
        """The format of the file; the present one for a new file."""
        ((records,),) = db.execute("SELECT count(*) FROM objects")
        schema = meta.get("schema", 0 if records else SCHEMA)
        if schema > SCHEMA:
            raise JournalTooNew(
                f"the cluster state in {self._path} has format {schema}, this hivelet knows formats up to "
                f"{SCHEMA}. Start the version that wrote it, or a later one."
            )
        if schema < 1:
            raise self._unreadable("it has no format")
        return schema

    def _prepare_key(self, db: sqlite3.Connection, meta: dict[str, int], unlock_key: str) -> Seal:
        """The key of the file, whose format is the present one from then on; for a new file, and for one of format 1, one is made.

        A key that is there is never replaced: whatever this file is, it may be the key of another.
        """
        schema = self._check_schema(db, meta)
        if meta.get("schema") == SCHEMA or self._key_path.exists():
            seal = read_key(self._key_path, unlock_key)
        else:
            seal = make_key(self._key_path)
        if meta.get("schema") == SCHEMA:
            return seal
        try:
            with self._transaction():
                for step in range(schema, SCHEMA):
                    MIGRATIONS[step](db, seal)
                db.execute(_META, ("schema", SCHEMA))
        except JournalCorrupt as error:
            raise self._unreadable(error.message) from error
        if schema < SCHEMA:
            # What was there before, in plain it may be, must not stay in free pages, nor in the write-ahead log.
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return seal

    def _decode(self, seal: Seal, kind: str, id_: str, record: bytes) -> Object:
        try:
            return decode(kind, id_, seal.open(kind, id_, record))
        except KeyUnusable as error:
            raise KeyUnusable(
                f"the key {self._key_path} does not fit {self._path}: {error.message}. "
                "Put both files back from the same backup."
            ) from error
        except (JournalCorrupt, ValueError) as error:
            raise JournalCorrupt(
                f"{kind} {id_} in {self._path} can't be read: {error}. {WAY_OUT}"
            ) from error

    def _unreadable(self, why: object) -> JournalCorrupt:
        return JournalCorrupt(f"the cluster state in {self._path} can't be read: {why}. {WAY_OUT}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._db is not None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except (sqlite3.Error, HiveletError):
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    for statement in _CREATE:
        db.execute(statement)
