"""What this node has, as families of samples. Pure: facts in, families out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from hivelet.metrics.families import gauge
from hivelet.objects.common import TaskId
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.task import Task

_CONTAINER_STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """A node at one moment. `disk` is that of the state directory: bytes in all, and bytes that are free."""

    version: str
    runtime: str = ""
    containers: Mapping[str, int] = field(default_factory=dict)
    images: int = 0
    volumes: int = 0
    networks: int = 0
    resolvers_running: int = 0
    resolvers_failed: int = 0
    disk: tuple[int, int] = (0, 0)
    traffic: Mapping[TaskId, BackendTraffic] = field(default_factory=dict)


def node_families(facts: NodeFacts, tasks: Collection[Task]) -> Iterator[Metric]:
    """All that the facts say; `tasks` are those of the node."""
    yield gauge(
        "hivelet_build_info",
        "1; the labels are the daemon's version and the OCI runtime that it uses.",
        ("version", "runtime"),
        [((facts.version, facts.runtime), 1)],
    )
    yield gauge(
        "hivelet_containers",
        "Containers of this node by state, with and without a task.",
        ("state",),
        (((state,), facts.containers.get(state, 0)) for state in _CONTAINER_STATES),
    )
    singles = (
        ("hivelet_images", "Images of this node.", facts.images),
        ("hivelet_volumes", "Volumes of this node.", facts.volumes),
        ("hivelet_networks", "Networks that have a bridge on this node.", facts.networks),
        (
            "hivelet_disk_size_bytes",
            "Size of the file system that holds hiveletd's state.",
            facts.disk[0],
        ),
        ("hivelet_disk_free_bytes", "What is free of it.", facts.disk[1]),
    )
    for name, about, number in singles:
        yield gauge(name, about, (), [((), number)])
    yield gauge(
        "hivelet_resolvers",
        "Resolvers (dnsmasq) of this node; a failed one is being replaced.",
        ("state",),
        [(("running",), facts.resolvers_running), (("failed",), facts.resolvers_failed)],
    )
    yield from _backend_families(facts, tasks)


def _backend_families(facts: NodeFacts, tasks: Collection[Task]) -> Iterator[Metric]:
    # One series for a slot, whatever number of tasks it has at the moment: an update that starts first has two.
    admitted: dict[tuple[str, str], int] = {}
    connections: dict[tuple[str, str, str], int] = {}
    for task in tasks:
        if (seen := facts.traffic.get(task.id)) is None:
            continue
        place = (task.service_annotations.name, str(task.slot) if task.slot else task.node_id)
        admitted[place] = admitted.get(place, 0) + seen.admitted
        for state, number in (("busy", seen.busy), ("idle", seen.idle)):
            key = (*place, state)
            connections[key] = connections.get(key, 0) + number
    yield gauge(
        "hivelet_backend_admitted",
        "Tasks of the slot that take new connections.",
        ("service", "slot"),
        admitted.items(),
    )
    yield gauge(
        "hivelet_backend_connections",
        "Incoming connections of the slot's tasks; busy ones have a request in flight.",
        ("service", "slot", "state"),
        connections.items(),
    )
