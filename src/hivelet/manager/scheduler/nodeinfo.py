"""What the scheduler knows of each node: what is on it, and what is left. Pure data, derived from the store.

Built from all objects at the start and moved on by every event since, so that a decision costs the nodes looked at and not the
tasks there are. A task counts from its assignment until it is down; among those of its service, as long as it is wanted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hivelet.objects.common import NodeId, ServiceId, TaskId
from hivelet.objects.generic import claim
from hivelet.objects.node import Node
from hivelet.objects.task import GenericResource, Resources, Task, TaskState

PortKey = tuple[str, int, str]
"""protocol, published port, host address"""

SlotKey = tuple[str, str]

RECENTLY = timedelta(minutes=5)
"""How long a failure of a task speaks against its node (SwarmKit `monitorFailures`)."""

TOO_MANY = 5
"""So many failures of a service make a node its last choice (SwarmKit `maxFailures`)."""


@dataclass(slots=True)
class NodeInfo:
    """One node with its load."""

    node: Node
    tasks: int = 0
    by_service: Counter[ServiceId] = field(default_factory=Counter)
    """Wanted tasks alone: one on its way out leaves room for the next."""
    failures: dict[tuple[ServiceId, int], deque[datetime]] = field(default_factory=dict)
    """When tasks of a service and spec version failed here, lately."""
    host_ports: dict[PortKey, Counter[SlotKey]] = field(default_factory=dict)
    """Who holds them: for a handover a slot's tasks may share one."""
    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: dict[TaskId, list[GenericResource]] = field(default_factory=dict)

    def fits(self, wanted: Resources) -> bool:
        """Whether the node has that much left."""
        total = self.node.description.resources
        return (
            wanted.nano_cpus <= total.nano_cpus - self.nano_cpus
            and wanted.memory_bytes <= total.memory_bytes - self.memory_bytes
            and self.claim(wanted) is not None
        )

    def claim(self, wanted: Resources) -> list[GenericResource] | None:
        """What of the node's generic resources a task with these wishes gets; None where they don't suffice."""
        if not wanted.generic_resources:
            return []
        taken = [each for given in self.generic.values() for each in given]
        return claim(
            wanted.generic_resources, self.node.description.resources.generic_resources, taken
        )

    def count(self, task: Task, sign: int) -> None:
        """Count a task in (1) or out (-1)."""
        wanted = reserved(task)
        self.tasks += sign
        if task.wanted:
            self.by_service[task.service_id] += sign
        self.nano_cpus += sign * wanted.nano_cpus
        self.memory_bytes += sign * wanted.memory_bytes
        if task.generic_resources and sign > 0:
            self.generic[task.id] = task.generic_resources
        else:
            self.generic.pop(task.id, None)
        for key in host_ports(task):
            holders = self.host_ports.setdefault(key, Counter())
            holders[task.slot_key] += sign
            if not holders[task.slot_key]:
                del holders[task.slot_key]

    def note_failure(self, task: Task) -> None:
        """Remember that a task failed here."""
        moment = task.status.timestamp
        if moment is not None and task.status.state in {TaskState.FAILED, TaskState.REJECTED}:
            # More than make a difference between nodes need not be known.
            self.failures.setdefault(_spec_key(task), deque(maxlen=16 * TOO_MANY)).append(moment)

    def recent_failures(self, task: Task) -> int:
        """How many tasks of the same service and spec failed here lately; 0 while they are few."""
        count = len(self.failures.get(_spec_key(task), ()))
        return count if count >= TOO_MANY else 0

    def forget_failures(self, until: datetime) -> None:
        """Forget those that happened before."""
        for key, moments in tuple(self.failures.items()):
            while moments and moments[0] <= until:
                moments.popleft()
            if not moments:
                del self.failures[key]


class NodeSet:
    """All nodes with their load."""

    def __init__(self) -> None:
        self._nodes: dict[NodeId, NodeInfo] = {}
        self._counted: dict[TaskId, Task] = {}

    def __iter__(self) -> Iterator[NodeInfo]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, node_id: NodeId) -> NodeInfo | None:
        """One node's load."""
        return self._nodes.get(node_id)

    def observe_node(self, node: Node, *, removed: bool = False) -> None:
        """Follow a node's change."""
        if removed:
            self._nodes.pop(node.id, None)
        elif (info := self._nodes.get(node.id)) is not None:
            info.node = node
        else:
            info = self._nodes[node.id] = NodeInfo(node)
            for task in self._counted.values():
                if task.node_id == node.id:
                    info.count(task, 1)

    def observe_task(self, task: Task, *, removed: bool = False) -> bool:
        """Follow a task's change; the answer is whether it set something free."""
        before = self._counted.get(task.id)
        counts = not removed and _is_placed(task)
        if before is not None and not counts:
            del self._counted[task.id]
            self._count(before, -1)
            self.remember_failure(task)
            return True
        leaves = before is not None and before.wanted and not task.wanted
        if before is not None and leaves:
            self._count(before, -1)
        if counts and (before is None or leaves):
            self._counted[task.id] = task
            self._count(task, 1)
        return leaves

    def forget_failures(self, now: datetime) -> None:
        """Forget the failures that are no longer recent."""
        for info in self:
            if info.failures:
                info.forget_failures(now - RECENTLY)

    def remember_failure(self, task: Task) -> None:
        """Where the task has failed, note it for its node; each failure once."""
        if (info := self._nodes.get(task.node_id)) is not None:
            info.note_failure(task)

    def _count(self, task: Task, sign: int) -> None:
        if (info := self._nodes.get(task.node_id)) is not None:
            info.count(task, sign)


def _spec_key(task: Task) -> tuple[ServiceId, int]:
    return (task.service_id, task.spec_version.index if task.spec_version is not None else 0)


def _is_placed(task: Task) -> bool:
    order = task.status.state.order
    return TaskState.ASSIGNED.order <= order <= TaskState.RUNNING.order


def reserved(task: Task) -> Resources:
    """What the scheduler keeps for a task."""
    resources = task.spec.resources
    return (resources.reservations if resources else None) or Resources()


def host_ports(task: Task) -> list[PortKey]:
    """The ports of the node itself that a task takes."""
    return [
        (port.protocol, port.published_port, port.host_ip)
        for port in task.ports
        if port.publish_mode == "host" and port.published_port
    ]
