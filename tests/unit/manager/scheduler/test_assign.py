"""Which node, and why none."""

from collections import Counter
from datetime import timedelta

import pytest

from hivelet.manager.scheduler.assign import assign_tasks
from hivelet.manager.scheduler.nodeinfo import NodeSet
from hivelet.objects.common import Platform, Version
from hivelet.objects.node import Node, NodeDescription, NodeSpec, NodeStatus
from hivelet.objects.task import (
    Placement,
    PortConfig,
    ResourceRequirements,
    Resources,
    Task,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from hivelet.testing.clock import EPOCH


def node(name, *, availability="active", state="ready", labels=None, cpus=4, memory=2**30):
    return Node(
        id=name,
        spec=NodeSpec(availability=availability, labels=labels or {}),
        status=NodeStatus(state=state),
        description=NodeDescription(
            hostname=name,
            platform=Platform(architecture="amd64", os="linux"),
            resources=Resources(nano_cpus=cpus * 10**9, memory_bytes=memory),
        ),
    )


def task(n, *, service="s", state="pending", on="", ports=(), **spec):
    return Task(
        id=f"t{n}",
        service_id=service,
        slot=n,
        node_id=on,
        spec=TaskSpec(**spec),
        spec_version=Version(index=1),
        ports=list(ports),
        status=TaskStatus(state=TaskState(state), message="pending task scheduling"),
        desired_state=TaskState.RUNNING,
    )


def place(nodes, waiting, there=()):
    known = NodeSet()
    for each in nodes:
        known.observe_node(each)
    for each in there:
        known.observe_task(each)
    plan = assign_tasks(waiting, known, EPOCH)
    return [changed for write in plan.writes for changed in write.update]


def test_spread_over_nodes_by_service_then_by_load():
    there = [task(90 + n, service="other", state="running", on="a") for n in range(3)]
    placed = place([node("a"), node("b")], [task(n) for n in range(5)], there)
    assert Counter(t.node_id for t in placed) == {"a": 2, "b": 3}
    assert {t.status.state for t in placed} == {TaskState.ASSIGNED}
    assert {t.status.message for t in placed} == {"scheduler assigned task to node"}


MEMORY = ResourceRequirements(reservations=Resources(memory_bytes=2**40))
HOST_PORT = PortConfig(target_port=80, published_port=80, publish_mode="host")


@pytest.mark.parametrize(
    ("nodes", "wanted", "reason"),
    [
        pytest.param([], {}, "no suitable node", id="no-nodes"),
        pytest.param(
            [node("a", availability="drain")],
            {},
            "no suitable node (1 node not available for new tasks)",
            id="drained",
        ),
        pytest.param(
            [node("a"), node("b")],
            {"resources": MEMORY},
            "no suitable node (insufficient resources on 2 nodes)",
            id="resources",
        ),
        pytest.param(
            [node("a"), node("b", state="down"), node("c")],
            {"placement": Placement(constraints=["node.labels.x==y"])},
            "no suitable node (scheduling constraints not satisfied on 2 nodes; "
            "1 node not available for new tasks)",
            id="constraints",
        ),
        pytest.param(
            [node("a")],
            {"placement": Placement(platforms=[Platform(architecture="arm64", os="linux")])},
            "no suitable node (unsupported platform on 1 node)",
            id="platform",
        ),
    ],
)
def test_reasons(nodes, wanted, reason):
    (told,) = place(nodes, [task(1, **wanted)])
    assert (told.status.err, told.status.state, told.node_id) == (reason, TaskState.PENDING, "")
    assert place(nodes, [told]) == []


def test_host_ports_are_taken_once_on_a_node():
    placed = place([node("a"), node("b")], [task(n, ports=[HOST_PORT]) for n in range(3)])
    assert [t.node_id for t in placed] == ["a", "b", ""]
    assert placed[2].status.err == "no suitable node (host-mode port already in use on 2 nodes)"


def successor(n, of, **how):
    """A further task of a slot."""
    return task(n, **how).replaced(slot=of)


def test_a_slot_hands_its_host_port_over():
    old = task(1, state="running", on="a", ports=[HOST_PORT])
    (placed,) = place([node("a")], [successor(9, of=1, ports=[HOST_PORT])], [old])
    assert placed.node_id == "a"


@pytest.mark.parametrize(
    "waiting",
    [
        pytest.param(task(2, ports=[HOST_PORT]), id="another-slot"),
        pytest.param(task(1, service="other", ports=[HOST_PORT]), id="another-service"),
        pytest.param(
            task(2, ports=[HOST_PORT.replaced(host_ip="127.0.0.1")]), id="on-one-of-its-addresses"
        ),
    ],
)
def test_nobody_else_shares_it(waiting):
    there = [
        task(1, state="running", on="a", ports=[HOST_PORT]),
        successor(9, of=1, state="running", on="a", ports=[HOST_PORT]),
    ]
    (told,) = place([node("a")], [waiting], there)
    assert told.status.err == "no suitable node (host-mode port already in use on 1 node)"


def test_the_port_is_free_when_both_have_gone():
    known = NodeSet()
    known.observe_node(node("a"))
    both = [
        task(1, state="running", on="a", ports=[HOST_PORT]),
        successor(9, of=1, state="running", on="a", ports=[HOST_PORT]),
    ]
    free = []
    for each in both:
        known.observe_task(each)
    for each in both:
        known.observe_task(each.replaced(status=TaskStatus(state=TaskState.SHUTDOWN)))
        (placed,) = assign_tasks([task(2, ports=[HOST_PORT])], known, EPOCH).writes[0].update
        free.append(placed.node_id)
        known.observe_task(placed, removed=True)
    assert free == ["", "a"]


def test_each_slot_finds_the_node_of_its_own_port():
    """What one slot can't have, because another's task holds it, is not lost for the other."""
    there = [task(n, state="running", on=on, ports=[HOST_PORT]) for n, on in ((1, "a"), (2, "b"))]
    waiting = [successor(8, of=1, ports=[HOST_PORT]), successor(9, of=2, ports=[HOST_PORT])]
    for nodes in ([node("a"), node("b")], [node("b"), node("a")]):
        placed = place(nodes, waiting, there)
        assert [each.node_id for each in placed] == ["a", "b"]


def test_reservations_are_counted_down():
    half = ResourceRequirements(reservations=Resources(nano_cpus=2 * 10**9))
    placed = place([node("a")], [task(n, resources=half) for n in range(3)])
    assert [t.status.state.value for t in placed] == ["assigned", "assigned", "pending"]


def test_a_preassigned_task_stays_on_its_node():
    placed = place([node("a"), node("b")], [task(1, on="b")])
    assert [(t.node_id, t.status.message) for t in placed] == [
        ("b", "scheduler confirmed task can run on preassigned node")
    ]
    (told,) = place([node("a"), node("b", availability="pause")], [task(1, on="b")])
    assert told.status.err == "no suitable node (1 node not available for new tasks)"


def test_what_is_down_sets_free():
    known = NodeSet()
    known.observe_node(node("a", cpus=1))
    running = task(
        1,
        state="running",
        on="a",
        resources=ResourceRequirements(reservations=Resources(nano_cpus=10**9)),
    )
    assert not known.observe_task(running)
    dead = running.replaced(status=TaskStatus(state=TaskState.FAILED))
    assert known.observe_task(dead)
    assert known.get("a").nano_cpus == 0
    assert known.get("a").tasks == 0


def failed(n, on, ago, *, version=1):
    status = TaskStatus(state=TaskState.FAILED, timestamp=EPOCH - timedelta(seconds=ago))
    return task(n, state="failed", on=on).replaced(
        status=status, spec_version=Version(index=version)
    )


@pytest.mark.parametrize(
    ("count", "ago", "version", "chosen"),
    [
        pytest.param(5, 10, 1, "b", id="five-failures"),
        pytest.param(4, 10, 1, "a", id="four-are-no-sign"),
        pytest.param(5, 301, 1, "a", id="long-ago"),
        pytest.param(5, 10, 2, "a", id="of-another-spec"),
    ],
)
def test_a_node_on_which_a_service_fails_is_its_last_choice(count, ago, version, chosen):
    known = NodeSet()
    for name in ("a", "b"):
        known.observe_node(node(name))
    for n in range(count):
        known.remember_failure(failed(n, "a", ago, version=version))
    known.observe_task(task(50, on="b", state="running"))
    known.observe_task(task(51, on="b", state="running"))
    plan = assign_tasks([task(99)], known, EPOCH)
    assert plan.writes[0].update[0].node_id == chosen


def test_a_task_that_fails_is_noted_for_its_node_once():
    known = NodeSet()
    known.observe_node(node("a"))
    known.observe_task(task(1, on="a", state="running"))
    ended = failed(1, "a", 1)
    known.observe_task(ended)
    known.observe_task(ended.replaced(desired_state=TaskState.SHUTDOWN))
    (moments,) = known.get("a").failures.values()
    assert len(moments) == 1


def test_a_task_on_its_way_out_leaves_room_for_the_next_of_its_service():
    known = NodeSet()
    known.observe_node(node("a", cpus=1))
    one = Placement(max_replicas=1)
    running = task(1, on="a", state="running", placement=one)
    known.observe_task(running)
    assert (
        "max replicas"
        in assign_tasks([task(2, placement=one)], known, EPOCH).writes[0].update[0].status.err
    )
    leaving = running.replaced(desired_state=TaskState.SHUTDOWN)
    assert known.observe_task(leaving)
    assert not known.observe_task(leaving)
    placed = assign_tasks([task(2, placement=one)], known, EPOCH).writes[0].update[0]
    assert placed.node_id == "a"
    known.observe_task(leaving.replaced(status=TaskStatus(state=TaskState.SHUTDOWN)))
    assert known.get("a").tasks == 1
    assert known.get("a").by_service["s"] == 1
