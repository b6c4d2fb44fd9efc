"""What a job still has to run: tasks until enough have completed, or one on each node. Pure.

A job is executed once for each *iteration*; a changed service begins the next one. Tasks of earlier iterations are stopped, if
they still run, and become history; a slot whose task of this iteration has completed is done; one whose task failed is tried
again as the restart policy says, and where that gives up the slot stays failed, and with it the job. Slots are numbered from 1,
as everywhere; `hivelet.convert` shows them as SwarmKit counts those of jobs, from 0. `job_progress` says what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

from hivelet.manager.orchestrator.enforce import unfit
from hivelet.manager.orchestrator.global_mode import may_start
from hivelet.manager.orchestrator.job_progress import (
    JobProgress,
    is_done,
    latest_attempt,
    outdated_tasks,
)
from hivelet.manager.orchestrator.slots import Slot, SlotKey, fill_slot
from hivelet.objects.common import NodeId
from hivelet.objects.node import Node
from hivelet.objects.plan import Plan, Write
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState

Step = tuple[Plan, set[SlotKey]]
"""What is to be written, and the slots that it is about."""


def run_to_completion(service: Service, slots: Mapping[SlotKey, Slot], now: datetime) -> Step:
    """The next step of a replicated job, where all that is known is how its slots are now."""
    return next_job_step(service, JobProgress(service, slots.values()), now)


def next_job_step(service: Service, progress: JobProgress, now: datetime) -> Step:
    """The next step of a replicated job: never more tasks than may run at a time, never more than are still missing."""
    mode = service.spec.mode.replicated_job
    assert mode is not None
    outdated = progress.outdated
    free = max(mode.concurrency - progress.running, 0)
    added = [
        replace(slot, number=int(slot.key[1]), node_id=NodeId(""))
        for slot in islice(progress.untried, free)
    ]
    tasks = [fill_slot(service, slot, now) for slot in added]
    touched = {*outdated, *(slot.key for slot in added)}
    return _step([_stop(old) for old in outdated.values()], tasks, "the job goes on"), touched


def run_on_nodes(
    service: Service,
    slots: Mapping[SlotKey, Slot],
    nodes: Mapping[NodeId, Node],
    now: datetime,
) -> Step:
    """The next step of a global job: a task on each node that may have it and has not had it yet."""
    outdated = {k: old for k, slot in slots.items() if (old := outdated_tasks(service, slot))}
    writes = [_stop(old) for old in outdated.values()]
    touched = set(outdated)
    added: list[Task] = []
    for node in nodes.values():
        key: SlotKey = (service.id, node.id)
        slot = slots.get(key) or Slot(key, 0, node.id, ())
        if latest_attempt(service, slot) is None and may_start(service, node):
            added.append(fill_slot(service, slot, now))
            touched.add(key)
    for there, slot in slots.items():
        task = latest_attempt(service, slot)
        reason = unfit(service.spec.task_template, nodes.get(slot.node_id))
        if reason and task is not None and task.wanted and not is_done(task):
            leaving = task.replaced(desired_state=TaskState.SHUTDOWN, evicted=reason)
            writes.append(Write(update=(leaving,), why="the node may not have the job"))
            touched.add(there)
    return _step(writes, added, "a node has not run the job"), touched


def _stop(tasks: tuple[Task, ...]) -> Write:
    stopped = tuple(task.replaced(desired_state=TaskState.SHUTDOWN) for task in tasks)
    return Write(update=stopped, why="the job was started anew")


def _step(writes: list[Write], added: list[Task], why: str) -> Plan:
    if added:
        writes = [*writes, Write(create=tuple(added), why=why)]
    return Plan(writes=tuple(writes), why="; ".join(sorted({write.why for write in writes})))
