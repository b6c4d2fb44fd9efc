"""What every part of the control API stands on: the store, and the question whether there is a swarm at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from hivelet.errors import NotASwarmManager, OutOfSequence, SwarmLocked
from hivelet.manager.controlapi.rpc import out_of_sequence
from hivelet.objects.common import Meta, NodeId, Version
from hivelet.objects.container import Healthcheck
from hivelet.objects.plan import Object
from hivelet.objects.task import ContainerSpec
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.tx import Tx
from hivelet.store.view import View

T = TypeVar("T")


class Host(Protocol):
    """What the control API asks of the machine that it runs on."""

    @property
    def hostname(self) -> str:
        """The machine's name."""
        ...

    @property
    def without_ipv6(self) -> str:
        """Why this machine's networks can't have IPv6, and the way out; "" where they can."""
        ...

    def address(self, asked: str) -> str:
        """The address to advertise: `asked` (an address or an interface), or where that is "" the one to the outside."""
        ...

    async def used_subnets(self) -> Mapping[str, str]:
        """The subnets that this machine uses for anything but the cluster's networks, each with who uses it."""
        ...

    async def joined(self, node_id: NodeId) -> None:
        """The store holds a new swarm, and this node is its manager: start what that needs."""
        ...

    async def unlocked(self) -> None:
        """The store, which was locked when this node started, is open now: resume the swarm that it holds."""
        ...

    async def left(self) -> None:
        """This node leaves: stop its tasks and loops, and forget the swarm's state."""
        ...

    async def health_check(self, spec: ContainerSpec) -> Healthcheck | None:
        """How such a container's health is checked: as the spec says, the rest as its image says where that is here."""
        ...


class Door:
    """Reads and writes on behalf of a user. A write returns when it can't be lost any more."""

    def __init__(self, store: Store, host: Host) -> None:
        self._store = store
        self._host = host

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
        NotASwarmManager: it is not; a `SwarmLocked` where it is one, but locked.
    """
    if view.locked:
        raise SwarmLocked
    if view.cluster() is None:
        raise NotASwarmManager


def at_version(obj: Object, version: int) -> Meta:
    """The object's metadata as the user has read it, for the store to compare."""
    return obj.meta.replaced(version=Version(index=version))
