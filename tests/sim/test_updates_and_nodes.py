"""Updates while nodes are drained, paused or relabelled, and what an update counts. Virtual time."""

import pytest

from hivelet.objects.cluster import OrchestrationConfig
from hivelet.objects.service import UpdateConfig
from hivelet.objects.swarm import SwarmRotation
from hivelet.objects.task import (
    Placement,
    ResourceRequirements,
    Resources,
    RestartPolicy,
    TaskState,
)
from hivelet.testing.cluster import (
    SimulatedCluster,
    forced,
    global_service,
    replicated,
    scaled,
    with_image,
)
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual

SECOND = 10**9


def simulated(story, nodes=1):
    async def play():
        cluster = SimulatedCluster()
        await cluster.start(nodes)
        for host in cluster.hosts.values():
            host.scripts.update(SCRIPTS)
        try:
            await story(cluster)
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


SCRIPTS = {
    "missing:1": Script(missing=True),
    "dies:1": Script(exits_after=0.4, exit_code=1),
    "slow:1": Script(start=6.0),
}


async def set_node(cluster, node_id, **spec):
    node = await cluster.api.get_node(node_id)
    await cluster.api.update_node(node_id, node.meta.version.index, node.spec.replaced(**spec))


async def limit_history(cluster, limit):
    held = cluster.store.view(lambda view: view.cluster())
    spec = held.spec.replaced(orchestration=OrchestrationConfig(task_history_retention_limit=limit))
    await cluster.api.update_swarm(held.meta.version.index, spec, SwarmRotation())


def update_state(cluster, name="web"):
    status = cluster.service(name).update_status
    return status.state if status is not None else ""


def ids(tasks):
    return {task.id for task in tasks}


def placed(spec, **placement):
    template = spec.task_template.replaced(placement=Placement(**placement))
    return spec.replaced(task_template=template)


def reserving(spec, cpus):
    needs = ResourceRequirements(reservations=Resources(nano_cpus=cpus * SECOND))
    return spec.replaced(task_template=spec.task_template.replaced(resources=needs))


# ---- what leaves


def unable(spec):
    return with_image(spec, "missing:1")


def too_large(spec):
    return reserving(spec, 60)


def no_room(spec):
    return placed(forced(spec), max_replicas=1)


@pytest.mark.parametrize("change", [unable, too_large, no_room])
def test_a_drain_takes_the_old_task_too_where_the_new_one_cannot_start(change):
    async def story(cluster):
        config = UpdateConfig(order="start-first", failure_action="continue")
        spec = reserving(replicated("web", 1, update=config), 10)
        await cluster.create(placed(spec, max_replicas=1))
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        (old,) = cluster.running("web")
        await cluster.change("web", change)
        await cluster.settle(3)
        await set_node(cluster, old.node_id, availability="drain")
        await cluster.until(lambda: not cluster.containers(), within=20)
        gone = next(task for task in cluster.tasks("web") if task.id == old.id)
        assert gone.evicted == "its node is drained"

    simulated(story)


def test_an_update_of_a_service_on_a_drained_node_leaves_nothing_there():
    async def story(cluster):
        config = UpdateConfig(order="start-first", parallelism=0)
        await cluster.create(replicated("web", 3, update=config))
        await cluster.until(lambda: len(cluster.running("web")) == 3)
        node = cluster.running("web")[0].node_id
        await cluster.change("web", forced)
        await set_node(cluster, node, availability="drain")
        await cluster.until(lambda: not cluster.containers(), within=20)

    simulated(story)


def test_what_leaves_a_node_of_a_global_service_says_why():
    async def story(cluster):
        await cluster.create(global_service("agent"))
        await cluster.until(lambda: len(cluster.running("agent")) == 2)
        (manager, worker) = (node.id for node in cluster.nodes())
        await set_node(cluster, manager, availability="drain")
        await cluster.until(lambda: len(cluster.running("agent")) == 1)
        await cluster.change(
            "agent", lambda spec: placed(spec, constraints=["node.labels.disk==fast"])
        )
        await cluster.until(lambda: not cluster.running("agent"))
        evicted = {task.node_id: task.evicted for task in cluster.tasks("agent")}
        assert evicted == {
            manager: "its node is drained",
            worker: "assigned node no longer meets constraints (node.labels.disk==fast)",
        }

    simulated(story, nodes=2)


# ---- what is left alone


