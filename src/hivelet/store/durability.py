"""Which commits are safe: each goes to the journal in order, is waited for, and is taken back where it can't be kept.

What always holds: what is not on the disk does not stay in memory, and after a failure nothing new is taken until the journal
can be written again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from hivelet.errors import HiveletError, Unavailable
from hivelet.kit.clock import Clock
from hivelet.store.events import Action, Commit, Event
from hivelet.store.journal import Entry, Journal

log = structlog.get_logger(__name__)

_TRY_AGAIN = 1.0
"""Seconds between two looks at whether the journal can be written again."""


class JournalFailed(Unavailable):
    """The journal can't keep what it is given: nothing is changed until it can."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"the cluster state can't be written: {cause}. Nothing was changed, and what runs goes on; "
            "changes are taken again as soon as it can be written"
        )


class Durability:
    """The commits that are not safe yet. `take_back` undoes in memory what was lost."""

    def __init__(
        self, journal: Journal, clock: Clock, take_back: Callable[[Sequence[Event]], None]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._take_back = take_back
        self._unsafe: deque[tuple[Commit, asyncio.Future[None]]] = deque()
        self._failure: BaseException | None = None
        self._failing = asyncio.Event()
        self._sound = asyncio.Event()
        self._sound.set()
        self.setbacks = 0
        """How often commits were taken back."""

    @property
    def failure(self) -> str:
        """Why nothing can be written at the moment; "" where it can."""
        return "" if self._failure is None else str(self._failure)

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

    def keep(self, commit: Commit) -> None:
        """Give a commit to the journal, and return at once."""
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

    async def reached(self, version: int) -> None:
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

    def _settled(self, version: int, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._fail(error)
            return
        while self._unsafe and self._unsafe[0][0].version <= version:
            self._unsafe.popleft()

    def _fail(self, error: BaseException) -> None:
        """The journal refuses whatever was appended after the commit that failed, so all that is unsafe goes."""
        lost = [event for commit, _ in self._unsafe for event in commit.events]
        self._unsafe.clear()
        if self._failure is None:
            self._failure = error
            self.setbacks += 1
            self._sound.clear()
            self._failing.set()
            log.error(
                "the cluster state can't be written; nothing changes until it can", error=str(error)
            )
        if lost:
            self._take_back(lost)
