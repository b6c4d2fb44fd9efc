"""The next step of a rolling update, from what the store holds."""

from datetime import timedelta

import pytest

from hivelet.manager.orchestrator.slots import group_slots
from hivelet.manager.orchestrator.update import update_step
from hivelet.objects.common import Meta, Version
from hivelet.objects.node import Node, NodeSpec
from hivelet.objects.service import Service, ServiceSpec, UpdateConfig, UpdateStatus
from hivelet.objects.task import (
    ContainerSpec,
    RestartHistory,
    Task,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from hivelet.testing.clock import EPOCH

SECOND = 1_000_000_000
NOW = EPOCH + timedelta(seconds=100)


def template(image):
    return TaskSpec(container_spec=ContainerSpec(image=image))


def service(status="updating", previous=True, rollback=None, **config):
    started = UpdateStatus(state=status, started_at=EPOCH) if status else None
    return Service(
        id="s",
        spec=ServiceSpec(
            name="web",
            task_template=template("new"),
            update_config=UpdateConfig(**config) if config else None,
            rollback_config=rollback,
        ),
        spec_version=Version(index=2),
        previous_spec=ServiceSpec(name="web", task_template=template("old")) if previous else None,
        previous_spec_version=Version(index=1),
        update_status=started,
    )


def old(slot, state="running", desired="running"):
    return Task(
        id=f"old{slot}",
        service_id="s",
        slot=slot,
        node_id="n",
        meta=Meta(created_at=EPOCH - timedelta(hours=1)),
        spec=template("old"),
        spec_version=Version(index=1),
        status=TaskStatus(state=TaskState(state)),
        desired_state=TaskState(desired),
    )


def new(slot, state="running", desired="running", started=90.0, ended=None, restarts=0, n=0):
    return Task(
        id=f"new{slot}" + (f".{n}" if n else ""),
        service_id="s",
        slot=slot,
        node_id="n",
        meta=Meta(created_at=EPOCH + timedelta(seconds=1 + n)),
        spec=template("new"),
        spec_version=Version(index=2),
        status=TaskStatus(
            state=TaskState(state),
            timestamp=EPOCH + timedelta(seconds=ended) if ended is not None else None,
        ),
        desired_state=TaskState(desired),
        started_at=EPOCH + timedelta(seconds=started) if started is not None else None,
        restarts=RestartHistory(total=restarts),
        made_by_update=EPOCH,
    )


def step(on, *tasks, nodes=()):
    found = update_step(on, group_slots(tasks), {node.id: node for node in nodes}, NOW)
    told = []
    status = None
    for write in found.plan.writes:
        for obj in (*write.update, *write.create):
            if isinstance(obj, Service):
                status = obj.update_status
            else:
                what = obj.id or f"create {obj.slot}"
                told.append(f"{what} {obj.desired_state}")
    return told, status, found


def test_nothing_dirty_is_no_update():
    told, status, found = step(service(None), new(1))
    assert (told, status, found.plan.wake_at) == ([], None, None)


def test_it_starts_with_as_many_as_the_parallelism():
    told, status, _ = step(service(None, parallelism=2), old(1), old(2), old(3))
    assert told == ["old1 shutdown", "create 1 ready", "old2 shutdown", "create 2 ready"]
    assert (status.state, status.message, status.started_at) == (
        "updating",
        "update in progress",
        NOW,
    )


def test_default_parallelism_is_one_and_zero_means_all():
    assert len(step(service(None), old(1), old(2))[0]) == 2
    assert len(step(service(None, parallelism=0), old(1), old(2))[0]) == 4


def test_a_dead_task_needs_no_waiting_for():
    told, _, _ = step(service(None), old(1, "failed"))
    assert told == ["old1 shutdown", "create 1 running"]


def test_start_first_leaves_the_old_one():
    on = service(None, order="start-first")
    assert step(on, old(1))[0] == ["create 1 running"]
    on = service(order="start-first")
    assert step(on, old(1), new(1, "starting", started=None))[0] == []
    assert step(on, old(1), new(1))[0] == ["old1 shutdown"]


def test_a_busy_slot_holds_the_next_one_back():
    told, _, found = step(service(), old(1), new(2, "starting", started=None))
    assert told == []
    assert found.plan.wake_at is None


def test_the_delay_holds_the_next_one_back_until_it_is_over():
    on = service(parallelism=1, delay=30 * SECOND)
    told, _, found = step(on, old(1), new(2, started=90))
    assert told == []
    assert found.plan.wake_at == EPOCH + timedelta(seconds=120)
    assert step(on, old(1), new(2, started=70))[0] == ["old1 shutdown", "create 1 ready"]


def test_complete_after_the_monitor_period():
    told, status, found = step(service(), new(1, started=97), new(2, started=96))
    assert (told, status) == ([], None)
    assert found.plan.wake_at == EPOCH + timedelta(seconds=102)
    _, status, _ = step(service(), new(1, started=94), new(2, started=95))
    assert (status.state, status.message, status.completed_at) == (
        "completed",
        "update completed",
        NOW,
    )
    _, status, _ = step(service("rollback_started"), new(1, started=90))
    assert (status.state, status.message) == ("rollback_completed", "rollback completed")


def test_scaling_alone_is_no_update():
    clean = old(1).replaced(spec=template("new"))
    assert step(service(None), clean, new(2))[:2] == ([], None)


FAILED = new(1, "failed", started=98, ended=99)


@pytest.mark.parametrize(
    ("state", "config", "expected", "message"),
    [
        pytest.param("updating", {}, "paused", "update paused due to failure or early", id="pause"),
        pytest.param(
            "updating",
            {"parallelism": 1, "failure_action": "rollback"},
            "rollback_started",
            "update rolled back due to failure or early",
            id="rollback",
        ),
        pytest.param(
            "rollback_started",
            {"failure_action": "rollback"},
            "rollback_paused",
            "rollback paused due to failure or early",
            id="never-roll-back-a-rollback",
        ),
        pytest.param(
            "rollback_started", {}, "rollback_paused", "update paused due to", id="pause-rollback"
        ),
    ],
)
def test_failure(state, config, expected, message):
    rolling = state == "rollback_started"
    on = service(
        state,
        rollback=UpdateConfig(**config) if rolling and config else None,
        **({} if rolling else config),
    )
    _, status, found = step(on, FAILED, old(2))
    assert status.state == expected
    assert status.message.startswith(message)
    assert status.message.endswith("termination of task new1")
    if expected == "rollback_started":
        (restored,) = found.plan.writes[0].update
        assert restored.spec.task_template == template("old")
        assert (restored.spec_version.index, restored.previous_spec) == (1, None)


def test_continue_goes_on():
    told, _, _ = step(service(failure_action="continue", parallelism=1), FAILED, old(2))
    assert told == ["old2 shutdown", "create 2 ready"]


def test_what_is_no_failure_of_the_update():
    late = new(1, "failed", started=80, ended=99)
    stopped = new(1, "shutdown", "shutdown", started=98, ended=99)
    again = new(1, "failed", started=98, ended=99, restarts=1)
    for task in (late, stopped, again):
        _, status, _ = step(service(), task, old(2))
        assert status is None or status.state == "updating"


def test_the_ratio_of_failures():
    on = service(parallelism=1, max_failure_ratio=0.5)
    assert step(on, FAILED, old(2))[1] is None
    assert step(on, FAILED, new(2, "rejected", started=None, ended=99))[1].state == "paused"


def test_a_slot_counts_once_however_many_tasks_it_has():
    on = service(order="start-first", max_failure_ratio=0.5)
    alone = new(1, "rejected", started=None, ended=99)
    assert step(on, old(1), alone)[1].state == "paused"
    _, status, _ = step(on, old(1), alone, old(2))
    assert status is None


def test_a_first_attempt_that_no_update_made_is_no_replacement():
    added = new(3, "failed", started=98, ended=99).replaced(made_by_update=None)
    assert step(service(), added, old(2))[1] is None
    starting = new(3, "starting", started=None).replaced(made_by_update=None)
    assert step(service(parallelism=1), starting, old(2))[0] == ["old2 shutdown", "create 2 ready"]


def test_slots_on_paused_nodes_are_left_out():
    paused = Node(id="n", spec=NodeSpec(availability="pause"))
    alone = old(0).replaced(node_id="n")
    assert step(service(None), alone, nodes=[paused])[0] == []
    assert step(service(None), alone, nodes=[Node(id="n", spec=NodeSpec())])[0] != []


def test_paused_does_nothing():
    assert step(service("paused"), old(1), old(2))[0] == []


def test_an_up_to_date_task_in_the_slot_is_kept():
    told, _, _ = step(service(None), old(1), new(1, "ready", "ready", started=None))
    assert told == ["old1 shutdown"]
