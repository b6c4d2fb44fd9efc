"""What a reader sees: the store's present state, by id, name and index. It never changes under a function without `await`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from hivelet.objects.cluster import Cluster
from hivelet.objects.common import NetworkId, NodeId, ServiceId, TaskId
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.plan import Object
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.objects.task import Task
from hivelet.store.tables import UNIQUE_NAMES, Table

O = TypeVar("O", bound=Object)  # noqa: E741


class View:
    """Reads. Hold one only as long as you don't await; the objects themselves are frozen and may be kept."""

    def __init__(self, tables: Mapping[type[Any], Table[Any]], *, locked: bool = False) -> None:
        self._tables = tables
        self.locked = locked
        """Whether there is a swarm, of which nothing is known before it is unlocked."""

    def get(self, kind: type[O], id_: str) -> O | None:
        """The object of that kind and id."""
        found: O | None = self._tables[kind].get(id_)
        return found

    def all(self, kind: type[O]) -> Iterator[O]:
        """All objects of a kind, in the order of their creation."""
        return iter(self._tables[kind])

    def count(self, kind: type[Any]) -> int:
        """How many objects of a kind there are."""
        return len(self._tables[kind])

    def by_name(self, kind: type[O], name: str) -> O | None:
        """The object that has taken this name; what is being removed has given it up."""
        name_of = UNIQUE_NAMES[kind]
        return next((row for row in self.alike(kind, name) if name_of(row) == name), None)

    def alike(self, kind: type[O], name: str) -> list[O]:
        """The objects that have taken this name, or one that differs from it in case alone."""
        return self._tables[kind].find("name", name.lower())

    def cluster(self) -> Cluster | None:
        """The one cluster object; None on a store without a swarm."""
        return next(iter(self._tables[Cluster]), None)

    def service(self, id_: ServiceId) -> Service | None:
        """The service of that id."""
        return self.get(Service, id_)

    def task(self, id_: TaskId) -> Task | None:
        """The task of that id."""
        return self.get(Task, id_)

    def node(self, id_: NodeId) -> Node | None:
        """The node of that id."""
        return self.get(Node, id_)

    def network(self, id_: NetworkId) -> Network | None:
        """The network of that id."""
        return self.get(Network, id_)

    def tasks_of_service(self, id_: ServiceId) -> list[Task]:
        """All tasks of a service, history included."""
        return self._tables[Task].find("service", id_)

    def has_tasks(self, id_: ServiceId) -> bool:
        """Whether a service has any task left, history included."""
        return self._tables[Task].count("service", id_) > 0

    def tasks_of_slot(self, key: tuple[str, str]) -> list[Task]:
        """All attempts at a slot, oldest first."""
        return self._tables[Task].find("slot", key)

    def tasks_on_node(self, id_: NodeId) -> list[Task]:
        """All tasks of a node, history included."""
        return self._tables[Task].find("node", id_)

    def tasks_in_network(self, id_: NetworkId) -> list[Task]:
        """All tasks that are attached to a network, history included."""
        return self._tables[Task].find("network", id_)

    def tasks_without_addresses(self, id_: ServiceId) -> list[Task]:
        """The wanted tasks of a service that are NEW."""
        return self._tables[Task].find("waiting", ("addresses", id_))

    def tasks_without_node(self, id_: ServiceId) -> list[Task]:
        """The wanted tasks of a service that are PENDING."""
        return self._tables[Task].find("waiting", ("node", id_))

    def services_in_network(self, *targets: str) -> list[Service]:
        """All services whose spec names a network by one of these (its id, its name)."""
        table = self._tables[Service]
        found = (service for target in targets for service in table.find("network", target))
        return list({service.id: service for service in found}.values())

    def services_using_secret(self, id_: str) -> list[Service]:
        """Services whose containers read this secret."""
        return [s for s in self.all(Service) if id_ in _secret_ids(s) and not s.pending_delete]

    def services_using_config(self, id_: str) -> list[Service]:
        """Services whose containers read this config."""
        return [s for s in self.all(Service) if id_ in _config_ids(s) and not s.pending_delete]

    def secret(self, id_: str) -> Secret | None:
        """The secret of that id."""
        return self.get(Secret, id_)

    def config(self, id_: str) -> Config | None:
        """The config of that id."""
        return self.get(Config, id_)


def _secret_ids(service: Service) -> set[str]:
    container = service.spec.task_template.container_spec
    return {reference.secret_id for reference in container.secrets} if container else set()


def _config_ids(service: Service) -> set[str]:
    container = service.spec.task_template.container_spec
    return {reference.config_id for reference in container.configs} if container else set()


__all__ = ["Config", "Network", "Node", "Secret", "Service", "Task", "View"]
