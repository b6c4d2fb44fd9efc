"""One table for each kind of object: by id, and by the indices that the loops and the API look things up with.

Tables know nothing of versions or journals. What always holds: an object is under exactly the index keys that its present
value yields; everything is kept in the order of creation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from hivelet.objects.cluster import Cluster
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.plan import Object
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState

O = TypeVar("O", bound=Object)  # noqa: E741 - the type variable for "object"

Keys = Callable[[Any], Iterable[Hashable]]


class Table(Generic[O]):
    """All objects of one kind."""

    def __init__(self, kind: type[O], indices: Mapping[str, Keys]) -> None:
        self.kind = kind
        self._rows: dict[str, O] = {}
        self._keys = dict(indices)
        # Dictionaries without values: sets that keep the order of insertion.
        self._index: dict[str, dict[Hashable, dict[str, None]]] = {name: {} for name in indices}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[O]:
        return iter(self._rows.values())

    def get(self, id_: str) -> O | None:
        """The object of that id."""
        return self._rows.get(id_)

    def find(self, index: str, key: Hashable) -> list[O]:
        """All objects under `key`."""
        rows = self._rows
        return [rows[id_] for id_ in self._index[index].get(key, ())]

    def count(self, index: str, key: Hashable) -> int:
        """How many objects are under `key`."""
        return len(self._index[index].get(key, ()))

    def put(self, row: O) -> O | None:
        """Insert or replace; the answer is the value before."""
        before = self._rows.get(row.id)
        self._rows[row.id] = row
        for name, keys in self._keys.items():
            new = tuple(keys(row))
            old = () if before is None else tuple(keys(before))
            if new == old:
                continue
            self._unlist(name, row.id, old)
            for key in new:
                self._index[name].setdefault(key, {})[row.id] = None
        return before

    def drop(self, id_: str) -> O | None:
        """Take an object out; the answer is what it was."""
        before = self._rows.pop(id_, None)
        if before is not None:
            for name, keys in self._keys.items():
                self._unlist(name, id_, keys(before))
        return before

    def _unlist(self, name: str, id_: str, keys: Iterable[Hashable]) -> None:
        index = self._index[name]
        for key in keys:
            if (listed := index.get(key)) is not None:
                listed.pop(id_, None)
                if not listed:
                    del index[key]


KINDS: tuple[type[Any], ...] = (Cluster, Node, Network, Secret, Config, Service, Task)
"""Every kind, those before that others refer to."""

KIND_NAMES: dict[type[Any], str] = {kind: kind.__name__.lower() for kind in KINDS}

UNIQUE_NAMES: dict[type[Any], Callable[[Any], str]] = {
    Service: lambda service: "" if service.pending_delete else service.spec.name,
    Network: lambda network: "" if network.pending_delete else network.spec.name,
    Secret: lambda secret: secret.spec.name,
    Config: lambda config: config.spec.name,
}
"""Kinds whose names are taken once only, whatever their case. What is being removed has given its name up."""


def _name_keys(kind: type[Any]) -> Keys:
    name_of = UNIQUE_NAMES[kind]
    return lambda row: (name.lower(),) if (name := name_of(row)) else ()


def _service_networks(service: Service) -> list[str]:
    return list(dict.fromkeys(attachment.target for attachment in service.networks))


def _task_networks(task: Task) -> list[str]:
    return list(dict.fromkeys(attachment.network_id for attachment in task.networks))


def _waiting_for(task: Task) -> tuple[Hashable, ...]:
    """What a task on its way to a node waits for, service by service: addresses, or a node."""
    if not task.wanted:
        return ()
    if task.status.state is TaskState.NEW:
        return (("addresses", task.service_id),)
    return (("node", task.service_id),) if task.status.state is TaskState.PENDING else ()


def new_tables() -> dict[type[Any], Table[Any]]:
    """Empty tables with all their indices."""
    return {
        Cluster: Table(Cluster, {}),
        Node: Table(Node, {"name": lambda node: (node.description.hostname,)}),
        Network: Table(Network, {"name": _name_keys(Network)}),
        Secret: Table(Secret, {"name": _name_keys(Secret)}),
        Config: Table(Config, {"name": _name_keys(Config)}),
        Service: Table(Service, {"name": _name_keys(Service), "network": _service_networks}),
        Task: Table(
            Task,
            {
                "service": lambda task: (task.service_id,),
                "node": lambda task: (task.node_id,),
                "slot": lambda task: (task.slot_key,),
                "network": _task_networks,
                "waiting": _waiting_for,
            },
        ),
    }
