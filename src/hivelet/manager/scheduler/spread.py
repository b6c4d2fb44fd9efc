"""Placement preferences: over which values of which labels a service's tasks are spread. Pure.

A node's branch for preferences `a, b` is the path of its values, one longer for each preference, as in SwarmKit's decision tree;
nodes without the label share a branch.
"""

from __future__ import annotations

from hivelet.objects.node import Node
from hivelet.objects.task import Task

_NODE_LABEL = "node.labels."
_ENGINE_LABEL = "engine.labels."


def branch_of(task: Task, node: Node) -> list[tuple[str, ...]]:
    """The branches that the node is on, from the first preference's down."""
    placement = task.spec.placement
    if placement is None or not placement.preferences:
        return []
    path: tuple[str, ...] = ()
    found: list[tuple[str, ...]] = []
    for preference in placement.preferences:
        if preference.spread is not None:
            path = (*path, label_value(node, preference.spread.spread_descriptor))
            found.append(path)
    return found


def label_value(node: Node, descriptor: str) -> str:
    """The node's value for `node.labels.x` or `engine.labels.x`; "" where it has none."""
    if descriptor.startswith(_NODE_LABEL):
        return node.spec.labels.get(descriptor[len(_NODE_LABEL) :], "")
    if descriptor.startswith(_ENGINE_LABEL):
        return node.description.engine.labels.get(descriptor[len(_ENGINE_LABEL) :], "")
    return ""
