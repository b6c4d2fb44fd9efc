"""Where a global service has its tasks: one on each node that may have it. Pure.

A node may have it while it is not down, drained or removed and meets the constraints; a paused node keeps its task but gets no
new one. Resources don't count here: a task that does not fit waits on its node, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hivelet.manager.orchestrator.enforce import unfit
from hivelet.manager.orchestrator.replicated import is_filled
from hivelet.manager.orchestrator.slots import Slot, SlotKey, fill_slot
from hivelet.objects.common import NodeId
from hivelet.objects.node import Node
from hivelet.objects.plan import Write
from hivelet.objects.service import Service
from hivelet.objects.task import TaskState


def spread_service(
    service: Service,
    slots: Mapping[SlotKey, Slot],
    nodes: Mapping[NodeId, Node],
    now: datetime,
) -> tuple[list[Write], set[SlotKey]]:
    """The writes that give each node that may have the service its task, and take it from the others."""
    writes: list[Write] = []
    touched: set[SlotKey] = set()
    for node in nodes.values():
        slot = slots.get((service.id, node.id)) or Slot((service.id, node.id), 0, node.id, ())
        if is_filled(slot, service, now) or not may_start(service, node):
            continue
        writes.append(Write(create=(fill_slot(service, slot, now),), why=f"node {node.id}"))
        touched.add(slot.key)
    for slot in slots.values():
        present = nodes.get(slot.node_id)
        reason = unfit(service.spec.task_template, present)
        if slot.current is not None and reason:
            writes.append(_leave(slot, reason, removed=present is None))
            touched.add(slot.key)
    return writes, touched


def may_start(service: Service, node: Node) -> bool:
    """Whether the node may be given a task of the service."""
    return (
        node.status.state == "ready"
        and node.spec.availability == "active"
        and not unfit(service.spec.task_template, node)
    )


def _leave(slot: Slot, reason: str, *, removed: bool) -> Write:
    state = TaskState.REMOVE if removed else TaskState.SHUTDOWN
    return Write(
        update=tuple(task.replaced(desired_state=state, evicted=reason) for task in slot.wanted),
        why=f"the node may not have the service any more: {reason}",
    )
