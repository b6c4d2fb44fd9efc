"""What takes commits back that the journal could not keep. Pure.

A commit whose write has failed is a commit that a crash would have lost: nobody was told of it. So memory does not run ahead
of the disk: it goes back to what is there, and watchers see that as one more commit.
"""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.store.events import Action, Event


def inverse(events: Iterable[Event]) -> tuple[Event, ...]:
    """What undoes these events, which happened in this order."""
    return tuple(_inverse(event) for event in reversed(tuple(events)))


def _inverse(event: Event) -> Event:
    if event.action is Action.REMOVE:
        return Event(Action.CREATE, event.obj)
    if event.action is Action.CREATE or event.old is None:
        return Event(Action.REMOVE, event.obj, event.obj)
    return Event(Action.UPDATE, event.old, event.obj)
