"""What comes next for a task, and what an outcome means."""

import pytest

from hivelet.agent.exec.controller import Details, Exit
from hivelet.agent.exec.step import Action, Failure, after_step, lost_container, next_step
from hivelet.objects.task import ContainerStatus, TaskState, TaskStatus
from hivelet.testing.clock import EPOCH


@pytest.mark.parametrize(
    ("state", "desired", "action"),
    [
        ("assigned", "running", Action.ACCEPT),
        ("accepted", "ready", Action.ENTER_PREPARING),
        ("preparing", "ready", Action.PREPARE),
        ("ready", "ready", Action.NOTHING),
        ("ready", "running", Action.ENTER_STARTING),
        ("ready", "complete", Action.ENTER_STARTING),
        ("starting", "running", Action.START),
        ("running", "running", Action.WAIT),
        ("assigned", "shutdown", Action.SHUTDOWN),
        ("preparing", "remove", Action.SHUTDOWN),
        ("running", "shutdown", Action.SHUTDOWN),
        ("failed", "running", Action.NOTHING),
        ("shutdown", "remove", Action.NOTHING),
    ],
)
def test_next(state, desired, action):
    assert next_step(TaskStatus(state=TaskState(state)), TaskState(desired)) is action


@pytest.mark.parametrize(
    ("state", "action", "outcome", "expected"),
    [
        ("assigned", Action.ACCEPT, None, ("accepted", "accepted", "")),
        ("accepted", Action.ENTER_PREPARING, None, ("preparing", "preparing", "")),
        ("preparing", Action.PREPARE, None, ("ready", "prepared", "")),
        ("ready", Action.ENTER_STARTING, None, ("starting", "starting", "")),
        ("starting", Action.START, None, ("running", "started", "")),
        ("running", Action.WAIT, Exit(), ("complete", "finished", "")),
        ("running", Action.SHUTDOWN, None, ("shutdown", "shutdown", "")),
        ("running", Action.WAIT, Exit(code=3), ("failed", "before", "task: non-zero exit (3)")),
        (
            "running",
            Action.WAIT,
            Exit(code=137, reason="out of memory"),
            ("failed", "before", "task: non-zero exit (137): out of memory"),
        ),
        ("preparing", Action.PREPARE, Failure("no"), ("rejected", "before", "no")),
        ("preparing", Action.PREPARE, Failure("later", 2.0), ("preparing", "before", "later")),
        ("starting", Action.START, Failure("no"), ("failed", "before", "no")),
        ("starting", Action.START, Exit(code=1), ("failed", "before", "task: non-zero exit (1)")),
        ("running", Action.SHUTDOWN, Failure("stuck"), ("running", "before", "stuck")),
    ],
)
def test_after(state, action, outcome, expected):
    before = TaskStatus(state=TaskState(state), message="before")
    found = after_step(before, action, outcome, Details(), EPOCH)
    assert (found.state.value, found.message, found.err) == expected
    assert found.timestamp == EPOCH


def test_details_are_kept_and_the_exit_code_is_told():
    details = Details(container=ContainerStatus(container_id="c", pid=7))
    running = after_step(TaskStatus(state=TaskState.STARTING), Action.START, None, details, EPOCH)
    assert running.container_status == ContainerStatus(container_id="c", pid=7)
    ended = after_step(running, Action.WAIT, Exit(code=2), Details(), EPOCH)
    assert ended.container_status.exit_code == 2


def test_a_lost_container():
    found = lost_container(TaskStatus(state=TaskState.RUNNING), EPOCH)
    assert (found.state, "removed" in found.err) == (TaskState.FAILED, True)
