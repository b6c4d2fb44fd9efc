"""Which nodes have been silent for too long, and what is written of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from hivelet.objects.common import NodeId
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.plan import Write

GRACE = 3
"""Heartbeats that may be missed (SwarmKit)."""

SILENT = "heartbeat failure"
"""SwarmKit's message for a node that is down."""


def silence_limit(period: float) -> timedelta:
    """How long a node may be silent."""
    return timedelta(seconds=period * GRACE)


def mark_silent(
    nodes: Iterable[Node], heard: Mapping[NodeId, datetime], period: float, now: datetime
) -> tuple[list[Write], datetime | None]:
    """The writes that call silent nodes down, and when to look again."""
    writes: list[Write] = []
    moments: list[datetime] = []
    for node in nodes:
        if node.status.state == "down" or node.id not in heard:
            continue
        limit = heard[node.id] + silence_limit(period)
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
