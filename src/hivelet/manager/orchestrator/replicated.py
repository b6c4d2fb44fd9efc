"""How many slots a replicated service has, and which are added or go. Pure.

Added: the lowest free numbers. Going: slots whose task isn't running before those whose task is, tasks of the fullest nodes
first, the highest numbers first.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import datetime

from hivelet.manager.orchestrator.restart import should_restart
from hivelet.manager.orchestrator.slots import Slot, SlotKey, fill_slot, make_slot
from hivelet.objects.common import NodeId
from hivelet.objects.plan import Write
from hivelet.objects.service import Service
from hivelet.objects.task import TaskState


def is_filled(slot: Slot, service: Service, now: datetime) -> bool:
    """Whether the slot counts: it has a wanted task, or its last one ended and is not to be followed."""
    if slot.current is not None:
        return True
    last = slot.newest
    return last is not None and not should_restart(last, service, now).wanted


def scale_service(
    service: Service, slots: Mapping[SlotKey, Slot], now: datetime
) -> tuple[list[Write], set[SlotKey]]:
    """The writes that bring the number of slots to the number of replicas, and the slots they are about."""
    filled = [slot for slot in slots.values() if is_filled(slot, service, now)]
    missing = service.replicas - len(filled)
    if missing > 0:
        added = _free_slots(service, slots, {slot.number for slot in filled}, missing)
        # One write: a service of a thousand replicas costs one commit.
        write = Write(create=tuple(fill_slot(service, s, now) for s in added), why="scale up")
        return [write], {slot.key for slot in added}
    if missing < 0:
        going = choose_leaving(filled, -missing)
        return [remove_slot(slot, "scale down") for slot in going], {slot.key for slot in going}
    return [], set()


def choose_leaving(slots: list[Slot], count: int) -> list[Slot]:
    """The `count` slots that are given up first."""
    ordered = sorted(slots, key=lambda slot: slot.number)
    idle = [slot for slot in ordered if not _runs(slot)]
    chosen = idle[::-1][:count]
    by_node: dict[str, list[Slot]] = {}
    for slot in ordered:
        if _runs(slot):
            by_node.setdefault(_node_of(slot), []).append(slot)
    heap = [(-len(crowd), -crowd[-1].number, node) for node, crowd in by_node.items()]
    heapq.heapify(heap)
    while len(chosen) < count and heap:
        _, _, node = heapq.heappop(heap)
        crowd = by_node[node]
        chosen.append(crowd.pop())
        if crowd:
            heapq.heappush(heap, (-len(crowd), -crowd[-1].number, node))
    return chosen


def remove_slot(slot: Slot, why: str) -> Write:
    """Mark all tasks of a slot for removal, its history too."""
    doomed = (task for task in slot.tasks if task.desired_state is not TaskState.REMOVE)
    return Write(
        update=tuple(task.replaced(desired_state=TaskState.REMOVE) for task in doomed), why=why
    )


def _free_slots(
    service: Service, slots: Mapping[SlotKey, Slot], taken: set[int], count: int
) -> list[Slot]:
    found: list[Slot] = []
    number = 0
    while len(found) < count:
        number += 1
        if number in taken:
            continue
        key = (service.id, str(number))
        known = slots.get(key) or make_slot(key, ())
        found.append(Slot(key, number, NodeId(""), known.tasks))
    return found


def _runs(slot: Slot) -> bool:
    return any(task.status.state is TaskState.RUNNING for task in slot.wanted)


def _node_of(slot: Slot) -> str:
    current = slot.current
    return current.node_id if current else ""
