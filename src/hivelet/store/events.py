"""What a commit did, as data for watchers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hivelet.objects.plan import Object


class Action(StrEnum):
    """What happened to an object."""

    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Event:
    """One object's change. `obj` is the value after it (for REMOVE: the last one), `old` the one before (not for CREATE)."""

    action: Action
    obj: Object
    old: Object | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """All changes of one version."""

    version: int
    events: tuple[Event, ...]


def coalesce(earlier: Event, later: Event) -> Event | None:
    """Two events of one object in a row as one; None where the object came and went unseen."""
    match earlier.action, later.action:
        case Action.CREATE, Action.UPDATE:
            return Event(Action.CREATE, later.obj)
        case Action.CREATE, Action.REMOVE:
            return None
        case Action.REMOVE, _:
            # Ids are never used twice by hivelet itself; a restored object counts as changed.
            return Event(Action.UPDATE, later.obj, earlier.old)
        case _:
            return Event(later.action, later.obj, earlier.old)
