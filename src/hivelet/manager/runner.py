"""How every loop of the manager turns: what changed → which keys → decide each → write; timers from the plans.

One shape for all of them, so that a loop is only three functions: which keys an event touches, what to do about a key, and
all keys there are (for the start, which is nothing special). There is no debouncing by time: whatever has been queued is drained
before the next decision, and many events of one key become one decision.

A key whose decision ends in an error that nobody had foreseen is logged, held back, and tried again after growing moments; all
others go on. What the loop remembers may be half changed by it, so that is derived from the store anew.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog

from hivelet.kit.backoff import Backoff
from hivelet.kit.pulse import Pulse
from hivelet.kit.supervise import Defect, guard
from hivelet.objects.plan import NOTHING, Plan
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Event
from hivelet.store.view import View
from hivelet.store.watch import Watcher

log = structlog.get_logger(__name__)

K = TypeVar("K", bound=Hashable)

SLICE = 64
"""Decisions made before other work of the process gets its turn."""

LONGEST_WAIT = 60.0
"""Timers are held against the wall clock at least this often (seconds), as it may be set or the host suspended."""


_RETRY = Backoff(first=1.0, ceiling=60.0, jitter=0.0)
"""Before the decision about a key that met a defect is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions(Generic[K]):
    """What makes one loop different from another. `everything` also derives anew what the loop remembers."""

    name: str
    actor: Actor
    kinds: Collection[type[Any]]
    touched: Callable[[View, Event], Iterable[K]]
    everything: Callable[[View], Iterable[K]]
    decide: Callable[[View, K, datetime], Plan]
    about: Callable[[K], Mapping[str, str]]
    """What log lines say of a key."""


class Timers(Generic[K]):
    """The next moment at which each key wants to be looked at."""

    def __init__(self) -> None:
        self._moments: dict[K, datetime] = {}
        self._heap: list[tuple[datetime, int, K]] = []
        self._tie = itertools.count()

    def set(self, key: K, moment: datetime | None) -> None:
        """Replace the key's moment; None clears it."""
        if moment is None:
            self._moments.pop(key, None)
        elif self._moments.get(key) != moment:
            self._moments[key] = moment
            heapq.heappush(self._heap, (moment, next(self._tie), key))

    def due(self, now: datetime) -> list[K]:
        """The keys whose moment has come; they have none any more."""
        found: list[K] = []
        while self._heap and (self._stale() or self._heap[0][0] <= now):
            moment, _, key = heapq.heappop(self._heap)
            if self._moments.get(key) == moment:
                del self._moments[key]
                found.append(key)
        return found

    def next(self) -> datetime | None:
        """The earliest moment of all."""
        while self._heap and self._stale():
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _stale(self) -> bool:
        moment, _, key = self._heap[0]
        return self._moments.get(key) != moment


@dataclass(frozen=True, slots=True)
class _HeldBack:
    """A key whose decision failed so many times in a row, and is not to be tried again before `until`."""

    attempts: int
    until: datetime


class Runner(Generic[K]):
    """Runs one loop's decisions against a store."""

    def __init__(self, store: Store, decisions: Decisions[K]) -> None:
        self._store = store
        self._decisions = decisions
        self._timers: Timers[K] = Timers()
        self._dirty: dict[K, None] = {}
        self._held_back: dict[K, _HeldBack] = {}
        self.pulse = Pulse()

    async def run(self) -> None:
        """Decide over everything, then over what changes, until cancelled."""
        with self._store.watch(self._decisions.kinds) as watcher:
            self._mark_everything()
            self.pulse.follow(
                lambda: not self._store.failure and (watcher.pending or bool(self._dirty))
            )
            while True:
                self.pulse.turn()
                # While nothing can be written there is nothing to decide: what was taken back comes as changes.
                await self._store.writable()
                await self._settle(watcher)
                if not watcher.pending:
                    await self._wait(watcher.wait)
                self._mark(self._timers.due(self._store.clock.now()))

    def _take_in(self, watcher: Watcher) -> None:
        touched = self._decisions.touched
        for event in watcher.drain().events:
            self._mark(self._store.view(lambda view, e=event: touched(view, e)))  # type: ignore[misc]

    def _mark_everything(self) -> None:
        self._mark(self._store.view(self._decisions.everything))

    def _mark(self, keys: Iterable[K]) -> None:
        for key in keys:
            self._dirty[key] = None

    async def _settle(self, watcher: Watcher) -> None:
        """Decide over all dirty keys. Between a key's read and its write nothing waits.

        Every event has been seen before a decision is made, those of the decision before it too: what a loop derives from
        events is never behind the view that it decides over.
        """
        for number in itertools.count(1):
            if watcher.pending:
                self._take_in(watcher)
            if not self._dirty or self._store.failure:
                return
            key = next(iter(self._dirty))
            del self._dirty[key]
            self._turn(key)
            if number % SLICE == 0:
                await asyncio.sleep(0)

    def _turn(self, key: K) -> None:
        now = self._store.clock.now()
        held = self._held_back.get(key)
        if held is not None and now < held.until:
            self._timers.set(key, held.until)
            return
        name, about = self._decisions.name, self._decisions.about(key)
        done = guard(lambda: self._decide(key, now), "decision failed", loop=name, **about)
        if not isinstance(done, Defect):
            self._held_back.pop(key, None)
            return
        attempts = held.attempts + 1 if held is not None else 1
        until = now + timedelta(seconds=_RETRY.delay(attempts))
        self._held_back[key] = _HeldBack(attempts, until)
        self._mark_everything()
        self._timers.set(key, until)

    def _decide(self, key: K, now: datetime) -> None:
        decisions = self._decisions
        plan = self._store.view(lambda view: decisions.decide(view, key, now))
        self._timers.set(key, plan.wake_at)
        if plan is NOTHING or not plan.writes:
            return
        done = self._store.commit(plan.writes, decisions.actor)
        log.debug(
            "decided",
            loop=decisions.name,
            why=plan.why,
            version=done.version,
            **decisions.about(key),
        )
        if done.dropped:
            self._dirty[key] = None

    async def _wait(self, changed: Callable[[], Any]) -> None:
        moment = self._timers.next()
        limit = LONGEST_WAIT
        if moment is not None:
            away = (moment - self._store.clock.now()).total_seconds()
            # Never zero: the loop's clock and the wall clock may differ by a rounding.
            limit = min(max(away, 0.001), LONGEST_WAIT)
        try:
            async with asyncio.timeout(limit):
                await changed()
        except TimeoutError:
            return
