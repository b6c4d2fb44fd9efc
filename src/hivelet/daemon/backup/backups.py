"""Makes backups while everything runs, and accepts one to be restored.

A backup is the state after some commit, with every write that was acknowledged before it was asked for. One that is to be restored is
checked as a start would check it, and then put into `ROOT/restore` by one rename; whatever fails before that changes nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import structlog

import hivelet
from hivelet.convert.backup import (
    ENGINE,
    STATE,
    EngineRow,
    pack_backup,
    pack_engine,
    unpack_backup,
    unpack_engine,
)
from hivelet.daemon.backup.staged import STAGED
from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound, SwarmLocked
from hivelet.kit.clock import Clock
from hivelet.kit.files import ensure_private, sync_directory, write_atomic
from hivelet.store import Store
from hivelet.store.sqlite import SqliteJournal

log = structlog.get_logger(__name__)

_KINDS = ("volume", "network")
"""What of the engine's database is kept: containers can't go to another machine, and the cluster makes its own anew."""


class Backups:
    """The backups of one node (`hivelet.api.backend.backups.BackupBackend`). `restoring` is set once there is one to be taken over."""

    def __init__(self, root: Path, store: Store, clock: Clock, restoring: asyncio.Event) -> None:
        self._root = root
        self._store = store
        self._clock = clock
        self._accepting = asyncio.Lock()
        self._restoring = restoring

    @property
    def pending(self) -> bool:
        """Whether a backup was accepted and is yet to be taken over."""
        return (self._root / STAGED).exists()

    async def make_backup(self) -> bytes:
        """The archive, as `hivelet.convert.backup` has it."""
        return await asyncio.to_thread(self._make)

    async def read_key(self) -> bytes:
        """The key file of the state; where the swarm is locked, it is itself sealed.

        Raises:
            NotFound: there is none.
        """
        try:
            return await asyncio.to_thread((self._root / "swarm/state.key").read_bytes)
        except FileNotFoundError as error:
            raise NotFound("this node has no state yet, so there is no key") from error

    async def restore(self, archive: bytes, key: bytes, *, force: bool) -> None:
        """Check a backup, and have the parts of this node start with it.

        Raises:
            InvalidParameter: it is none, is damaged, of a later version, or the key is not its own.
            Conflict: this node is in a swarm, and the user did not insist.
        """
        async with self._accepting:
            in_swarm = self._store.view(lambda view: view.locked or view.cluster() is not None)
            if in_swarm and not force:
                raise Conflict(
                    "this node is part of a swarm, whose services and secrets the backup would replace; make a backup of it, "
                    "and use --force to go on"
                )
            scratch = self._root / f".{STAGED}.new"
            try:
                await asyncio.to_thread(_lay_out, scratch, archive, key)
                await _check(scratch)
                await asyncio.to_thread(_put, scratch, self._root / STAGED)
            finally:
                await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        log.info("a backup is being restored")
        self._restoring.set()

    def _make(self) -> bytes:
        files = {
            STATE: _snapshot(self._root / "swarm/state.db"),
            ENGINE: pack_engine(_engine_rows(self._root / "engine.db")),
        }
        created = self._clock.now().isoformat(timespec="seconds")
        return pack_backup(files, version=hivelet.__version__, created=created)


def _snapshot(path: Path) -> bytes:
    """The database after its newest commit, as one file."""
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(":memory:")) as copy,
    ):
        source.backup(copy)
        return copy.serialize()


def _engine_rows(path: Path) -> list[EngineRow]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source:
        rows = source.execute(
            "SELECT kind, key, body FROM records WHERE kind IN (?, ?) ORDER BY rowid", _KINDS
        ).fetchall()
    return [EngineRow(kind, key, msgspec.json.decode(body)) for kind, key, body in rows]


def _lay_out(scratch: Path, archive: bytes, key: bytes) -> None:
    _, files = unpack_backup(archive)
    unpack_engine(files[ENGINE])
    if not key:
        raise InvalidParameter(
            "the key of the backup is missing: give the file that `hivelet backup` wrote beside it (--key)"
        )
    shutil.rmtree(scratch, ignore_errors=True)
    ensure_private(scratch)
    ensure_private(scratch / "swarm")
    write_atomic(scratch / "swarm" / STATE, files[STATE], mode=0o600, sync=True)
    write_atomic(scratch / "swarm/state.key", key, mode=0o600, sync=True)
    write_atomic(scratch / ENGINE, files[ENGINE], mode=0o600, sync=True)


async def _check(scratch: Path) -> None:
    """Open the state as a start will do; one that is locked can be read no further than to its key."""
    journal = SqliteJournal(scratch / "swarm" / STATE)
    try:
        await journal.load()
    except SwarmLocked:
        log.info("the backup is locked; it will be unlocked after it is restored")
    except HiveletError as error:
        words = error.message.replace(f"{scratch}/swarm/", "")
        raise InvalidParameter(f"the backup can't be restored: {words}") from error
    finally:
        await journal.close()


def _put(scratch: Path, staged: Path) -> None:
    sync_directory(scratch / "swarm")
    sync_directory(scratch)
    shutil.rmtree(staged, ignore_errors=True)
    scratch.rename(staged)
    sync_directory(staged.parent)
