"""What an agent has been told, and what a new message changes. Pure data: no I/O, no waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from hivelet.objects.assignment import Assignments
from hivelet.objects.common import ConfigId, NetworkId, SecretId, ServiceId, TaskId
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import Task

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a message means for the node, in the order in which it is to be done."""

    node: Node | None = None
    dependencies: bool = False
    networks: bool = False
    tasks: tuple[Task, ...] = ()
    dismissed: tuple[TaskId, ...] = ()


@dataclass(slots=True)
class Told:
    """Everything that holds for this node by the manager's word."""

    tasks: set[TaskId] = field(default_factory=set)
    networks: dict[NetworkId, Network] = field(default_factory=dict)
    services: dict[ServiceId, ServiceEntry] = field(default_factory=dict)
    secrets: dict[SecretId, Secret] = field(default_factory=dict)
    configs: dict[ConfigId, Config] = field(default_factory=dict)

    def apply(self, message: Assignments) -> Changes:
        """Take in a message; after a complete one nothing holds that it does not say."""
        if message.complete:
            return self._replace(message)
        self.tasks.update(task.id for task in message.tasks)
        self.tasks.difference_update(message.removed_tasks)
        networks = _fold(
            self.networks, {n.id: n for n in message.networks}, message.removed_networks
        )
        services = _fold(
            self.services, {s.service_id: s for s in message.services}, message.removed_services
        )
        secrets = _fold(self.secrets, {s.id: s for s in message.secrets}, message.removed_secrets)
        configs = _fold(self.configs, {c.id: c for c in message.configs}, message.removed_configs)
        return Changes(
            node=message.node,
            dependencies=secrets or configs,
            networks=networks or services,
            tasks=tuple(message.tasks),
            dismissed=tuple(message.removed_tasks),
        )

    def _replace(self, message: Assignments) -> Changes:
        named = {task.id for task in message.tasks}
        dismissed = tuple(id_ for id_ in self.tasks if id_ not in named)
        self.tasks = named
        self.networks = {n.id: n for n in message.networks}
        self.services = {s.service_id: s for s in message.services}
        self.secrets = {s.id: s for s in message.secrets}
        self.configs = {c.id: c for c in message.configs}
        return Changes(
            node=message.node,
            dependencies=True,
            networks=True,
            tasks=tuple(message.tasks),
            dismissed=dismissed,
        )


def _fold(held: dict[K, V], changed: dict[K, V], removed: list[K]) -> bool:
    held.update(changed)
    for key in removed:
        held.pop(key, None)
    return bool(changed or removed)
