"""One commit in the making: reads see what was written before, and an exception undoes everything.

Writes compare versions: an object that is updated or deleted must be at the version that the store has now. The
transaction gives new objects their ids, stamps versions and times, and holds every task write against the transitions table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from hivelet.errors import Conflict, NotFound, OutOfSequence
from hivelet.objects.common import Meta, Version
from hivelet.objects.plan import Object, Write
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor, check_create, check_delete, check_update
from hivelet.store.events import Action, Event
from hivelet.store.tables import KIND_NAMES, UNIQUE_NAMES, Table
from hivelet.store.view import View

O = TypeVar("O", bound=Object)  # noqa: E741

Story = Callable[[str], Sequence[str]]


class NameTaken(Conflict):
    """Another object of the kind has the name already; in SwarmKit's words, which clients match on."""

    def __init__(self, kind: str, name: str) -> None:
        # Of files SwarmKit's API says so itself, of the others its store does.
        conflict = (
            "" if kind in {"secret", "config"} else "name conflicts with an existing object: "
        )
        super().__init__(
            f"rpc error: code = AlreadyExists desc = {conflict}{kind} {name} already exists"
        )


class Tx(View):
    """A view that can write. Valid only inside the function it was given to."""

    def __init__(
        self,
        tables: Mapping[type[Any], Table[Any]],
        *,
        version: int,
        now: datetime,
        actor: Actor,
        story: Story,
        make_id: Callable[[], str],
    ) -> None:
        super().__init__(tables)
        self.version = version
        self.now = now
        self.actor = actor
        self._story = story
        self._make_id = make_id
        self._before: dict[tuple[type[Any], str], Object | None] = {}

    def create(self, obj: O) -> O:
        """Store a new object; one without an id gets one.

        Raises:
            Conflict: its name or id is taken.
        """
        named = obj if obj.id else cast("O", obj.replaced(id=self._make_id()))
        if self.get(type(named), named.id) is not None:
            raise Conflict(f"{KIND_NAMES[type(named)]} {named.id} exists already")
        if isinstance(named, Task):
            check_create(named, self.actor, lambda: self._story(named.id))
        self._check_name(named, "")
        stamp = Meta(version=Version(index=self.version), created_at=self.now, updated_at=self.now)
        return self._put(cast("O", named.replaced(meta=stamp)))

    def update(self, obj: O) -> O:
        """Replace an object by a new value that was made from the store's present one.

        Raises:
            OutOfSequence: it was made from another version.
            NotFound: the object is gone.
        """
        before = self._present(obj)
        after: O = obj
        if isinstance(before, Task) and isinstance(obj, Task):
            check_update(before, obj, self.actor, lambda: self._story(obj.id))
            if obj.started_at is None and obj.status.state is TaskState.RUNNING:
                after = cast("O", obj.replaced(started_at=self.now))
        self._check_name(after, _name_of(before))
        stamp = Meta(
            version=Version(index=self.version),
            created_at=before.meta.created_at,
            updated_at=self.now,
        )
        return self._put(cast("O", after.replaced(meta=stamp)))

    def delete(self, obj: Object) -> None:
        """Take an object out.

        Raises:
            OutOfSequence: it has changed since it was read.
            NotFound: it is gone already.
        """
        before = self._present(obj)
        if isinstance(before, Task):
            check_delete(before, self.actor, lambda: self._story(before.id))
        self._remember(before)
        self._tables[type(obj)].drop(obj.id)

    def apply(self, write: Write) -> None:
        """All of a decision's write."""
        for obj in write.delete:
            self.delete(obj)
        for obj in write.update:
            self.update(obj)
        for obj in write.create:
            self.create(obj)

    def events(self) -> tuple[Event, ...]:
        """What has changed so far, one event an object, in the order of the first touch."""
        found: list[Event] = []
        for (kind, id_), before in self._before.items():
            after = self.get(kind, id_)
            if before is None and after is not None:
                found.append(Event(Action.CREATE, after))
            elif before is not None and after is None:
                found.append(Event(Action.REMOVE, before, before))
            elif after is not None:
                found.append(Event(Action.UPDATE, after, before))
        return tuple(found)

    def undo(self) -> None:
        """Put everything back as it was."""
        for (kind, id_), before in reversed(self._before.items()):
            if before is None:
                self._tables[kind].drop(id_)
            else:
                self._tables[kind].put(before)
        self._before = {}

    def _present(self, obj: O) -> O:
        before = self.get(type(obj), obj.id)
        if before is None:
            raise NotFound(f"{KIND_NAMES[type(obj)]} {obj.id} not found")
        if before.meta.version.index != obj.meta.version.index:
            raise OutOfSequence
        return before

    def _check_name(self, obj: Object, before: str) -> None:
        """Refuse a name that is new to the object and taken; one that it has may be alike to another's since older days."""
        name = _name_of(obj)
        if name and name != before and any(o.id != obj.id for o in self.alike(type(obj), name)):
            raise NameTaken(KIND_NAMES[type(obj)], name)

    def _put(self, obj: O) -> O:
        before = self._tables[type(obj)].put(obj)
        self._before.setdefault((type(obj), obj.id), before)
        return obj

    def _remember(self, before: Object) -> None:
        self._before.setdefault((type(before), before.id), before)

    def absorb(self, part: Tx) -> None:
        """Count what `part` has written as this transaction's own."""
        for key, before in part._before.items():
            self._before.setdefault(key, before)


def _name_of(obj: Object) -> str:
    name_of = UNIQUE_NAMES.get(type(obj))
    return name_of(obj) if name_of is not None else ""
