"""The engine's own database: what this node must remember of its containers, volumes and local networks.

One SQLite file in WAL mode, whose records have checksums, written by a thread (`hivelet.engine.writer`). What a user has made is on the disk
before the answer. The rest survives the death of the process but is not forced to the disk: after a power cut nothing of what it describes runs any more,
and the start-up sweep puts the rest right.

Where the file cannot be written, what somebody waits for is refused (`put`). What has happened already cannot be: a state
that a container is in (`note`) and what is gone (`remove`) is written as soon as it can be, and a daemon that starts without
it finds the same by looking.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hivelet.engine.writer import Write, Writer
from hivelet.errors import System
from hivelet.kit.host_faults import describe_fault
from hivelet.kit.sqlite_faults import describe_sqlite_fault
from hivelet.kit.sqlite_files import checksum, connect, look_before_opening

SCHEMA_VERSION = 2
"""Written into the file; a newer file is refused, so that a downgrade cannot damage it. 1 had no checksums."""

T = TypeVar("T")


class Database:
    """Records by kind and id, each one JSON document."""

    def __init__(self, path: Path) -> None:
        """Open or create the database.

        Raises:
            System: the file is damaged, or was written by a newer hivelet.
        """
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._connection = self._open(path)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        except OSError as error:
            raise self._unopenable(describe_fault(error)) from error
        self._writer = Writer(self._connection, self._refused)

    def _open(self, path: Path) -> sqlite3.Connection:
        containers = path.parent / "containers"
        look_before_opening(
            path, flushed=False, known=containers.is_dir() and any(containers.iterdir())
        )
        return connect(path, self._prepare)

    async def put(
        self, kind: str, key: str, record: msgspec.Struct, *, forced: bool = True
    ) -> None:
        """Write one record, replacing the one before; with `forced` it is on the disk when this returns.

        Raises:
            System: it could not be written, so it is not there.
        """
        body = msgspec.json.encode(record)
        write = Write(kind=kind, key=key, body=body, must=True, forced=forced)
        await self._writer.carry_out(write)

    def note(self, kind: str, key: str, record: msgspec.Struct) -> None:
        """Write what is so whether it can be written or not: soon, or as soon as it can be."""
        self._writer.take(Write(kind=kind, key=key, body=msgspec.json.encode(record)))

    def add(self, kind: str, key: str, record: Any) -> None:
        """Write one record, given as JSON data, where there is none of this kind and key."""
        body = msgspec.json.encode(record)
        self._connection.execute(
            "INSERT OR IGNORE INTO records (kind, key, body, sum) VALUES (?, ?, ?, ?)",
            (kind, key, body, checksum(kind, key, body)),
        )

    def remove(self, kind: str, key: str) -> None:
        """Forget one record, soon or as soon as it can be written; nothing happens where it is not there."""
        self._writer.take(Write(kind=kind, key=key, body=None))

    async def written(self) -> None:
        """Return when all that was told until now is written, or it is known that it can't be yet."""
        await self._writer.carry_out()

    @property
    def failure(self) -> str:
        """Why the file lags behind what is so; "" where it does not."""
        return self._writer.failure

    async def catch_up(self) -> None:
        """Write what could not be written before."""
        await self._writer.catch_up()

    def load(self, kind: str, shape: type[T]) -> Iterator[T]:
        """All records of a kind.

        Raises:
            System: one of them is damaged.
        """
        decoder = msgspec.json.Decoder(shape)
        rows = self._connection.execute(
            "SELECT key, body, sum FROM records WHERE kind = ? ORDER BY rowid", (kind,)
        )
        for key, body, found in rows.fetchall():
            if found != checksum(kind, key, body):
                raise self._unreadable(f"{kind} {key} is damaged")
            try:
                yield decoder.decode(body)
            except msgspec.MsgspecError as error:
                raise self._unreadable(f"{kind} {key} is none: {error}") from error

    def close(self) -> None:
        """Close the file, with all that could not be written before, if it can be by now."""
        self._writer.close()
        self._connection.close()

    def _refused(self, error: sqlite3.Error) -> System:
        why = describe_sqlite_fault(self._path, error) or str(error)
        return System(f"the engine's database {self._path} can't be written: {why}, and try again")

    def _unopenable(self, fault: str) -> System:
        return System(
            f"the engine's database {self._path} cannot be opened: {fault}, and start again; containers go on running"
        )

    def _unreadable(self, error: Exception | str) -> System:
        if isinstance(error, sqlite3.Error) and (fault := describe_sqlite_fault(self._path, error)):
            return self._unopenable(fault)
        return System(
            f"the engine's database {self._path} cannot be read ({error}). Restore it from a backup, or move it "
            "away: running containers are then stopped and their services start them anew."
        )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise System(
                f"{self._path} was written by a newer hivelet (schema {version}; this one knows {SCHEMA_VERSION}). "
                "Install that version again, or restore a backup made before the upgrade."
            )
        if version == SCHEMA_VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        if version == 0:
            connection.execute(
                "CREATE TABLE records (kind TEXT, key TEXT, body BLOB NOT NULL, sum BLOB NOT NULL, "
                "PRIMARY KEY (kind, key))"
            )
        if version == 1:
            connection.execute("ALTER TABLE records ADD COLUMN sum BLOB NOT NULL DEFAULT x''")
            rows = connection.execute("SELECT kind, key, body FROM records").fetchall()
            connection.executemany(
                "UPDATE records SET sum = ? WHERE kind = ? AND key = ?",
                ((checksum(kind, key, body), kind, key) for kind, key, body in rows),
            )
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
