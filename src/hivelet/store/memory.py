"""The store itself: tables in memory, one version for every commit, watchers told at once, the journal in order.

Everything here runs on one event loop, and nothing between a read and the commit made from it waits; so compare-and-swap
fails only against users who hold an old version, and, where the journal is shared one day, against other managers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from hivelet.errors import Conflict, NotFound, OutOfSequence, SwarmLocked
from hivelet.kit.clock import Clock
from hivelet.kit.ids import new_id
from hivelet.objects.plan import Object, Write
from hivelet.objects.transitions import Actor
from hivelet.store.durability import Durability
from hivelet.store.events import Action, Commit, Event
from hivelet.store.journal import Journal, in_order
from hivelet.store.story import Story
from hivelet.store.tables import KINDS, new_tables
from hivelet.store.tx import Tx
from hivelet.store.undoing import inverse
from hivelet.store.view import View
from hivelet.store.watch import Waker, Watcher, Watchers, at_once

log = structlog.get_logger(__name__)

T = TypeVar("T")

_NOTABLE = 5.0
"""Seconds by which the wall clock may be behind before it is worth a word."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a batch: its version (the store's present one where nothing was written) and what was dropped."""

    version: int
    dropped: tuple[Write, ...] = ()


class Store:
    """The cluster store. `open` before anything else; `close` writes out what is left."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        *,
        make_id: Callable[[], str] = new_id,
        waker: Waker = at_once,
    ) -> None:
        self._clock = clock
        self._make_id = make_id
        self._journal = journal
        self._tables = new_tables()
        self._view = View(self._tables)
        self._watchers = Watchers(waker)
        self._version = 0
        self._durability = Durability(journal, clock, self._take_back)
        self._story = Story()
        self._guard = asyncio.Lock()

    @property
    def version(self) -> int:
        """The version of the newest commit."""
        return self._version

    @property
    def oldest_version(self) -> int:
        """The version that a watch can still be resumed from."""
        return self._watchers.oldest

    @property
    def clock(self) -> Clock:
        """The clock that stamps what is written."""
        return self._clock

    @property
    def locked(self) -> bool:
        """Whether what the journal holds is unknown as yet, since it needs an unlock key. Nothing can be written then."""
        return self._view.locked

    @property
    def failure(self) -> str:
        """Why nothing can be written at the moment; "" where it can."""
        return self._durability.failure

    @property
    def setbacks(self) -> int:
        """How often commits were taken back: who was told of their making, but not that they were safe, looks anew."""
        return self._durability.setbacks

    def check_writable(self) -> None:
        """Refuse what could not be written down.

        Raises:
            JournalFailed: the journal can't keep anything at the moment.
        """
        self._durability.check_writable()

    async def writable(self) -> None:
        """Return once writes are taken."""
        await self._durability.writable()

    async def keep_writable(self) -> None:
        """Whenever the journal has failed, try it until it can be written again; for ever."""
        await self._durability.keep_writable()

    async def open(self, unlock_key: str = "") -> None:
        """Load what the journal holds.

        Raises:
            JournalCorrupt, JournalTooNew: it can't be read.
            SwarmLocked, UnlockKeyWrong: it needs an unlock key, or another one; the store is `locked`.
        """
        try:
            saved = await self._journal.load(unlock_key)
        except SwarmLocked:
            self._view = View(self._tables, locked=True)
            raise
        self._tables = new_tables()
        self._view = View(self._tables)
        for obj in in_order(saved.objects):
            self._tables[type(obj)].put(obj)
        self._version = saved.version
        self._watchers.reset(saved.version)
        self._stay_after(saved.objects)
        await self._protect()

    async def unlock(self, key: str) -> None:
        """Open a locked store.

        Raises:
            Conflict: it is not locked.
            UnlockKeyWrong, JournalCorrupt: as `open`.
        """
        async with self._guard:
            if not self.locked:
                raise Conflict("swarm is not locked")
            await self.open(key)

    async def protect(self) -> None:
        """Have the journal need the key that the cluster has now, or none."""
        async with self._guard:
            await self._protect()

    async def _protect(self) -> None:
        cluster = self._view.cluster()
        await self._journal.protect(cluster.unlock_key if cluster else "")

    async def wipe(self) -> None:
        """Forget everything, for good: the swarm is left. Watchers hear of it; the version goes on."""
        if self.locked:
            await self._journal.discard()
            await self.open()
            return
        self.check_writable()
        # Before the rest: an empty state that needs the key of a forgotten swarm could not be opened by anybody.
        await self._journal.protect("")
        events = tuple(
            Event(Action.REMOVE, obj, obj) for kind in reversed(KINDS) for obj in self._tables[kind]
        )
        if not events:
            return
        for event in events:
            self._tables[type(event.obj)].drop(event.obj.id)
        self._version += 1
        self._watchers.publish(commit := Commit(self._version, events))
        self._durability.keep(commit)
        await self.durable(self._version)

    async def close(self) -> None:
        """Write out what is left, and let go of the journal."""
        await self._journal.close()

    def view(self, read: Callable[[View], T]) -> T:
        """What `read` makes of the present state. It must not keep the view."""
        return read(self._view)

    def commit(self, writes: Sequence[Write], by: Actor) -> Committed:
        """Apply a decision's writes, each atomically, and return at once; durability follows.

        A write whose objects have moved on is dropped. For loops; whoever answers a user calls `batch` or `update`.

        Raises:
            InvalidTransition: a write breaks the task model; the whole batch is undone.
        """
        if not writes:
            return Committed(self._version)
        tx = self._begin(by)
        dropped: list[Write] = []
        try:
            for write in writes:
                part = self._part(tx)
                try:
                    part.apply(write)
                except (OutOfSequence, NotFound):
                    part.undo()
                    dropped.append(write)
                else:
                    tx.absorb(part)
        except BaseException:
            tx.undo()
            raise
        self._finish(tx)
        return Committed(self._version, tuple(dropped))

    async def batch(self, writes: Sequence[Write], by: Actor) -> Committed:
        """As `commit`, and return when it is durable."""
        done = self.commit(writes, by)
        await self.durable(done.version)
        return done

    async def update(self, change: Callable[[Tx], T], by: Actor = Actor.USER) -> T:
        """Let `change` write in one atomic commit, and return its answer when that is durable.

        An exception from `change` undoes everything and is passed on.
        """
        answer = self.apply(change, by)
        await self.durable(self._version)
        return answer

    def apply(self, change: Callable[[Tx], T], by: Actor) -> T:
        """As `update`, but return at once; durability follows."""
        tx = self._begin(by)
        try:
            answer = change(tx)
        except BaseException:
            tx.undo()
            raise
        self._finish(tx)
        return answer

    async def durable(self, version: int) -> None:
        """Return once the commit of that version, hence every earlier one, can't be lost any more.

        Raises:
            JournalFailed: it could not be written, and is taken back; or nothing can be at the moment.
        """
        await self._durability.reached(version)

    def watch(
        self,
        kinds: Collection[type[Any]] = KINDS,
        *,
        since: int | None = None,
        coalescing: bool = True,
    ) -> Watcher:
        """Changes of these kinds from now on, or right after version `since`.

        Raises:
            WatchLagged: what came after `since` is no longer remembered.
        """
        return self._watchers.watch(
            kinds, since=since, coalescing=coalescing, version=self._version
        )

    def story(self, task_id: str) -> list[str]:
        """The remembered moves of a task, oldest first."""
        return self._story.of(task_id)

    def _stay_after(self, objects: Sequence[Object]) -> None:
        """What is written from now on is newer than what is there, whatever the wall clock says."""
        written = [obj.meta.updated_at for obj in objects if obj.meta.updated_at is not None]
        behind = self._clock.not_before(max(written)) if written else 0.0
        if behind > _NOTABLE:
            log.warning("the machine's clock is behind the last write; check it", seconds=behind)

    def _begin(self, by: Actor) -> Tx:
        if self.locked:
            raise SwarmLocked
        self.check_writable()
        return Tx(
            self._tables,
            version=self._version + 1,
            now=self._clock.now(),
            actor=by,
            story=self.story,
            make_id=self._make_id,
        )

    def _part(self, tx: Tx) -> Tx:
        return Tx(
            self._tables,
            version=tx.version,
            now=tx.now,
            actor=tx.actor,
            story=self.story,
            make_id=self._make_id,
        )

    def _finish(self, tx: Tx) -> None:
        events = tx.events()
        if not events:
            return
        self._version = tx.version
        for event in events:
            self._story.remember(event, tx.actor, tx.now)
        self._watchers.publish(commit := Commit(tx.version, events))
        self._durability.keep(commit)

    def _take_back(self, lost: Sequence[Event]) -> None:
        """What is not on the disk is not in memory either."""
        for event in (undone := inverse(lost)):
            table = self._tables[type(event.obj)]
            if event.action is Action.REMOVE:
                table.drop(event.obj.id)
            else:
                table.put(event.obj)
        self._version += 1
        self._watchers.publish(Commit(self._version, undone))
