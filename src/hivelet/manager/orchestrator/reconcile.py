"""What is to be done about one slot, and about one service. Pure: puts the other decisions of this package together.

For a service: removal comes before everything; then the number of slots, then the next step of an update, then every slot that
neither of them touched. For a slot: an ended task is replaced as its restart policy says, one that must leave its node at once,
and a waiting task is let go once its delay is over and nothing else of the slot is alive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hivelet.manager.orchestrator.enforce import must_leave
from hivelet.manager.orchestrator.global_mode import may_start, spread_service
from hivelet.manager.orchestrator.job_progress import is_done, is_outdated
from hivelet.manager.orchestrator.jobs import run_on_nodes, run_to_completion
from hivelet.manager.orchestrator.progress import effective_config, starts_first
from hivelet.manager.orchestrator.replicated import remove_slot, scale_service
from hivelet.manager.orchestrator.restart import Restart, should_restart
from hivelet.manager.orchestrator.slots import (
    Slot,
    SlotKey,
    group_slots,
    is_alive,
    is_wanted,
    new_task,
    on_lost_node,
)
from hivelet.manager.orchestrator.update import update_step
from hivelet.objects.common import SECOND, NodeId
from hivelet.objects.defaults import OLD_TASK_TIMEOUT, STOP_GRACE_PERIOD
from hivelet.objects.dirty import is_task_dirty
from hivelet.objects.node import Node
from hivelet.objects.plan import NOTHING, Plan, Write, merge_plans
from hivelet.objects.service import Service
from hivelet.objects.task import RestartHistory, Task, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a decision looks at: a service, and the nodes that its tasks are or may be on."""

    service: Service
    nodes: Mapping[NodeId, Node]
    now: datetime

    @property
    def is_global(self) -> bool:
        """Whether the service has a task on each node, rather than a number of replicas."""
        return self.service.spec.mode.is_global


def reconcile_service(situation: Situation, tasks: Collection[Task]) -> Plan:
    """Everything that the service needs now."""
    service, now = situation.service, situation.now
    slots = group_slots(tasks)
    if service.pending_delete:
        return _remove_service(service, slots)
    if service.spec.mode.is_job:
        return _reconcile_job(situation, slots)
    if situation.is_global:
        writes, scaled = spread_service(service, slots, situation.nodes, now)
    else:
        writes, scaled = scale_service(service, slots, now)
    rest = {key: slot for key, slot in slots.items() if key not in scaled}
    step = update_step(service, rest, situation.nodes, now)
    calm = (slot for key, slot in rest.items() if key not in step.slots)
    scaling = Plan(writes=tuple(writes), why="; ".join(sorted({w.why for w in writes})))
    return merge_plans([scaling, step.plan, *(reconcile_slot(situation, slot) for slot in calm)])


def _reconcile_job(situation: Situation, slots: Mapping[SlotKey, Slot]) -> Plan:
    service, now = situation.service, situation.now
    if situation.is_global:
        plan, touched = run_on_nodes(service, slots, situation.nodes, now)
    else:
        plan, touched = run_to_completion(service, slots, now)
    calm = (slot for key, slot in slots.items() if key not in touched)
    return merge_plans([plan, *(reconcile_slot(situation, slot) for slot in calm)])


def reconcile_slot(situation: Situation, slot: Slot) -> Plan:
    """What the slot needs now."""
    current = slot.current
    if current is None:
        return NOTHING
    # Of several wanted tasks (start-first) only the newest is followed by another when it ends.
    others = [task for task in slot.wanted if task is not current and not is_done(task)]
    tidy = Plan(writes=tuple(_dismiss_others(situation, others)))
    return merge_plans([tidy, _reconcile_current(situation, slot, current)])


def _dismiss_others(situation: Situation, others: Iterable[Task]) -> Iterator[Write]:
    """Of the older wanted tasks: those that have ended, and those that may not stay where they are."""
    for task in others:
        if task.status.state.terminal:
            yield _shut_down(task, "another task has its place")
        elif reason := must_leave(situation.service, task, situation.nodes.get(task.node_id)):
            yield _shut_down(task.replaced(evicted=reason), reason)


def _reconcile_current(situation: Situation, slot: Slot, task: Task) -> Plan:
    if task.status.state.terminal:
        return _follow(situation, slot, task)
    node = situation.nodes.get(task.node_id)
    reason = must_leave(situation.service, task, node)
    if reason:
        return _move(situation, slot, task, reason)
    if task.desired_state is not task.goal:
        return _let_go(situation, slot, task)
    return NOTHING


