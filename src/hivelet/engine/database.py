"""The engine's own database: what this node must remember of its containers, volumes and local networks.

One SQLite file in WAL mode. A commit survives the death of the process but is not forced to the disk: after a power
cut nothing of what it describes runs any more, and the start-up sweep puts the rest right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from hivelet.errors import System
from hivelet.kit.failpoints import point

SCHEMA_VERSION = 1
"""Written into the file; a newer file is refused, so that a downgrade cannot damage it."""

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
        # Environments are in it. Its journal files take its mode over.
        path.touch(mode=0o600)
        for part in ("", "-wal", "-shm"):
            if (file := path.with_name(path.name + part)).exists():
                file.chmod(0o600)
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise System(
                f"the engine's database {path} cannot be read ({error}). Restore it from a backup, or move it "
                "away: running containers are then stopped and their services start them anew."
            ) from error

    def put(self, kind: str, key: str, record: msgspec.Struct) -> None:
        """Write one record, replacing the one before."""
        point("engine.put")
        self._connection.execute(
            "INSERT OR REPLACE INTO records (kind, key, body) VALUES (?, ?, ?)",
            (kind, key, msgspec.json.encode(record)),
        )
        point("engine.was-put")

    def remove(self, kind: str, key: str) -> None:
        """Forget one record; nothing happens where it is not there."""
        point("engine.drop")
        self._connection.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))
        point("engine.was-dropped")

    def load(self, kind: str, shape: type[T]) -> Iterator[T]:
        """All records of a kind."""
        decoder = msgspec.json.Decoder(shape)
        for (body,) in self._connection.execute(
            "SELECT body FROM records WHERE kind = ? ORDER BY rowid", (kind,)
        ):
            yield decoder.decode(body)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise System(
                f"{self._path} was written by a newer hivelet (schema {version}; this one knows {SCHEMA_VERSION}). "
                "Install that version again, or restore a backup made before the upgrade."
            )
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, key))"
        )
        self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
