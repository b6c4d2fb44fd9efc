"""Who may move a task from which state to which: SwarmKit's task model as one table, checked at every write.

    orchestrator   (nothing) → NEW
    allocator      NEW → PENDING
    scheduler      PENDING → ASSIGNED
    agent          ASSIGNED … RUNNING → any later one up to REJECTED (reports may be coalesced, so states may be skipped)
    dispatcher     ASSIGNED … RUNNING → ORPHANED, when the node is long gone
    reaper         a task that is down, or was never assigned → (nothing)

The desired state is the orchestrator's alone and, like the status, never moves back. What always holds: a task's service
and slot never change, its node is set once, and a task at or past ASSIGNED has a node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from hivelet.errors import System
from hivelet.objects.task import Task, TaskState


class Actor(StrEnum):
    """Whoever writes to the cluster store."""

    USER = "user"
    ORCHESTRATOR = "orchestrator"
    ALLOCATOR = "allocator"
    SCHEDULER = "scheduler"
    DISPATCHER = "dispatcher"
    AGENT = "agent"
    REAPER = "reaper"


_ON_NODE = tuple(
    state
    for state in TaskState
    if TaskState.ASSIGNED.order <= state.order <= TaskState.RUNNING.order
)
_REPORTABLE = (
    *_ON_NODE[1:],
    TaskState.COMPLETE,
    TaskState.SHUTDOWN,
    TaskState.FAILED,
    TaskState.REJECTED,
)
_BEFORE_START = (TaskState.ASSIGNED, TaskState.ACCEPTED, TaskState.PREPARING, TaskState.READY)

STATUS_MOVES: dict[Actor, frozenset[tuple[TaskState, TaskState]]] = {
    Actor.ALLOCATOR: frozenset({(TaskState.NEW, TaskState.PENDING)}),
    Actor.SCHEDULER: frozenset({(TaskState.PENDING, TaskState.ASSIGNED)}),
    Actor.AGENT: frozenset(
        (start, finish)
        for start in _ON_NODE
        for finish in _REPORTABLE
        if start.order < finish.order
        and (finish is not TaskState.REJECTED or start in _BEFORE_START)
    ),
    Actor.DISPATCHER: frozenset((start, TaskState.ORPHANED) for start in _ON_NODE),
}
"""The moves of `status.state` that each actor may make; whoever is not here may make none."""


Story = Callable[[], Sequence[str]]
"""Tells the earlier moves of the task in question; asked only when something is wrong."""


def untold() -> Sequence[str]:
    """No story."""
    return ()


class InvalidTransition(System):
    """Somebody tried a move that the table does not know: a defect of hivelet, told with the task's story."""

    def __init__(self, task: Task, what: str, actor: Actor, story: Story = untold) -> None:
        self.task_id = task.id
        told = "; ".join(story()) or "no earlier moves are remembered"
        super().__init__(
            f"task {task.id} ({task.service_annotations.name}.{task.slot or task.node_id}): "
            f"{actor} may not {what}. Its story: {told}"
        )


def may_move(actor: Actor, start: TaskState, finish: TaskState) -> bool:
    """Whether `actor` may move a task's status; staying where it is (a new message) is no move."""
    return start is finish or (start, finish) in STATUS_MOVES.get(actor, frozenset())


def check_create(task: Task, actor: Actor, story: Story = untold) -> None:
    """Refuse a task that is not born by the orchestrator as NEW."""
    if actor is not Actor.ORCHESTRATOR or task.status.state is not TaskState.NEW:
        raise InvalidTransition(task, f"create it as {task.status.state}", actor, story)


def check_update(before: Task, after: Task, actor: Actor, story: Story = untold) -> None:
    """Refuse a change of a task that the table does not allow."""
    start, finish = before.status.state, after.status.state
    if not may_move(actor, start, finish):
        raise InvalidTransition(after, f"move it {start}->{finish}", actor, story)
    if after.desired_state is not before.desired_state and (
        actor is not Actor.ORCHESTRATOR or after.desired_state.order < before.desired_state.order
    ):
        move = f"{before.desired_state}->{after.desired_state}"
        raise InvalidTransition(after, f"move its desired state {move}", actor, story)
    if (after.service_id, after.slot) != (before.service_id, before.slot):
        raise InvalidTransition(after, "give it another slot", actor, story)
    if after.node_id != before.node_id and (before.node_id or actor is not Actor.SCHEDULER):
        raise InvalidTransition(after, "give it another node", actor, story)
    if finish.order >= TaskState.ASSIGNED.order and not after.node_id:
        raise InvalidTransition(after, f"have it {finish} without a node", actor, story)


def check_delete(task: Task, actor: Actor, story: Story = untold) -> None:
    """Refuse to forget a task that may still have a container."""
    if actor is not Actor.REAPER or not is_reapable(task):
        raise InvalidTransition(task, f"delete it while {task.status.state}", actor, story)


def is_reapable(task: Task) -> bool:
    """Whether no container of the task can be running: it is down, or never reached a node and never will."""
    if task.status.state.order < TaskState.ASSIGNED.order:
        return not task.wanted
    return task.status.state.terminal