def _follow(situation: Situation, slot: Slot, task: Task) -> Plan:
    """An ended task: stop wanting it, and make the next one if there is to be one."""
    service, now = situation.service, situation.now
    if is_done(task):
        return NOTHING
    if is_outdated(service, task):
        return _one(_shut_down(task, "the job was started anew"))
    if task.start_after is not None and task.start_after > now:
        # It failed while it was being prepared; its own delay still holds, or a missing image would spin.
        return Plan(wake_at=task.start_after, why="the restart delay is not over")
    if situation.is_global and not _node_may_start(situation, task):
        return _one(_shut_down(task, "the node may not have the service now"))
    verdict = should_restart(task, service, now)
    if not verdict.wanted:
        return _one(_shut_down(task, verdict.why))
    return _one(_replace(situation, slot, task, verdict))


def _move(situation: Situation, slot: Slot, task: Task, reason: str) -> Plan:
    """A task that must leave its node; not a failure of its own, so it is followed at once."""
    task = task.replaced(evicted=reason)
    if situation.is_global:
        return _one(_shut_down(task, reason))
    return _one(
        _replace(situation, slot, task, Restart(wanted=True, history=task.restarts, why=reason))
    )


def _replace(situation: Situation, slot: Slot, task: Task, verdict: Restart) -> Write:
    now = situation.now
    start_after = now + timedelta(seconds=verdict.delay) if verdict.delay > 0 else None
    others = [other for other in slot.tasks if not (is_wanted(other) and other.id != task.id)]
    blocked = any(_blocks(other, situation.nodes) for other in others)
    successor = new_task(
        situation.service,
        slot,
        now,
        held=start_after is not None or blocked,
        start_after=start_after,
        restarts=verdict.history if verdict.history.total else RestartHistory(),
    )
    if task.evicted and not is_task_dirty(situation.service, task):
        # It moves; for an update it is the same replacement as before.
        successor = successor.replaced(made_by_update=task.made_by_update)
    return Write(
        create=(successor,),
        update=(task.replaced(desired_state=TaskState.SHUTDOWN),),
        why=f"restart: {verdict.why}",
    )


def _let_go(situation: Situation, slot: Slot, task: Task) -> Plan:
    """A task that was told to wait: for its delay, and for what else of its slot is alive and on its way out."""
    now = situation.now
    if task.start_after is not None and task.start_after > now:
        return Plan(wake_at=task.start_after, why="the restart delay is not over")
    blocking = [t for t in slot.tasks if t is not task and _blocks(t, situation.nodes)]
    if not starts_first(effective_config(situation.service)) and any(map(is_wanted, blocking)):
        return Plan(why="the update stops its predecessor first")
    if leaving := [t for t in blocking if not is_wanted(t)]:
        limit = _patience(leaving, task)
        if limit is None or limit > now:
            return Plan(wake_at=limit, why=f"{leaving[0].id} is still stopping")
    started = task.replaced(desired_state=task.goal)
    return _one(Write(update=(started,), why="nothing holds it any more"))


def _blocks(task: Task, nodes: Mapping[NodeId, Node]) -> bool:
    return is_alive(task) and not on_lost_node(task, nodes)


def _patience(leaving: list[Task], waiting: Task) -> datetime | None:
    """How long a new task waits for old ones: SwarmKit's minute, on top of what the stop itself may take."""
    if waiting.meta.created_at is None:
        return None
    grace = max(_grace(task) for task in leaving)
    return waiting.meta.created_at + timedelta(microseconds=(grace + OLD_TASK_TIMEOUT) / 1000)


def _grace(task: Task) -> int:
    container = task.spec.container_spec
    given = container.stop_grace_period if container else None
    return STOP_GRACE_PERIOD if given is None else max(given, 10 * SECOND)


def _node_may_start(situation: Situation, task: Task) -> bool:
    node = situation.nodes.get(task.node_id)
    return node is not None and may_start(situation.service, node)


def _remove_service(service: Service, slots: Mapping[SlotKey, Slot]) -> Plan:
    if not slots:
        gone = Write(delete=(service,), why="its last task is gone")
        return Plan(writes=(gone,), why="its last task is gone")
    writes = (remove_slot(slot, "the service is removed") for slot in slots.values())
    return Plan(writes=tuple(w for w in writes if w.update), why="the service is removed")


def _shut_down(task: Task, why: str) -> Write:
    return Write(update=(task.replaced(desired_state=TaskState.SHUTDOWN),), why=why)


def _one(write: Write) -> Plan:
    return Plan(writes=(write,), why=write.why)
