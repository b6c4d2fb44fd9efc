"""From each format of the journal's file to the next: `MIGRATIONS[n]` makes format n + 1 of format n, within one transaction.

A migration checks what it finds before it writes, since the number of a format is as damageable as anything else in a file. Add one here,
raise `journal.SCHEMA`, and record the format before it in `tests/formats`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from hivelet.store.journal import decode
from hivelet.store.sealing import Seal

Migration = Callable[[sqlite3.Connection, Seal], None]


def seal_records(db: sqlite3.Connection, seal: Seal) -> None:
    """1 to 2: what was JSON in plain is sealed.

    Raises:
        JournalCorrupt: it is no JSON.
    """
    rows = db.execute("SELECT kind, id, data FROM objects").fetchall()
    for kind, id_, data in rows:
        decode(kind, id_, data)
    db.executemany(
        "UPDATE objects SET data = ? WHERE kind = ? AND id = ?",
        ((seal.shut(kind, id_, data), kind, id_) for kind, id_, data in rows),
    )


MIGRATIONS: Mapping[int, Migration] = {1: seal_records}
