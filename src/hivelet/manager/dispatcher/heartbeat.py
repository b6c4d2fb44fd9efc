"""Which nodes have been silent for too long, and what is written of them. Pure.

Silence is counted in seconds of the steady clock: a wall clock that is put forward must not turn every node down at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from hivelet.objects.common import NodeId
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.plan import Write
from hivelet.objects.task import Task, TaskState

GRACE = 3
"""Heartbeats that may be missed (SwarmKit)."""

ORPHAN_AFTER = 24 * 3600.0
"""Seconds that a node must be down before its tasks are given up (SwarmKit)."""

SILENT = "heartbeat failure"
"""SwarmKit's message for a node that is down."""


def mark_silent(
    nodes: Iterable[Node], heard: Mapping[NodeId, float], period: float, now: float
) -> tuple[list[Write], float | None]:
    """The writes that call silent nodes down, and when to look again. `period` and all moments in seconds."""
    writes: list[Write] = []
    moments: list[float] = []
    for node in nodes:
        if node.status.state == "down" or node.id not in heard:
            continue
        limit = heard[node.id] + period * GRACE
        if limit > now:
            moments.append(limit)
        else:
            down = node.status.replaced(state="down", message=SILENT)
            writes.append(Write(update=(node.replaced(status=down),), why=f"{node.id} is silent"))
    return writes, min(moments, default=None)


def mark_ready(node: Node, description: NodeDescription) -> Node:
    """The node as it is while its agent has a session; the very same value where nothing changes."""
    status = node.status.replaced(state="ready", message="")
    after = node.replaced(description=description, status=status)
    return node if after == node else after


def orphan_tasks(tasks: Iterable[Task], now: datetime) -> list[Write]:
    """The writes that give up the tasks of a node that is gone: nobody will ever say what became of them."""
    placed = (
        task
        for task in tasks
        if TaskState.ASSIGNED.order <= task.status.state.order <= TaskState.RUNNING.order
    )
    return [
        Write(
            update=(
                task.replaced(status=task.status.replaced(timestamp=now, state=TaskState.ORPHANED)),
            ),
            why=f"node {task.node_id} is gone",
        )
        for task in placed
    ]
