"""Writes the engine's database from a thread of its own, in the order in which it was told; the event loop never waits for a disk.

What is told while a transaction is under way becomes the next one, so that many share one flush. Where a transaction fails each
of its writes is tried alone, as one that is refused must not take others with it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

import structlog

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.kit.sqlite_files import checksum

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One record that is put in the place of the one before, or removed where there is no `body`.

    `must` says that it is not so before it is written, nor after it could not be; `forced` that it outlives a power cut.
    """

    kind: str
    key: str
    body: bytes | None
    must: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    """Writes that belong together, and who is told of their end; with `lagging`, also all that could not be written before."""

    writes: tuple[Write, ...]
    told: Future[None]
    lagging: bool = False


class Writer:
    """The one that writes to a connection, from its first order on until it is closed."""

    def __init__(
        self, connection: sqlite3.Connection, refused: Callable[[sqlite3.Error], System]
    ) -> None:
        self._connection = connection
        self._refused = refused
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._behind: dict[tuple[str, str], Write] = {}
        self._failure = ""
        self._door = threading.Lock()
        self._closed = False

    @property
    def failure(self) -> str:
        """Why the file lags behind what is so; "" where it does not."""
        return self._failure if self._behind else ""

    async def carry_out(self, *writes: Write) -> None:
        """Return when these are written, and all that came before; without any, only that.

        Raises:
            System: one that must be written can't be.
        """
        await asyncio.wrap_future(self.take(*writes))

    def take(self, *writes: Write, lagging: bool = False) -> Future[None]:
        """Write these after all that came before; once it is closed, that is refused."""
        told: Future[None] = Future()
        told.set_running_or_notify_cancel()  # from here on nobody can take it back
        with self._door:
            if not self._closed:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="engine.db", daemon=True)
                    self._thread.start()
                self._orders.put(_Order(writes, told, lagging))
                return told
        told.set_exception(System("hiveletd is ending: its database takes nothing any more"))
        return told

    async def catch_up(self) -> None:
        """Write what could not be written before."""
        if self.failure:
            await asyncio.wrap_future(self.take(lagging=True))

    def close(self) -> None:
        """Return when all is written that can be; whatever is told after it is refused."""
        with self._door:
            # Whoever was let in before stands in front of the last order, and is answered.
            self._closed = True
            self._orders.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for write in tuple(self._behind.values()):
            self._try(write)

    # -- in the thread

    def _run(self) -> None:
        ended = False
        while not ended:
            orders = [self._orders.get()]
            while not self._orders.empty():
                orders.append(self._orders.get())
            ended = None in orders
            self._carry_out([order for order in orders if order is not None])

    def _carry_out(self, orders: list[_Order]) -> None:
        # First of all, and as they are by now: what was told after them is newer.
        lagging = tuple(self._behind.values()) if any(order.lagging for order in orders) else ()
        writes = [*lagging, *(write for order in orders for write in order.writes)]
        try:
            self._transaction(writes)
        except sqlite3.Error:
            for write in lagging:
                self._try(write)
            for order in orders:
                failures = [error for write in order.writes if (error := self._try(write))]
                if failures:
                    order.told.set_exception(failures[0])
                else:
                    order.told.set_result(None)
        else:
            self._caught_up(writes)
            for order in orders:
                order.told.set_result(None)

    def _try(self, write: Write) -> System | None:
        """Write one alone; the error where it had to be written and can't be."""
        try:
            self._transaction([write])
        except sqlite3.Error as error:
            if write.must:
                return self._refused(error)
            if not self._behind:
                log.error(
                    "the engine's database can't be written; it is tried again", error=str(error)
                )
            self._behind[write.kind, write.key] = write
            self._failure = str(error)
        else:
            self._caught_up([write])
        return None

    def _caught_up(self, writes: Iterable[Write]) -> None:
        lagged = bool(self._behind)
        for write in writes:
            self._behind.pop((write.kind, write.key), None)
        if lagged and not self._behind:
            log.info("the engine's database can be written again")

    def _transaction(self, writes: list[Write]) -> None:
        if not writes:
            return
        forced = any(write.forced for write in writes)
        self._connection.execute(f"PRAGMA synchronous={'FULL' if forced else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for write in writes:
                self._execute(write)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        for write in writes:
            if write.body is None:
                point("engine.was-dropped")
            else:
                point("engine.was-put")

    def _execute(self, write: Write) -> None:
        kind, key, body = write.kind, write.key, write.body
        if body is None:
            point("engine.drop")
            self._connection.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))
            return
        point("engine.put")
        self._connection.execute(
            "INSERT OR REPLACE INTO records (kind, key, body, sum) VALUES (?, ?, ?, ?)",
            (kind, key, body, checksum(kind, key, body)),
        )
