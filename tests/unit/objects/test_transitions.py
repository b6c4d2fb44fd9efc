"""The table of who may move a task."""

import pytest

from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.objects.transitions import (
    Actor,
    InvalidTransition,
    check_create,
    check_delete,
    check_update,
    may_move,
)


def task(state, desired="running", node="n"):
    return Task(
        id="t",
        slot=1,
        node_id=node,
        status=TaskStatus(state=TaskState(state)),
        desired_state=TaskState(desired),
    )


@pytest.mark.parametrize(
    ("actor", "start", "finish", "allowed"),
    [
        pytest.param("allocator", "new", "pending", True, id="allocated"),
        pytest.param("scheduler", "pending", "assigned", True, id="scheduled"),
        pytest.param("scheduler", "new", "assigned", False, id="scheduled-before-allocation"),
        pytest.param("agent", "assigned", "running", True, id="coalesced-reports"),
        pytest.param("agent", "running", "failed", True, id="failed"),
        pytest.param("agent", "running", "starting", False, id="backwards"),
        pytest.param("agent", "running", "rejected", False, id="rejected-after-start"),
        pytest.param("agent", "pending", "accepted", False, id="unassigned"),
        pytest.param("agent", "complete", "shutdown", False, id="dead-again"),
        pytest.param("orchestrator", "running", "failed", False, id="not-its-own"),
        pytest.param("dispatcher", "running", "orphaned", True, id="orphaned"),
        pytest.param("user", "running", "running", True, id="no-move"),
    ],
)
def test_status_moves(actor, start, finish, allowed):
    assert may_move(Actor(actor), TaskState(start), TaskState(finish)) is allowed


def test_only_the_orchestrator_moves_the_desired_state_and_only_forward():
    check_update(task("running"), task("running", "shutdown"), Actor.ORCHESTRATOR)
    with pytest.raises(InvalidTransition, match="desired state running->shutdown"):
        check_update(task("running"), task("running", "shutdown"), Actor.AGENT)
    with pytest.raises(InvalidTransition, match="desired state shutdown->running"):
        check_update(task("running", "shutdown"), task("running"), Actor.ORCHESTRATOR)


def test_a_node_is_given_once_and_by_the_scheduler():
    check_update(task("pending", node=""), task("assigned"), Actor.SCHEDULER)
    with pytest.raises(InvalidTransition, match="another node"):
        check_update(task("running"), task("running", node="m"), Actor.SCHEDULER)
    with pytest.raises(InvalidTransition, match="without a node"):
        check_update(task("pending", node=""), task("assigned", node=""), Actor.SCHEDULER)


def test_tasks_are_born_new_and_forgotten_when_down():
    check_create(task("new"), Actor.ORCHESTRATOR)
    with pytest.raises(InvalidTransition):
        check_create(task("new"), Actor.USER)
    check_delete(task("failed"), Actor.REAPER)
    check_delete(task("pending", "remove"), Actor.REAPER)
    for doomed in (task("running", "remove"), task("pending")):
        with pytest.raises(InvalidTransition):
            check_delete(doomed, Actor.REAPER)
