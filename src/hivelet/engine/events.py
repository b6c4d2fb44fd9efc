"""What happened on this node, as Docker's events: kept for a while, and sent to whoever listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from hivelet.kit.clock import Clock
from hivelet.objects.common import Struct

HISTORY = 256
"""How many past events can still be asked for with `since` (moby `daemon/events.EventsLimit`)."""

BACKLOG = 1024
"""How far a listener may fall behind before it loses the oldest events: it must never hold up the engine."""


class Event(Struct, frozen=True, kw_only=True):
    """One event: what kind of object, what was done, to which, and what is worth knowing of it."""

    type: str
    action: str
    actor_id: str
    attributes: dict[str, str]
    scope: str
    at: datetime


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
