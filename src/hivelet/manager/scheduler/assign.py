"""Which node each waiting task gets. Pure but for the node set, in which a placed task counts at once.

Tasks of one service and spec are placed together: nodes are filtered once by what cannot change meanwhile, then each task goes to
the best of those that still have room. Best is: by placement preferences (the least loaded branch first), then a node on which
not five or more of these tasks have failed within five minutes, then the node with the fewest tasks of the service, then the fewest tasks at all, then by id.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from hivelet.manager.scheduler.filters import OF_THE_SLOT, STATIC, explain, failed_filter
from hivelet.manager.scheduler.nodeinfo import NodeInfo, NodeSet, reserved
from hivelet.manager.scheduler.spread import branch_of
from hivelet.objects.plan import NOTHING, Plan, Write
from hivelet.objects.task import Task, TaskState

ASSIGNED = "scheduler assigned task to node"
CONFIRMED = "scheduler confirmed task can run on preassigned node"

Rank = tuple[tuple[int, ...], int, int, int, str]

WRITE_SIZE = 256
"""Tasks in one atomic write."""


def assign_tasks(tasks: Iterable[Task], nodes: NodeSet, now: datetime) -> Plan:
    """A node for every task that has one, and the reason for every other."""
    changed: list[Task] = []
    nodes.forget_failures(now)
    for group in _groups(tasks):
        changed.extend(_assign_group(group, nodes, now))
    writes = tuple(
        Write(update=tuple(changed[start : start + WRITE_SIZE]), why="scheduling")
        for start in range(0, len(changed), WRITE_SIZE)
    )
    placed = sum(task.status.state is TaskState.ASSIGNED for task in changed)
    why = f"{placed} tasks assigned, {len(changed) - placed} have no node" if changed else ""
    return Plan(writes=writes, why=why)


def hold_tasks(tasks: Iterable[Task], reason: str, now: datetime) -> Plan:
    """Tell each task why it waits; nothing where it says so already."""
    changed = [
        task.replaced(status=task.status.replaced(timestamp=now, err=reason))
        for task in tasks
        if task.status.err != reason
    ]
    if not changed:
        return NOTHING
    why = f"{len(changed)} tasks wait for other services"
    return Plan(writes=(Write(update=tuple(changed), why=why),), why=why)


def _groups(tasks: Iterable[Task]) -> Iterable[list[Task]]:
    grouped: dict[object, list[Task]] = {}
    for task in tasks:
        version = task.spec_version.index if task.spec_version is not None else task.id
        grouped.setdefault((task.service_id, version), []).append(task)
    return grouped.values()


def _assign_group(tasks: list[Task], nodes: NodeSet, now: datetime) -> list[Task]:
    """Place tasks of one spec: all pass and fail the same filters but one, so a node that is full for one is full for the rest."""
    first = tasks[0]
    able = [info for info in nodes if all(check(first, info) for check in STATIC)]
    branches = _branch_loads(first, able)
    heap = [(_rank(first, info, branches), info) for info in able]
    heapq.heapify(heap)
    changed: list[Task] = []
    reason = ""
    for task in tasks:
        best = _preassigned(task, nodes) if task.node_id else _pop_best(task, heap, branches)
        if best is not None:
            placed = _placed(task, best, now)
            nodes.observe_task(placed)
            branches.update(branch_of(task, best.node))
            if not task.node_id:
                heapq.heappush(heap, (_rank(task, best, branches), best))
            changed.append(placed)
            continue
        if task.node_id or not reason:
            reason = _reason(task, nodes)
        if reason != task.status.err:
            status = task.status.replaced(timestamp=now, err=reason)
            changed.append(task.replaced(status=status))
    return changed


def _preassigned(task: Task, nodes: NodeSet) -> NodeInfo | None:
    info = nodes.get(task.node_id)
    return info if info is not None and failed_filter(task, info) is None else None


def _pop_best(
    task: Task, heap: list[tuple[Rank, NodeInfo]], branches: Counter[tuple[str, ...]]
) -> NodeInfo | None:
    """The best node that can still take the task, taken off the heap; those that can't are dropped on the way.

    One that lacks a host-mode port stays: another slot's task may be what holds it.

    Placing on one node makes its whole branch less attractive, so an entry's rank may be out of date: such an entry is
    put back with its present rank before it is believed.
    """
    aside: list[tuple[Rank, NodeInfo]] = []
    best: NodeInfo | None = None
    while heap and best is None:
        rank, info = heapq.heappop(heap)
        failed = failed_filter(task, info)
        if failed is not None:
            if failed.passes is OF_THE_SLOT:
                aside.append((rank, info))
            continue
        present = _rank(task, info, branches)
        if present == rank:
            best = info
        else:
            heapq.heappush(heap, (present, info))
    for entry in aside:
        heapq.heappush(heap, entry)
    return best


def _rank(task: Task, info: NodeInfo, branches: Counter[tuple[str, ...]]) -> Rank:
    preferred = tuple(branches[branch] for branch in branch_of(task, info.node))
    failures = info.recent_failures(task)
    return (preferred, failures, info.by_service[task.service_id], info.tasks, info.node.id)


def _branch_loads(task: Task, pool: Iterable[NodeInfo]) -> Counter[tuple[str, ...]]:
    loads: Counter[tuple[str, ...]] = Counter()
    for info in pool:
        for branch in branch_of(task, info.node):
            loads[branch] += info.by_service[task.service_id]
    return loads


def _placed(task: Task, info: NodeInfo, now: datetime) -> Task:
    message = CONFIRMED if task.node_id else ASSIGNED
    status = task.status.replaced(timestamp=now, state=TaskState.ASSIGNED, message=message, err="")
    given = info.claim(reserved(task)) or []
    return task.replaced(node_id=info.node.id, status=status, generic_resources=given)


def _reason(task: Task, nodes: NodeSet) -> str:
    where = [nodes.get(task.node_id)] if task.node_id else list(nodes)
    failures = (failed_filter(task, info) for info in where if info is not None)
    return explain(failure for failure in failures if failure is not None)
