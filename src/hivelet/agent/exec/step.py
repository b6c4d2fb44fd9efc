"""What comes next for a task, and what the outcome means. Pure; SwarmKit's `exec.Do`, one step at a time.

    ASSIGNED ─accept→ ACCEPTED ─→ PREPARING ─prepare→ READY ─(desired RUNNING)→ STARTING ─start→ RUNNING ─wait→ COMPLETE
                                      └ error: REJECTED                             └ error, exit ≠ 0: FAILED
    desired past RUNNING: whatever it is doing ─shutdown→ SHUTDOWN

The messages and error texts are SwarmKit's, as clients show and match them. A status never moves back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hivelet.agent.exec.controller import Details, Exit
from hivelet.objects.task import ContainerStatus, TaskState, TaskStatus


class Action(StrEnum):
    """What the agent does next about a task. Those up to ENTER_STARTING only say what is about to be done."""

    NOTHING = "nothing"
    ACCEPT = "accept"
    ENTER_PREPARING = "enter preparing"
    ENTER_STARTING = "enter starting"
    PREPARE = "prepare"
    START = "start"
    WAIT = "wait"
    SHUTDOWN = "shutdown"


ANNOUNCEMENTS = (Action.ACCEPT, Action.ENTER_PREPARING, Action.ENTER_STARTING)
"""Actions that consist of their new status alone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An action failed; `delay` (seconds) is set where it is to be tried again."""

    message: str
    delay: float | None = None


Outcome = Exit | Failure | None
"""How an action ended: with the container's exit, with an error, or well."""

_NEXT: dict[TaskState, Action] = {
    TaskState.NEW: Action.ACCEPT,
    TaskState.PENDING: Action.ACCEPT,
    TaskState.ASSIGNED: Action.ACCEPT,
    TaskState.ACCEPTED: Action.ENTER_PREPARING,
    TaskState.PREPARING: Action.PREPARE,
    TaskState.READY: Action.ENTER_STARTING,
    TaskState.STARTING: Action.START,
    TaskState.RUNNING: Action.WAIT,
}

STARTED = "started"

_WELL: dict[Action, tuple[TaskState, str]] = {
    Action.ACCEPT: (TaskState.ACCEPTED, "accepted"),
    Action.ENTER_PREPARING: (TaskState.PREPARING, "preparing"),
    Action.ENTER_STARTING: (TaskState.STARTING, "starting"),
    Action.PREPARE: (TaskState.READY, "prepared"),
    Action.START: (TaskState.RUNNING, STARTED),
    Action.WAIT: (TaskState.COMPLETE, "finished"),
    Action.SHUTDOWN: (TaskState.SHUTDOWN, "shutdown"),
}


def next_step(status: TaskStatus, desired: TaskState) -> Action:
    """The next action for a task in this state of which this is desired."""
    if status.state.terminal:
        return Action.NOTHING
    if desired in {TaskState.SHUTDOWN, TaskState.REMOVE}:
        return Action.SHUTDOWN
    action = _NEXT[status.state]
    if action is Action.ENTER_STARTING and desired.order < TaskState.RUNNING.order:
        return Action.NOTHING
    return action


def after_step(
    status: TaskStatus, action: Action, outcome: Outcome, details: Details, now: datetime
) -> TaskStatus:
    """The status after an action ended like this."""
    known = status.replaced(
        timestamp=now,
        container_status=details.container or status.container_status,
        port_status=details.ports or status.port_status,
    )
    match outcome:
        case Failure():
            return _after_failure(known, action, outcome)
        case Exit() if outcome.code != 0 or outcome.reason:
            container = known.container_status or ContainerStatus()
            ended = known.replaced(container_status=container.replaced(exit_code=outcome.code))
            return _failed(ended, _exit_message(outcome))
        case _:
            state, message = _WELL[action]
            return known.replaced(state=state, message=message, err="")


def lost_container(status: TaskStatus, now: datetime) -> TaskStatus:
    """The status of a task that was running when the daemon ended, and of which nothing is left."""
    return _failed(
        status.replaced(timestamp=now), "task: its container was removed while nobody watched"
    )


def _after_failure(status: TaskStatus, action: Action, failure: Failure) -> TaskStatus:
    if failure.delay is not None or action is Action.SHUTDOWN:
        # Still the same state: a stop that fails is tried until it works, as the container may be running.
        return status.replaced(err=failure.message)
    return _failed(status, failure.message)


def _failed(status: TaskStatus, error: str) -> TaskStatus:
    before_start = status.state.order < TaskState.STARTING.order
    state = TaskState.REJECTED if before_start else TaskState.FAILED
    return status.replaced(state=state, err=error)


def _exit_message(how: Exit) -> str:
    if how.code == 0:
        return f"task: {how.reason}"
    return f"task: non-zero exit ({how.code})" + (f": {how.reason}" if how.reason else "")
