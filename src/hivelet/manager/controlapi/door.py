"""What every part of the control API stands on: the store, and the question whether there is a swarm at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hivelet.errors import NotASwarmManager, OutOfSequence
from hivelet.manager.controlapi.rpc import out_of_sequence
from hivelet.objects.common import Meta, Version
from hivelet.objects.plan import Object
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.tx import Tx
from hivelet.store.view import View

T = TypeVar("T")


class Door:
    """Reads and writes on behalf of a user. A write returns when it can't be lost any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _read(self, read: Callable[[View], T]) -> T:
        def checked(view: View) -> T:
            require_swarm(view)
            return read(view)

        return self._store.view(checked)

    async def _write(self, change: Callable[[Tx], T]) -> T:
        def checked(tx: Tx) -> T:
            require_swarm(tx)
            try:
                return change(tx)
            except OutOfSequence as error:
                raise out_of_sequence() from error

        return await self._store.update(checked, Actor.USER)


def require_swarm(view: View) -> None:
    """Refuse on a node that is not a manager of a swarm.

    Raises:
        NotASwarmManager: it is not.
    """
    if view.cluster() is None:
        raise NotASwarmManager


def at_version(obj: Object, version: int) -> Meta:
    """The object's metadata as the user has read it, for the store to compare."""
    return obj.meta.replaced(version=Version(index=version))
