"""Which tasks must leave the node they are on, and why. Pure.

A task leaves a node that is drained, removed or down, or that no longer meets the task's constraints. A paused node keeps
what it has. SwarmKit rejects tasks with unmet constraints by writing their status; here they are replaced like those of a
drained node, because a status past ASSIGNED is the agent's alone; why is kept
in the task (`evicted`), and shown as its error.
"""

from __future__ import annotations

from hivelet.manager.dirty import broken_constraint, present_spec
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskSpec


def must_leave(service: Service, task: Task, node: Node | None) -> str:
    """Why the task can't stay on its node; "" where it can, or is on none yet."""
    if not task.node_id:
        return ""
    return unfit(present_spec(service, task), node)


def unfit(spec: TaskSpec, node: Node | None) -> str:
    """Why tasks of this spec can't stay on a node; "" where they can."""
    if node is None:
        return "its node was removed"
    if node.status.state == "down":
        return "its node is down"
    if node.spec.availability == "drain":
        return "its node is drained"
    return broken_constraint(spec, node)
