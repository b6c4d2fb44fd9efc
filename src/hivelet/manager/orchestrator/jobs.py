"""What a job still has to run: tasks until enough have completed, or one on each node. Pure.

A job is executed once for each *iteration*; a changed service begins the next one. Tasks of earlier iterations are stopped, if
they still run, and become history; a slot whose task of this iteration has completed is done; one whose task failed is tried again as the restart
policy says, and where that gives up the slot stays failed, and with it the job. Slots are numbered from 1, as
everywhere; `hivelet.convert` shows them as SwarmKit counts those of jobs, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hivelet.manager.orchestrator.global_mode import may_start, may_stay
from hivelet.manager.orchestrator.restart import should_restart
from hivelet.manager.orchestrator.slots import Slot, SlotKey, fill_slot, make_slot
from hivelet.objects.common import NodeId
from hivelet.objects.node import Node
from hivelet.objects.plan import Plan, Write
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState

Step = tuple[Plan, set[SlotKey]]
"""What is to be written, and the slots that it is about."""


def is_outdated(service: Service, task: Task) -> bool:
    """Whether the task belongs to an earlier iteration of a job."""
    job = service.job_status
    return job is not None and task.job_iteration != job.job_iteration


def is_done(task: Task) -> bool:
    """Whether the task has done its part of a job."""
    return task.job_iteration is not None and task.status.state is TaskState.COMPLETE


def run_to_completion(service: Service, slots: Mapping[SlotKey, Slot], now: datetime) -> Step:
    """The next step of a replicated job: never more tasks than may run at a time, never more than are still missing."""
    mode = service.spec.mode.replicated_job
    assert mode is not None
    writes = _stop_outdated(service, slots)
    touched = {key for key, _ in writes}
    tried = {slot.number: _latest(service, slot) for slot in slots.values()}
    running = sum(_holds_place(service, task, now) for task in tried.values() if task)
    free = mode.concurrency - running
    untried = (n for n in range(1, mode.completions + 1) if tried.get(n) is None)
    added: list[Task] = []
    for number, _ in zip(untried, range(max(free, 0)), strict=False):
        key = (service.id, str(number))
        known = slots.get(key) or make_slot(key, ())
        added.append(fill_slot(service, Slot(key, number, NodeId(""), known.tasks), now))
        touched.add(key)
    return _step([write for _, write in writes], added, "the job goes on"), touched


def run_on_nodes(
    service: Service,
    slots: Mapping[SlotKey, Slot],
    nodes: Mapping[NodeId, Node],
    now: datetime,
) -> Step:
    """The next step of a global job: a task on each node that may have it and has not had it yet."""
    writes = _stop_outdated(service, slots)
    touched = {key for key, _ in writes}
    added: list[Task] = []
    for node in nodes.values():
        key: SlotKey = (service.id, node.id)
        slot = slots.get(key) or Slot(key, 0, node.id, ())
        if _latest(service, slot) is None and may_start(service, node):
            added.append(fill_slot(service, slot, now))
            touched.add(key)
    for there, slot in slots.items():
        task, at = _latest(service, slot), nodes.get(slot.node_id)
        gone = at is None or not may_stay(service, at)
        if gone and task is not None and task.wanted and not is_done(task):
            leaving = task.replaced(desired_state=TaskState.SHUTDOWN)
            writes.append((there, Write(update=(leaving,), why="the node may not have the job")))
            touched.add(there)
    return _step([write for _, write in writes], added, "a node has not run the job"), touched


def _stop_outdated(service: Service, slots: Mapping[SlotKey, Slot]) -> list[tuple[SlotKey, Write]]:
    writes: list[tuple[SlotKey, Write]] = []
    for key, slot in slots.items():
        old = [t for t in slot.wanted if is_outdated(service, t) and not is_done(t)]
        if old:
            stopped = tuple(task.replaced(desired_state=TaskState.SHUTDOWN) for task in old)
            writes.append((key, Write(update=stopped, why="the job was started anew")))
    return writes


def _latest(service: Service, slot: Slot) -> Task | None:
    """The newest attempt of this iteration; one that a lost node took with it counts as none."""
    for task in reversed(slot.tasks):
        if is_outdated(service, task) or task.desired_state is TaskState.REMOVE:
            continue
        stopped = not task.wanted and task.status.state in _NOT_ITS_FAULT
        return None if stopped else task
    return None


_NOT_ITS_FAULT = tuple(
    state
    for state in TaskState
    if state.order <= TaskState.RUNNING.order or state in {TaskState.SHUTDOWN, TaskState.ORPHANED}
)
"""Where a task that nobody wants any more may stand without having failed."""


def _holds_place(service: Service, task: Task, now: datetime) -> bool:
    """Whether the task counts among those that run at the same time: also one that is to be tried again."""
    if not task.wanted or is_done(task):
        return False
    return not task.status.state.terminal or should_restart(task, service, now).wanted


def _step(writes: list[Write], added: list[Task], why: str) -> Plan:
    if added:
        writes = [*writes, Write(create=tuple(added), why=why)]
    return Plan(writes=tuple(writes), why="; ".join(sorted({write.why for write in writes})))
