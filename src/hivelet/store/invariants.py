"""What must always hold in a cluster store, whoever wrote to it. Pure; tests call it after every commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.store.tables import KINDS, UNIQUE_NAMES
from hivelet.store.view import View


def check_store(view: View) -> list[str]:
    """Every broken invariant as a sentence; an empty list where all hold."""
    return [
        *_names_are_unique(view),
        *_versions_are_stamped(view),
        *_tasks_belong(view),
        *_addresses_are_unique(view),
        *_ports_are_unique(view),
    ]


def _names_are_unique(view: View) -> Iterator[str]:
    for kind, name_of in UNIQUE_NAMES.items():
        counted = Counter(name for obj in view.all(kind) if (name := name_of(obj)))
        yield from (f"{n} objects have the name {name}" for name, n in counted.items() if n > 1)


def _versions_are_stamped(view: View) -> Iterator[str]:
    for kind in KINDS:
        for obj in view.all(kind):
            if obj.meta.version.index <= 0 or obj.meta.created_at is None:
                yield f"{kind.__name__} {obj.id} is not stamped"


def _tasks_belong(view: View) -> Iterator[str]:
    for task in view.all(Task):
        state = task.status.state
        if view.service(task.service_id) is None:
            yield f"task {task.id} belongs to no service"
        if TaskState.ASSIGNED.order <= state.order <= TaskState.RUNNING.order:
            if not task.node_id:
                yield f"task {task.id} is {state} without a node"
            elif view.get(Node, task.node_id) is None:
                yield f"task {task.id} is {state} on a node that does not exist"
        if state.order >= TaskState.PENDING.order and not state.terminal:
            for attachment in task.networks:
                if view.get(Network, attachment.network_id) is None:
                    yield f"task {task.id} is {state} in a network that does not exist"


def _addresses_are_unique(view: View) -> Iterator[str]:
    taken: Counter[tuple[str, str]] = Counter()
    for task in view.all(Task):
        if not task.status.state.terminal:
            taken.update((a.network_id, address) for a in task.networks for address in a.addresses)
    for service in view.all(Service):
        if service.endpoint is not None:
            taken.update((vip.network_id, vip.addr) for vip in service.endpoint.virtual_ips)
    for network in view.all(Network):
        taken.update((network.id, a) for place in network.attachments for a in place.addresses)
    yield from (
        f"address {address} of network {network_id} is taken {n} times"
        for (network_id, address), n in taken.items()
        if n > 1
    )


def _ports_are_unique(view: View) -> Iterator[str]:
    taken: Counter[tuple[str, int]] = Counter()
    for service in view.all(Service):
        if service.endpoint is not None and not service.pending_delete:
            taken.update(
                (port.protocol, port.published_port)
                for port in service.endpoint.ports
                if port.publish_mode == "ingress" and port.published_port
            )
    yield from (
        f"port {port}/{protocol} is published by {n} services"
        for (protocol, port), n in taken.items()
        if n > 1
    )
