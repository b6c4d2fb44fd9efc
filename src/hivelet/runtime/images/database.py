"""Images, their names and the layers that are unpacked, in SQLite: what survives a power cut.

One writer, this process. A write has reached the disk when its method returns. Rows come after the files they speak of,
and go before them, so that a crash leaves at worst files that no row knows.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.records import ImageRecord, LayerRecord, parse_image

_VERSION = 1
_SCHEMA = """
CREATE TABLE layers (diff_id TEXT PRIMARY KEY, directory TEXT NOT NULL UNIQUE, size INTEGER NOT NULL) STRICT;
CREATE TABLE images (id TEXT PRIMARY KEY, config BLOB NOT NULL) STRICT;
CREATE TABLE names (
  name TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id), tagged_at REAL NOT NULL
) STRICT;
"""


class ImageDatabase:
    """The file `images.db`."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except sqlite3.Error as error:
            raise System(f"the image database {path} can't be opened: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def load(self) -> Catalog:
        """All that is in it."""
        catalog = Catalog()
        with self._lock:
            rows = self._connection.execute("SELECT diff_id, directory, size FROM layers")
            layers = [LayerRecord(diff_id=d, directory=p, size=s) for d, p, s in rows]
            for layer in layers:
                catalog.layers[layer.diff_id] = layer
            for (raw,) in self._connection.execute("SELECT config FROM images"):
                catalog.add_image(parse_image(raw), ())
            names = self._connection.execute(
                "SELECT name, image_id, tagged_at FROM names ORDER BY tagged_at"
            )
            for name, image_id, tagged in names:
                catalog.add_name(name, image_id, datetime.fromtimestamp(tagged, UTC))
        return catalog

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
                "INSERT OR IGNORE INTO layers VALUES (?, ?, ?)",
                [(layer.diff_id, layer.directory, layer.size) for layer in layers],
            )
            connection.execute("INSERT OR IGNORE INTO images VALUES (?, ?)", (image.id, image.raw))
            connection.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
                [(name, image.id, tagged.timestamp()) for name in names],
            )

    def add_name(self, name: str, image_id: str, tagged: datetime) -> None:
        """Give an image a name."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
                (name, image_id, tagged.timestamp()),
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
                raise System(f"the image database can't be written: {error}") from error

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        elif version != _VERSION:
            raise System(
                f"the image database has format {version}, this hivelet knows {_VERSION}:"
                " install the newer hivelet that wrote it"
            )
