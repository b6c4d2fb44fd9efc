"""The store itself: tables in memory, one version for every commit, watchers told at once, the journal in order.

Everything here runs on one event loop, and nothing between a read and the commit made from it waits; so compare-and-swap
fails only against users who hold an old version, and, where the journal is shared one day, against other managers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

import structlog

from hivelet.errors import (
    Conflict,
    HiveletError,
    NotFound,
    OutOfSequence,
    SwarmLocked,
    Unavailable,
)
from hivelet.kit.clock import Clock
from hivelet.kit.ids import new_id
from hivelet.objects.plan import Object, Write
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store.events import Action, Commit, Event
from hivelet.store.journal import Entry, Journal, in_order
from hivelet.store.tables import KINDS, new_tables
from hivelet.store.tx import Tx
from hivelet.store.undoing import inverse
from hivelet.store.view import View
from hivelet.store.watch import Waker, Watcher, Watchers, at_once

log = structlog.get_logger(__name__)

T = TypeVar("T")

STORY_LENGTH = 8192
"""Moves of all tasks that are remembered for the story in an InvalidTransition."""


_NOTABLE = 5.0
"""Seconds by which the wall clock may be behind before it is worth a word."""


_TRY_AGAIN = 1.0
"""Seconds between two looks at whether the journal can be written again."""


class JournalFailed(Unavailable):
    """The journal can't keep what it is given: nothing is changed until it can."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"the cluster state can't be written: {cause}. Nothing was changed, and what runs goes on; "
            "changes are taken again as soon as it can be written"
        )


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a batch: its version (the store's present one where nothing was written) and what was dropped."""

    version: int
    dropped: tuple[Write, ...] = ()


Standing = tuple[TaskState, TaskState] | None
"""A task's status and desired state; None before and after its life."""


@cache
def _standing(state: TaskState, desired: TaskState) -> Standing:
    """One value for all tasks that stand alike: thousands of moves are remembered, and there are few standings."""
    return state, desired


class Move(NamedTuple):
    """One task's move, as the story remembers it."""

    task_id: str
    at: datetime
    by: Actor
    before: Standing
    after: Standing

    def told(self) -> str:
        """The move in words."""
        before, after = (
            "/".join(each) if each else "nothing" for each in (self.before, self.after)
        )
        return f"{self.at:%H:%M:%S.%f} {self.by} {before}->{after}"


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
        self._unsafe: deque[tuple[Commit, asyncio.Future[None]]] = deque()
        self._failure: BaseException | None = None
        self._failing = asyncio.Event()
        self._sound = asyncio.Event()
        self._sound.set()
        self._setbacks = 0
        self._story: deque[Move] = deque(maxlen=STORY_LENGTH)
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
        return "" if self._failure is None else str(self._failure)

    @property
    def setbacks(self) -> int:
        """How often commits were taken back: who was told of their making, but not that they were safe, looks anew."""
        return self._setbacks

    def check_writable(self) -> None:
        """Refuse what could not be written down.

        Raises:
            JournalFailed: the journal can't keep anything at the moment.
        """
        if self._failure is not None:
            raise JournalFailed(self._failure)

    async def writable(self) -> None:
        """Return once writes are taken."""
        await self._sound.wait()

    async def keep_writable(self) -> None:
        """Whenever the journal has failed, try it until it can be written again; for ever."""
        while True:
            await self._failing.wait()
            await self._clock.sleep(_TRY_AGAIN)
            try:
                await self._journal.retry()
            except HiveletError as error:
                self._failure = error
                continue
            self._failure = None
            self._failing.clear()
            self._sound.set()
            log.info("the cluster state can be written again")

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
        self._keep(commit)
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
        if self._unsafe and self._unsafe[0][0].version <= version:
            self._journal.hurry()
            # Versions are without gaps here, so the commit, or the newest where it is yet to come, is at a known place.
            place = min(version - self._unsafe[0][0].version, len(self._unsafe) - 1)
            try:
                await asyncio.shield(self._unsafe[place][1])
            except HiveletError as error:
                raise JournalFailed(error) from error
        self.check_writable()

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
        return [move.told() for move in self._story if move.task_id == task_id]

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
            if isinstance(event.obj, Task):
                self._tell(event, tx.actor, tx.now)
        self._watchers.publish(commit := Commit(tx.version, events))
        self._keep(commit)

    def _tell(self, event: Event, by: Actor, now: datetime) -> None:
        task, old = event.obj, event.old
        if not isinstance(task, Task):
            return
        before = None
        if isinstance(old, Task) and event.action is Action.UPDATE:
            before = _standing(old.status.state, old.desired_state)
            if before == _standing(task.status.state, task.desired_state):
                return
        after = None
        if event.action is not Action.REMOVE:
            after = _standing(task.status.state, task.desired_state)
        self._story.append(Move(task.id, now, by, before, after))

    def _keep(self, commit: Commit) -> None:
        events = commit.events
        entry = Entry(
            commit.version,
            tuple(event.obj for event in events if event.action is not Action.REMOVE),
            tuple((type(e.obj), e.obj.id) for e in events if e.action is Action.REMOVE),
        )
        future = self._journal.append(entry)
        self._unsafe.append((commit, future))
        if future.done():
            self._settled(commit.version, future)
            return
        future.add_done_callback(lambda done: self._settled(commit.version, done))

    def _settled(self, version: int, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._take_back(error)
            return
        while self._unsafe and self._unsafe[0][0].version <= version:
            self._unsafe.popleft()

    def _take_back(self, error: BaseException) -> None:
        """What is not on the disk is not in memory either; and nothing new is taken until the journal can be written.

        The journal refuses whatever was appended after the commit that failed, so all that is unsafe goes.
        """
        lost = [event for commit, _ in self._unsafe for event in commit.events]
        self._unsafe.clear()
        if self._failure is None:
            self._failure = error
            self._setbacks += 1
            self._sound.clear()
            self._failing.set()
            log.error(
                "the cluster state can't be written; nothing changes until it can", error=str(error)
            )
        if not lost:
            return
        for event in (undone := inverse(lost)):
            table = self._tables[type(event.obj)]
            if event.action is Action.REMOVE:
                table.drop(event.obj.id)
            else:
                table.put(event.obj)
        self._version += 1
        self._watchers.publish(Commit(self._version, undone))
