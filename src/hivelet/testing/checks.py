"""What must hold after every commit of a simulated cluster, beyond what the store checks by itself. Pure, save the watcher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from hivelet.objects.common import NodeId, ServiceId, TaskId
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import Resources, Task, TaskState
from hivelet.store.invariants import check_store
from hivelet.store.memory import Store
from hivelet.store.watch import Watcher


class Checked(Protocol):
    """What is looked at: a simulated cluster."""

    store: Store
    unheard: set[NodeId]
    excused: set[frozenset[TaskId]]
    violations: list[str]

    def nodes(self) -> Sequence[Node]:
        """All of its nodes."""
        ...

    def tasks(self) -> Sequence[Task]:
        """All of its tasks."""
        ...

    def containers(self) -> Sequence[Task]:
        """The tasks of which a container runs."""
        ...


class CheckingWatcher(Watcher):
    """Is offered every commit in the moment it is made, and looks at the store instead of queueing it."""

    def __init__(self, cluster: Checked) -> None:
        store = cluster.store
        subscribed = store.watch(())
        super().__init__((), coalescing=True, version=store.version, close=lambda _: None)
        self._cluster = cluster
        # The store offers commits to what it has subscribed; let that be this one.
        subscribed.offer = self.offer  # type: ignore[method-assign]
        self._subscribed = subscribed

    def offer(self, commit: object) -> None:
        """Check the state after a commit."""
        cluster = self._cluster
        found = [
            *cluster.store.view(check_store),
            *overlaps(cluster),
            *overcommitted(cluster.tasks(), cluster.nodes()),
            *shared_host_ports(cluster.tasks()),
        ]
        cluster.violations.extend(f"version {cluster.store.version}: {text}" for text in found)

    def close(self) -> None:
        """Unsubscribe."""
        self._subscribed.close()


def overlaps(cluster: Checked) -> list[str]:
    """Slots of which two containers run, though nobody has ever said that the one may start before the other stops."""
    services = {s.id: s for s in cluster.store.view(lambda view: list(view.all(Service)))}
    slots: dict[tuple[str, str], list[Task]] = {}
    for task in cluster.tasks():
        if TaskState.ASSIGNED.order <= task.status.state.order <= TaskState.RUNNING.order:
            slots.setdefault(task.slot_key, []).append(task)
    for (service_id, _), tasks in slots.items():
        if len(tasks) > 1 and _may_overlap(services[ServiceId(service_id)]):
            cluster.excused.update(frozenset((a.id, b.id)) for a in tasks for b in tasks)
    seen: dict[tuple[str, str], Task] = {}
    found: list[str] = []
    for task in cluster.containers():
        if task.node_id in cluster.unheard:
            continue
        other = seen.setdefault(task.slot_key, task)
        if other is not task and frozenset((task.id, other.id)) not in cluster.excused:
            found.append(f"slot {task.slot_key} runs {other.id} and {task.id}")
    return found


def _may_overlap(service: Service) -> bool:
    specs = [spec for spec in (service.spec, service.previous_spec) if spec is not None]
    configs = [config for spec in specs for config in (spec.update_config, spec.rollback_config)]
    return any(config is not None and config.order == "start-first" for config in configs)


def overcommitted(tasks: Sequence[Task], nodes: Sequence[Node]) -> Iterator[str]:
    """Nodes on which tasks have reserved more than there is."""
    reserved: dict[str, list[Resources]] = defaultdict(list)
    for task in tasks:
        needs = task.spec.resources.reservations if task.spec.resources else None
        if needs is not None and _on_node(task):
            reserved[task.node_id].append(needs)
    for node in nodes:
        there = node.description.resources
        memory = sum(each.memory_bytes for each in reserved[node.id])
        cpus = sum(each.nano_cpus for each in reserved[node.id])
        if memory > there.memory_bytes or cpus > there.nano_cpus:
            on_it = [f"{t.id[:5]} {t.status.state}" for t in tasks if t.node_id == node.id]
            yield (
                f"node {node.id} has {there.memory_bytes} bytes and {there.nano_cpus} nano-CPUs and "
                f"promised {memory} and {cpus}: {', '.join(on_it)}"
            )


def shared_host_ports(tasks: Sequence[Task]) -> Iterator[str]:
    """Ports of a node that tasks of two slots hold in host mode, even if one of them is on its way out."""
    held: dict[tuple[str, str, int, str], set[tuple[str, str]]] = defaultdict(set)
    for task in tasks:
        for port in task.ports:
            if _on_node(task) and port.publish_mode == "host" and port.published_port:
                place = (task.node_id, port.protocol, port.published_port, port.host_ip)
                held[place].add(task.slot_key)
    yield from (f"port {port} is held by {slots}" for port, slots in held.items() if len(slots) > 1)


def _on_node(task: Task) -> bool:
    return TaskState.ASSIGNED.order <= task.status.state.order <= TaskState.RUNNING.order
