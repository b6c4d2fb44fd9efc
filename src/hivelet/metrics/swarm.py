"""Services, tasks, nodes and the store as families of samples. Pure: a view in, families out.

Labels are names of services and hosts, slots, and words out of fixed lists, so that the number of series follows the number of
services and replicas and never their history. A service that is being removed is left out, and with it all of its series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric

from hivelet.convert.service import count_tasks
from hivelet.metrics.families import Row, gauge
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.store.tables import KIND_NAMES, KINDS
from hivelet.store.view import View

UPDATE_STATES = (
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
)
"""Swarm's words for how an update stands."""

_NODE_STATES = ("unknown", "down", "ready", "disconnected")
_AVAILABILITIES = ("active", "pause", "drain")


def swarm_families(view: View) -> Iterator[Metric]:
    """All that the cluster's state says."""
    services = [service for service in view.all(Service) if not service.pending_delete]
    tasks = list(view.all(Task))
    yield from _service_families(services, tasks)
    yield from _task_families(tasks)
    yield from _node_families(list(view.all(Node)))
    yield gauge(
        "hivelet_swarm_locked",
        "1 while the swarm waits for its unlock key; nothing of services and tasks is known then.",
        (),
        [((), float(view.locked))],
    )
    yield gauge(
        "hivelet_store_objects",
        "Objects in the cluster store.",
        ("kind",),
        (((KIND_NAMES[kind],), view.count(kind)) for kind in KINDS),
    )


def _service_families(services: list[Service], tasks: list[Task]) -> Iterator[Metric]:
    counts = count_tasks(services, tasks)
    named = [(service.spec.name, counts[service.id]) for service in services]
    yield gauge(
        "hivelet_service_tasks_desired",
        "Tasks that should run, as in the column REPLICAS of `service ls`.",
        ("service",),
        (((name,), count.desired) for name, count in named),
    )
    yield gauge(
        "hivelet_service_tasks_running",
        "Tasks that run.",
        ("service",),
        (((name,), count.running) for name, count in named),
    )
    yield gauge(
        "hivelet_service_update_state",
        "1 for the state of the service's last update or rollback, 0 for the others; absent where there was none.",
        ("service", "state"),
        _stateset(
            (service.spec.name, service.update_status.state)
            for service in services
            if service.update_status is not None
        ),
    )


def _stateset(pairs: Iterable[tuple[str, str]]) -> Iterator[Row]:
    for name, present in pairs:
        for state in UPDATE_STATES:
            yield (name, state), float(state == present)


def _task_families(tasks: list[Task]) -> Iterator[Metric]:
    states = Counter(task.status.state for task in tasks)
    yield gauge(
        "hivelet_tasks",
        "Tasks by state, those of the past that are remembered included.",
        ("state",),
        (((state.value,), states[state]) for state in TaskState),
    )
    yield gauge(
        "hivelet_tasks_draining",
        "Running tasks that are on their way out: their connections end, or they were told to stop.",
        (),
        [((), sum(task.status.leaving for task in tasks))],
    )


def _node_families(nodes: list[Node]) -> Iterator[Metric]:
    yield gauge(
        "hivelet_node_state",
        "1 for the node's state as the manager sees it, 0 for the others.",
        ("node", "state"),
        (
            ((node.description.hostname, state), float(node.status.state == state))
            for node in nodes
            for state in _NODE_STATES
        ),
    )
    yield gauge(
        "hivelet_node_availability",
        "1 for what the node is to be used for, 0 for the others.",
        ("node", "availability"),
        (
            ((node.description.hostname, word), float(node.spec.availability == word))
            for node in nodes
            for word in _AVAILABILITIES
        ),
    )
    resources = [(node.description.hostname, node.description.resources) for node in nodes]
    yield gauge(
        "hivelet_node_cpus",
        "Processors of the node.",
        ("node",),
        (((name,), found.nano_cpus / 1e9) for name, found in resources if found),
    )
    yield gauge(
        "hivelet_node_memory_bytes",
        "Memory of the node.",
        ("node",),
        (((name,), found.memory_bytes) for name, found in resources if found),
    )