def test_an_update_of_a_global_service_leaves_a_paused_node_alone_until_it_is_active_again():
    async def story(cluster):
        await cluster.create(global_service("agent"))
        await cluster.until(lambda: len(cluster.running("agent")) == 2)
        paused = cluster.nodes()[1].id
        (kept,) = [task for task in cluster.running("agent") if task.node_id == paused]
        await set_node(cluster, paused, availability="pause")
        await cluster.change("agent", forced)
        await cluster.until(lambda: update_state(cluster, "agent") == "completed", within=60)
        assert kept.id in ids(cluster.running("agent"))
        assert len(cluster.running("agent")) == 2
        await set_node(cluster, paused, availability="active")
        await cluster.until(
            lambda: (
                kept.id not in ids(cluster.running("agent")) and len(cluster.running("agent")) == 2
            ),
            within=20,
        )

    simulated(story, nodes=2)


def test_new_placement_touches_no_task_that_satisfies_it():
    async def story(cluster):
        fast, _ = (node.id for node in cluster.nodes())
        await set_node(cluster, fast, labels={"disk": "fast"})
        await cluster.create(replicated("web", 4))
        await cluster.until(lambda: len(cluster.running("web")) == 4)
        there = [task for task in cluster.running("web") if task.node_id == fast]
        assert len(there) == 2
        await cluster.change(
            "web", lambda spec: placed(spec, constraints=["node.labels.disk==fast"])
        )
        await cluster.until(
            lambda: (
                len(cluster.running("web")) == 4
                and all(task.node_id == fast for task in cluster.running("web"))
            ),
            within=60,
        )
        assert ids(there) <= ids(cluster.running("web"))
        # They are held to it from now on, though they were made without it.
        await cluster.until(lambda: update_state(cluster) == "completed", within=60)
        await set_node(cluster, fast, labels={})
        await cluster.until(lambda: not cluster.containers(), within=60)

    simulated(story, nodes=2)


# ---- what an update counts


def test_a_slot_in_flight_counts_once():
    """One replica of one has failed: that is all of them, and not half."""

    async def story(cluster):
        config = UpdateConfig(order="start-first", max_failure_ratio=0.5, monitor=2 * SECOND)
        await cluster.create(replicated("web", 1, update=config))
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        await cluster.change("web", unable)
        await cluster.until(lambda: update_state(cluster) == "paused", within=20)
        assert len(cluster.running("web")) == 1

    simulated(story)


@pytest.mark.parametrize("limit", [0, 1])
@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_a_short_memory_does_not_hide_failures_from_an_update(limit, order):
    async def story(cluster):
        await limit_history(cluster, limit)
        config = UpdateConfig(
            parallelism=1, order=order, max_failure_ratio=0.4, monitor=20 * SECOND
        )
        # The next attempts wait, so that nothing but the memory of the first ones tells of their end.
        spec = replicated("web", 4, update=config)
        policy = RestartPolicy(delay=1000 * SECOND)
        await cluster.create(
            spec.replaced(task_template=spec.task_template.replaced(restart_policy=policy))
        )
        await cluster.until(lambda: len(cluster.running("web")) == 4)
        await cluster.change("web", lambda spec: with_image(spec, "dies:1"))
        await cluster.until(lambda: update_state(cluster) == "paused", within=120)
        assert cluster.service("web").update_status.message.startswith(
            "update paused due to failure or early termination of task "
        )
        await cluster.settle(60)
        finished = [task for task in cluster.tasks("web") if task.status.state.terminal]
        # What was kept for the update is forgotten when it is over.
        assert len(finished) <= 4 * (limit + 1)

    simulated(story)


def test_tasks_of_a_larger_number_of_replicas_are_no_replacements():
    """They fail beside the update, and take none of its places while they start."""

    async def story(cluster):
        config = UpdateConfig(parallelism=1, max_failure_ratio=0.0, monitor=SECOND)
        await cluster.create(replicated("web", 2, update=config))
        await cluster.until(lambda: len(cluster.running("web")) == 2)
        host = next(iter(cluster.hosts.values()))
        await cluster.change("web", lambda spec: scaled(with_image(spec, "slow:1"), 4))
        await cluster.settle(1)
        made = [task for task in cluster.tasks("web") if task.made_by_update is not None]
        assert [task.slot for task in made] == [1]
        await cluster.until(lambda: len([t for t in cluster.running("web") if t.slot > 2]) == 2)
        for task in cluster.running("web"):
            if task.slot > 2:
                host.kill(task.id, 1)
        await cluster.until(lambda: update_state(cluster) == "completed", within=120)

    simulated(story)


def test_a_stop_first_update_at_the_limit_of_a_node_is_prepared_while_the_old_task_stops():
    async def story(cluster):
        next(iter(cluster.hosts.values())).scripts["web:1"] = Script(stop=8.0)
        spec = placed(replicated("web", 1), max_replicas=1)
        await cluster.create(spec)
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        await cluster.change("web", lambda one: with_image(one, "web:2"))
        await cluster.settle(3)
        (old, new) = cluster.tasks("web")
        assert old.status.state is TaskState.RUNNING
        assert (new.status.state, new.status.err) == (TaskState.READY, "")

    simulated(story)
