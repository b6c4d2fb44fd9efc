"""What one node must know: its tasks, and of everything else what those tasks touch. Pure.

Tasks are followed one by one, so that a change costs the change; networks, services, secrets and configs are few, and are compared
as a whole when one of them or the node's tasks may have changed them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.objects.assignment import Assignments
from hivelet.objects.common import ConfigId, NetworkId, SecretId, ServiceId, TaskId
from hivelet.objects.defaults import AFFINITY_LABEL, CLIENT_IP
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Endpoint, Service
from hivelet.objects.task import Task, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a node's tasks touch, by id."""

    networks: Mapping[NetworkId, Network] = field(default_factory=dict)
    services: Mapping[ServiceId, ServiceEntry] = field(default_factory=dict)
    secrets: Mapping[SecretId, Secret] = field(default_factory=dict)
    configs: Mapping[ConfigId, Config] = field(default_factory=dict)


def is_assigned(task: Task) -> bool:
    """Whether the task is its node's business."""
    return task.node_id != "" and task.status.state.order >= TaskState.ASSIGNED.order


def build_entry(service: Service) -> ServiceEntry | None:
    """A service as callers see it; None for one that can't be called yet.

    One that is being removed cannot be found any more, but whoever is connected to its VIPs needs them until its last task has
    drained.
    """
    if service.endpoint is None:
        return None
    ports = [] if service.pending_delete else service.endpoint.ports
    return ServiceEntry(
        service_id=service.id,
        name=service.spec.name,
        mode=service.endpoint.spec.mode or "vip",
        vips=_vips(service.endpoint, ipv6=False),
        vips6=_vips(service.endpoint, ipv6=True),
        ports=[port for port in ports if port.publish_mode == "ingress"],
        host_ports=[port for port in ports if port.publish_mode == "host"],
        leaving=service.pending_delete,
        aliases={NetworkId(a.target): a.aliases for a in service.networks if a.aliases},
        affinity=service.spec.labels.get(AFFINITY_LABEL) == CLIENT_IP,
    )


def _vips(endpoint: Endpoint, *, ipv6: bool) -> dict[NetworkId, str]:
    return {
        vip.network_id: vip.addr.partition("/")[0]
        for vip in endpoint.virtual_ips
        if (":" in vip.addr) is ipv6
    }


def concerns(service: Service, networks: Iterable[NetworkId]) -> bool:
    """Whether a node with tasks in these networks must know the service: it could be called from there, or from outside.

    A host-mode port is served by the tasks that hold it there; which nodes they are on does not matter here.
    """
    if service.endpoint is None:
        return False
    if service.endpoint.ports:
        return True
    there = set(networks)
    return any(attachment.target in there for attachment in service.networks)


class NodeTasks:
    """The tasks that one agent was given, what they touch, and what has changed since it was last told."""

    def __init__(self) -> None:
        self._known: dict[TaskId, Task] = {}
        self._changed: dict[TaskId, Task] = {}
        self._gone: dict[TaskId, None] = {}
        self._uses: Counter[tuple[str, str]] = Counter()
        self.touches_changed = True
        self.newest_version = 0
        """The version that assigned the newest of the tasks."""

    def observe(self, task: Task, *, removed: bool) -> None:
        """Follow a task of this node."""
        before = self._known.get(task.id)
        if removed:
            self._known.pop(task.id, None)
            self._changed.pop(task.id, None)
            if before is not None:
                self._gone[task.id] = None
                self._count(before, None)
            return
        if not is_assigned(task):
            return
        self._known[task.id] = task
        self._count(before, task)
        if before is None:
            self.newest_version = max(self.newest_version, task.meta.version.index)
        if before is None or tells_more(before, task):
            self._changed[task.id] = task

    def using(self, kind: str) -> list[str]:
        """The ids of networks, secrets or configs that this node's tasks touch."""
        return [id_ for (what, id_), count in self._uses.items() if what == kind and count > 0]

    def take(self) -> tuple[list[Task], list[TaskId]]:
        """Changed and forgotten tasks since the last call."""
        changed, gone = list(self._changed.values()), list(self._gone)
        self._changed, self._gone = {}, {}
        return changed, gone

    def _count(self, before: Task | None, after: Task | None) -> None:
        old = _touches(before) if before is not None else frozenset()
        new = _touches(after) if after is not None else frozenset()
        if old is new or old == new:
            return
        self._uses.subtract(old)
        self._uses.update(new)
        self._uses = +self._uses
        self.touches_changed = True


def tells_more(before: Task, after: Task) -> bool:
    """Whether an agent that knows `before` learns something from `after`; statuses it knows itself."""
    return (
        before.desired_state is not after.desired_state
        or before.spec is not after.spec
        or before.service_annotations != after.service_annotations
        or before.networks != after.networks
        or before.ports != after.ports
    )


def _touches(task: Task) -> frozenset[tuple[str, str]]:
    """What the node must have as long as the task may run there."""
    if task.status.state.terminal:
        return frozenset()
    container = task.spec.container_spec
    return frozenset(
        (
            *(("network", attachment.network_id) for attachment in task.networks),
            *(("secret", r.secret_id) for r in (container.secrets if container else ())),
            *(("config", r.config_id) for r in (container.configs if container else ())),
        )
    )


def build_assignments(
    before: Surroundings | None,
    after: Surroundings,
    tasks: list[Task],
    gone: list[TaskId],
    node: Node | None,
) -> Assignments:
    """All that an agent is told next; `before` is what it knows of its surroundings, None if nothing at all."""
    known = before or Surroundings()
    networks = _diff(known.networks, after.networks)
    services = _diff(known.services, after.services)
    secrets = _diff(known.secrets, after.secrets)
    configs = _diff(known.configs, after.configs)
    return Assignments(
        complete=before is None,
        node=node,
        tasks=tasks,
        removed_tasks=gone,
        networks=networks[0],
        removed_networks=networks[1],
        services=services[0],
        removed_services=services[1],
        secrets=secrets[0],
        removed_secrets=secrets[1],
        configs=configs[0],
        removed_configs=configs[1],
    )


def _diff(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> tuple[list[Any], list[Any]]:
    changed = [value for key, value in after.items() if before.get(key) != value]
    return changed, [key for key in before if key not in after]
