"""What happened on this node, as Docker's events: kept for a while, and sent to whoever listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from hivelet.kit.clock import Clock
from hivelet.objects.event import Event

HISTORY = 256
"""How many past events can still be asked for with `since` (moby `daemon/events.EventsLimit`)."""

BACKLOG = 1024
"""How far a listener may fall behind before it loses the oldest events: it must never hold up the engine."""


class EventBus:
    """Publishes events to any number of listeners, none of which can block it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._listeners: set[asyncio.Queue[Event]] = set()

    def publish(
        self,
        kind: str,
        action: str,
        actor_id: str,
        attributes: Mapping[str, str] | None = None,
        *,
        scope: str = "local",
    ) -> None:
        """Tell all listeners, and remember it."""
        event = Event(
            type=kind,
            action=action,
            actor_id=actor_id,
            attributes=dict(attributes or {}),
            scope=scope,
            at=self._clock.now(),
        )
        self._history.append(event)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def past(self, since: datetime, until: datetime | None = None) -> list[Event]:
        """The remembered events from `since` on, oldest first."""
        return [e for e in self._history if e.at >= since and (until is None or e.at <= until)]

    async def stream(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
        """Remembered events from `since` on, then new ones; ends at the moment `until`, at once where that is past."""
        with self.listen() as events:
            for event in self.past(since, until) if since is not None else []:
                yield event
            while True:
                left = None if until is None else (until - self._clock.now()).total_seconds()
                if left is not None and left <= 0:
                    return
                try:
                    async with asyncio.timeout(left):
                        event = await anext(events)
                except TimeoutError:
                    return
                yield event

    @contextmanager
    def listen(self) -> Iterator[AsyncIterator[Event]]:
        """Events from now on; the listener is forgotten at the end of the block."""
        queue: asyncio.Queue[Event] = asyncio.Queue(BACKLOG)
        self._listeners.add(queue)
        try:
            yield _drain(queue)
        finally:
            self._listeners.discard(queue)


async def _drain(queue: asyncio.Queue[Event]) -> AsyncIterator[Event]:
    while True:
        yield await queue.get()
