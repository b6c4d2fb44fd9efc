"""Takes over a backup that was accepted, before anything of this node is opened.

What always holds: each step is one rename, or may be done twice; a crash at any point is followed by the rest at the next start. The state
that was there before is kept in `ROOT/swarm.before-restore`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog

from hivelet.convert.backup import ENGINE, unpack_engine
from hivelet.engine.database import Database
from hivelet.kit.files import sync_directory

log = structlog.get_logger(__name__)

STAGED = "restore"
_BEFORE = "swarm.before-restore"


def take_over_backup(root: Path) -> None:
    """Put an accepted backup in the place of the state; nothing where there is none."""
    staged = root / STAGED
    if not staged.is_dir():
        return
    if (staged / "swarm").is_dir():
        if (root / "swarm").is_dir():
            shutil.rmtree(root / _BEFORE, ignore_errors=True)
            (root / "swarm").rename(root / _BEFORE)
        (staged / "swarm").rename(root / "swarm")
        sync_directory(root)
    _add_records(root, (staged / ENGINE).read_bytes())
    shutil.rmtree(staged)
    sync_directory(root)
    log.info("a backup is restored", before=str(root / _BEFORE))


def _add_records(root: Path, data: bytes) -> None:
    """Volumes and networks of the backup; what this machine has of the same name stays."""
    database = Database(root / "engine.db")
    try:
        for row in unpack_engine(data):
            database.add(row.kind, row.key, row.body)
    finally:
        database.close()
