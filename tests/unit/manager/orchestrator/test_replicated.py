"""How many slots, and which."""

import pytest

from hivelet.manager.orchestrator.replicated import choose_leaving, scale_service
from hivelet.manager.orchestrator.slots import group_slots
from hivelet.objects.service import ReplicatedMode, Service, ServiceMode, ServiceSpec
from hivelet.objects.task import RestartPolicy, Task, TaskSpec, TaskState, TaskStatus
from hivelet.testing.clock import EPOCH


def service(replicas, **policy):
    template = TaskSpec(restart_policy=RestartPolicy(**policy) if policy else None)
    return Service(
        id="s",
        spec=ServiceSpec(
            name="web",
            mode=ServiceMode(replicated=ReplicatedMode(replicas=replicas)),
            task_template=template,
        ),
    )


def task(slot, state="running", desired="running", node="n", n=0, **policy):
    return Task(
        id=f"{slot}.{n}",
        service_id="s",
        slot=slot,
        node_id=node,
        status=TaskStatus(state=TaskState(state)),
        desired_state=TaskState(desired),
        spec=TaskSpec(restart_policy=RestartPolicy(**policy) if policy else None),
    )


def scale(wanted, *tasks, **policy):
    writes, touched = scale_service(service(wanted, **policy), group_slots(tasks), EPOCH)
    created = [t for write in writes for t in write.create]
    removed = [t for write in writes for t in write.update]
    assert all(t.desired_state is TaskState.REMOVE for t in removed)
    assert {t.slot_key for t in (*created, *removed)} == touched
    return [(t.slot, t.desired_state.value) for t in created], sorted(t.id for t in removed)


def test_up_takes_the_lowest_free_numbers():
    assert scale(4, task(1), task(3)) == ([(2, "running"), (4, "running")], [])


def test_a_slot_whose_old_task_still_runs_waits_for_it():
    leaving = task(2, desired="remove")
    assert scale(2, task(1), leaving) == ([(2, "ready")], [])


def test_enough_is_enough():
    assert scale(2, task(1), task(2, "preparing")) == ([], [])


def test_an_ended_task_that_nothing_follows_fills_its_slot():
    done = task(1, "complete", "shutdown", condition="none")
    assert scale(1, done, condition="none") == ([], [])
    again = task(1, "complete", "shutdown", condition="any")
    assert scale(1, again) == ([(1, "running")], [])


def test_down_takes_idle_slots_first_and_then_the_highest():
    tasks = [task(1, "pending", node=""), task(2), task(3), task(4)]
    assert scale(2, *tasks) == ([], ["1.0", "4.0"])


def test_down_takes_history_along():
    assert scale(0, task(1, "failed", "shutdown"), task(1, n=1)) == ([], ["1.0", "1.1"])


@pytest.mark.parametrize(("count", "left"), [(1, {"a": 2, "b": 2}), (3, {"a": 1, "b": 1})])
def test_the_fullest_node_gives_up_first(count, left):
    slots = list(group_slots([task(n, node="a" if n < 4 else "b") for n in range(1, 6)]).values())
    leaving = choose_leaving(slots, count)
    staying = [s for s in slots if s not in leaving]
    found = [s.current.node_id for s in staying]
    assert {node: found.count(node) for node in left} == left
