"""Images, their names and the layers that are unpacked, in SQLite: what survives a power cut.

One writer, this process. A write has reached the disk when its method returns. Every row has a checksum. Rows come after the files they speak of,
and go before them, so that a crash leaves at worst files that no row knows.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.kit.sqlite_faults import describe_sqlite_fault
from hivelet.kit.sqlite_files import checksum, connect, look_before_opening
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.records import ImageRecord, LayerRecord, parse_image

VERSION = 2
"""1 had no checksums."""
_SCHEMA_1 = """
CREATE TABLE layers (diff_id TEXT PRIMARY KEY, directory TEXT NOT NULL UNIQUE, size INTEGER NOT NULL) STRICT;
CREATE TABLE images (id TEXT PRIMARY KEY, config BLOB NOT NULL) STRICT;
CREATE TABLE names (
  name TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id), tagged_at REAL NOT NULL
) STRICT;
"""
_READ = {
    "layers": "SELECT diff_id, directory, size, sum FROM layers",
    "images": "SELECT id, config, sum FROM images",
    "names": "SELECT name, image_id, tagged_at, sum FROM names",
}
_ADD_SUM = {
    "layers": "ALTER TABLE layers ADD COLUMN sum BLOB NOT NULL DEFAULT x''",
    "images": "ALTER TABLE images ADD COLUMN sum BLOB NOT NULL DEFAULT x''",
    "names": "ALTER TABLE names ADD COLUMN sum BLOB NOT NULL DEFAULT x''",
}
_SET_SUM = {
    "layers": "UPDATE layers SET sum = ? WHERE diff_id = ?",
    "images": "UPDATE images SET sum = ? WHERE id = ?",
    "names": "UPDATE names SET sum = ? WHERE name = ?",
}


class ImageDatabase:
    """The file `images.db`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = self._open(path)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _open(self, path: Path) -> sqlite3.Connection:
        layers = path.parent / "layers"
        look_before_opening(path, flushed=True, known=layers.is_dir() and any(layers.iterdir()))
        return connect(path, self._prepare)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def load(self) -> Catalog:
        """All that is in it.

        Raises:
            System: a row is damaged.
        """
        catalog = Catalog()
        with self._lock:
            try:
                for diff_id, directory, size in self._rows("layers"):
                    catalog.layers[diff_id] = LayerRecord(
                        diff_id=diff_id, directory=directory, size=size
                    )
                for _, raw in self._rows("images"):
                    catalog.add_image(parse_image(raw), ())
                for name, image_id, tagged in sorted(self._rows("names"), key=lambda row: row[2]):
                    catalog.add_name(name, image_id, datetime.fromtimestamp(tagged, UTC))
            except sqlite3.Error as error:
                raise self._unreadable(error) from error
        return catalog

    def _rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        for *row, found in self._connection.execute(_READ[table]):
            if found != checksum(table, *row):
                raise sqlite3.DatabaseError(f"{row[0]} of its {table} is damaged")
            yield tuple(row)

    def _unreadable(self, error: sqlite3.Error) -> System:
        if fault := describe_sqlite_fault(self._path, error):
            return System(
                f"the image database {self._path} can't be opened: {fault}, and start again; containers go on running"
            )
        return System(
            f"the image database {self._path} can't be read: {error}. Restore it from a backup, or move it away and load or "
            "pull the images again: running containers stay, layers that no image knows are removed."
        )

    def add_image(
        self,
        image: ImageRecord,
        layers: Iterable[LayerRecord],
        names: Iterable[str],
        tagged: datetime,
    ) -> None:
        """Add an image, the layers it needs, and its new names, all or nothing."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO layers VALUES (?, ?, ?, ?)",
                [_summed("layers", each.diff_id, each.directory, each.size) for each in layers],
            )
            connection.execute(
                "INSERT OR IGNORE INTO images VALUES (?, ?, ?)",
                _summed("images", image.id, image.raw),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)",
                [_summed("names", name, image.id, tagged.timestamp()) for name in names],
            )

    def add_name(self, name: str, image_id: str, tagged: datetime) -> None:
        """Give an image a name."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)",
                _summed("names", name, image_id, tagged.timestamp()),
            )

    def remove(self, names: Iterable[str], image_id: str, layers: Iterable[LayerRecord]) -> None:
        """Take away names, an image ("" for none) and layers, all or nothing."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM names WHERE name = ?", [(name,) for name in names])
            connection.execute("DELETE FROM names WHERE image_id = ?", (image_id,))
            connection.execute("DELETE FROM images WHERE id = ?", (image_id,))
            connection.executemany(
                "DELETE FROM layers WHERE diff_id = ?", [(layer.diff_id,) for layer in layers]
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except sqlite3.Error:
                    self._connection.execute("ROLLBACK")
                    raise
                point("image.write")
                self._connection.execute("COMMIT")
                point("image.written")
            except sqlite3.Error as error:
                why = describe_sqlite_fault(self._path, error) or str(error)
                raise System(f"the image database {self._path} can't be written: {why}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise System(
                f"the image database {self._path} has format {version}, this hivelet knows formats up to {VERSION}:"
                " install the newer hivelet that wrote it"
            )
        if version == VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        if version == 0:
            for statement in filter(str.strip, _SCHEMA_1.split(";")):
                connection.execute(statement)
        for table, read in _READ.items():
            connection.execute(_ADD_SUM[table])
            rows = [row[:-1] for row in connection.execute(read)]
            sums = ((checksum(table, *row), row[0]) for row in rows)
            connection.executemany(_SET_SUM[table], sums)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")


def _summed(table: str, *row: str | bytes | float) -> tuple[Any, ...]:
    return (*row, checksum(table, *row))
