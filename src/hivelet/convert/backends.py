"""A service's tasks as its balancer sees them: hivelet's own part of `GET /services/{id}`, on request (`backends=true`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hivelet.convert.shape import Json
from hivelet.convert.task import why_not_running
from hivelet.objects.common import TaskId
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.task import Task

IN, DRAINING, OUT = "in", "draining", "out"


def encode_backends(tasks: Iterable[Task], traffic: Mapping[TaskId, BackendTraffic]) -> list[Json]:
    """Those of the tasks that have a running container, by slot: where each stands, and who is connected to it."""
    there = [task for task in tasks if task.id in traffic]
    return [
        _encode_backend(task, traffic[task.id])
        for task in sorted(there, key=lambda task: (task.slot, task.node_id, task.id))
    ]


def backend_state(task: Task, traffic: BackendTraffic) -> str:
    """Whether it gets new connections, only keeps those it has, or has none of either yet."""
    if traffic.admitted:
        return IN
    return OUT if task.wanted and not task.status.leaving else DRAINING


def _encode_backend(task: Task, traffic: BackendTraffic) -> Json:
    answer: Json = {
        "TaskID": task.id,
        "Name": task.name,
        "NodeID": task.node_id,
        "State": backend_state(task, traffic),
        "Addresses": [
            {"NetworkID": attachment.network_id, "Addr": address}
            for attachment in task.networks
            for address in attachment.addresses
        ],
        "Connections": {"Busy": traffic.busy, "Idle": traffic.idle},
    }
    if why := task.status.err or why_not_running(task):
        answer["Err"] = why
    return answer
