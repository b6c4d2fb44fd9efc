"""Watchers: each gets what changed since it last looked, in batches, from a version of its choice.

A coalescing watcher (what loops want) keeps one event for each object and so can never fall behind; one that must see every
step (what `docker events` shows) has a bound, and is told `WatchLagged` rather than left with a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from hivelet.errors import Unavailable
from hivelet.store.events import Commit, Event, coalesce

HISTORY = 4096
"""Commits that can be resumed from."""

BOUND = 8192
"""Events that a watcher without coalescing may leave unread. Each holds two objects of the past: ten megabytes at most, however many
watchers there are that never read."""


class WatchLagged(Unavailable):
    """The watcher asked for changes that are no longer remembered: read the whole state and watch anew."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that changed up to `version` and was not seen before."""

    version: int
    events: tuple[Event, ...]


Waker = Callable[[Callable[[], None]], None]
"""Wakes one waiting reader, by calling what it is given: at once, or whenever a simulation wants it to have its turn."""


def at_once(wake: Callable[[], None]) -> None:
    """The `Waker` of a real store."""
    wake()


class Watcher:
    """One reader's queue: an async iterator of batches, and a context manager that unsubscribes."""

    def __init__(
        self,
        kinds: Collection[type[Any]],
        *,
        coalescing: bool,
        version: int,
        close: Callable[[Watcher], None],
        waker: Waker = at_once,
    ) -> None:
        self._kinds = frozenset(kinds)
        self._coalescing = coalescing
        self._version = version
        self._close = close
        self._waker = waker
        self._latest: dict[tuple[type[Any], str], Event] = {}
        self._queue: deque[Event] = deque()
        self._lagged = False
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False

    def offer(self, commit: Commit) -> None:
        """Take in a commit; called by the store alone."""
        self._version = commit.version
        wanted = [event for event in commit.events if type(event.obj) in self._kinds]
        if not wanted:
            return
        if self._coalescing:
            self._fold(wanted)
        elif len(self._queue) + len(wanted) > BOUND:
            self._lagged = True
            self._queue.clear()
        else:
            self._queue.extend(wanted)
        self.wake()

    def _fold(self, events: Iterable[Event]) -> None:
        latest = self._latest
        for event in events:
            key = (type(event.obj), event.obj.id)
            earlier = latest.get(key)
            if earlier is None:
                latest[key] = event
            elif (folded := coalesce(earlier, event)) is None:
                del latest[key]
            else:
                latest[key] = folded

    def wake(self) -> None:
        """Let a waiting reader look again."""
        self._waker(self._wake)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def drain(self) -> Batch:
        """All that is queued, perhaps nothing; never waits.

        Raises:
            WatchLagged: the bound was passed since the last look.
        """
        if self._lagged:
            self._lagged = False
            raise WatchLagged(
                f"more than {BOUND} changes were not read in time; list again and watch from there"
            )
        events = tuple(self._latest.values()) if self._coalescing else tuple(self._queue)
        self._latest = {}
        self._queue.clear()
        return Batch(self._version, events)

    @property
    def pending(self) -> bool:
        """Whether `drain` would give something."""
        return bool(self._latest or self._queue or self._lagged)

    async def wait(self) -> None:
        """Return once something is queued, or the watcher was closed."""
        while not self.pending and not self._closed:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def close(self) -> None:
        """Unsubscribe; an iteration ends."""
        self._closed = True
        self._close(self)
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        await self.wait()
        if self._closed and not self.pending:
            raise StopAsyncIteration
        return self.drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Watchers:
    """All watchers of a store and the commits that a new one may still ask for."""

    def __init__(self, waker: Waker = at_once) -> None:
        self._waker = waker
        self._all: dict[Watcher, None] = {}
        self._history: deque[Commit] = deque(maxlen=HISTORY)
        self._oldest = 0

    @property
    def oldest(self) -> int:
        """The version that a new watcher can be resumed from."""
        return self._oldest

    def reset(self, version: int) -> None:
        """Start from a freshly loaded state: nothing before `version` can be resumed from."""
        self._history.clear()
        self._oldest = version

    def publish(self, commit: Commit) -> None:
        """Give a commit to everyone."""
        if len(self._history) == HISTORY:
            self._oldest = self._history[0].version
        self._history.append(commit)
        for watcher in tuple(self._all):
            watcher.offer(commit)

    def watch(
        self, kinds: Collection[type[Any]], *, since: int | None, coalescing: bool, version: int
    ) -> Watcher:
        """Subscribe, from now or from right after version `since`.

        Raises:
            WatchLagged: the store no longer remembers what came after `since`.
        """
        watcher = Watcher(
            kinds,
            coalescing=coalescing,
            version=version,
            close=self._forget,
            waker=self._waker,
        )
        if since is not None:
            if since < self._oldest:
                raise WatchLagged(
                    f"changes since version {since} are no longer remembered "
                    f"(oldest: {self._oldest}); list again and watch from there"
                )
            for commit in self._history:
                if commit.version > since:
                    watcher.offer(commit)
        self._all[watcher] = None
        return watcher

    def _forget(self, watcher: Watcher) -> None:
        self._all.pop(watcher, None)
