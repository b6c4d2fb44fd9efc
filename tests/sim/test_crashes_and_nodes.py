"""The daemon dies and comes back; nodes come, go, drain and fall silent. Virtual time."""

import asyncio

import pytest

from hivelet.errors import HiveletError
from hivelet.objects.node import NodeSpec
from hivelet.objects.service import ReplicatedMode, ServiceMode, UpdateConfig
from hivelet.objects.task import (
    Placement,
    PlacementPreference,
    ResourceRequirements,
    Resources,
    SpreadOver,
    TaskState,
)
from hivelet.store.journal import MemoryJournal
from hivelet.testing.cluster import (
    SimulatedCluster,
    global_service,
    replicated,
    scaled,
    with_image,
)
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual


def simulated(story, nodes=1, journal=None):
    async def play():
        cluster = SimulatedCluster(journal=journal)
        await cluster.start(nodes)
        try:
            await story(cluster)
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


def host_of(cluster):
    return next(iter(cluster.hosts.values()))


async def set_node(cluster, node_id, **spec):
    node = await cluster.api.get_node(node_id)
    await cluster.api.update_node(node_id, node.meta.version.index, node.spec.replaced(**spec))


def placed(spec, **placement):
    template = spec.task_template.replaced(placement=Placement(**placement))
    return spec.replaced(task_template=template)


def test_a_restart_of_the_daemon_adopts_what_runs():
    async def story(cluster):
        await cluster.create(replicated("web", 3))
        await cluster.until(lambda: len(cluster.running()) == 3)
        before = {t.id for t in cluster.running()}
        host = host_of(cluster)
        await cluster.crash()
        assert {t.id for t in host.running()} == before
        await cluster.recover()
        await cluster.settle(30)
        assert {t.id for t in cluster.running()} == before
        assert set(host.starts.values()) == {1}
        assert host.resumed == 2
        await cluster.change("web", lambda spec: scaled(spec, 1))
        await cluster.until(lambda: len(cluster.tasks()) == 1)

    simulated(story)


def test_what_died_meanwhile_is_replaced():
    async def story(cluster):
        await cluster.create(replicated("web", 3))
        await cluster.until(lambda: len(cluster.running()) == 3)
        first, second, third = cluster.running()
        host = host_of(cluster)
        await cluster.crash()
        host.kill(first.id, code=9)
        del host.containers[second.id]
        await cluster.recover()
        await cluster.until(lambda: len(cluster.running()) == 3)
        await cluster.until(lambda: first.id not in {t.id for t in cluster.running()})
        await cluster.until(lambda: len(cluster.running()) == 3)
        errors = {t.id: t.status.err for t in cluster.tasks()}
        assert errors[first.id] == "task: non-zero exit (9)"
        assert "removed while nobody watched" in errors[second.id]
        assert third.id in {t.id for t in cluster.running()}

    simulated(story)


def test_no_container_exists_for_a_task_that_a_crash_can_forget():
    async def story(cluster):
        host = host_of(cluster)
        loop = asyncio.get_running_loop()
        creating = loop.create_task(cluster.create(replicated("web", 3)))
        for _ in range(60):
            await asyncio.sleep(0.01)
            safe, _ = await _safe_tasks(cluster)
            assert set(host.containers) <= safe
        await creating
        await cluster.until(lambda: len(cluster.running()) == 3)

    async def _safe_tasks(cluster):
        saved = await cluster.journal.survivors().load()
        return {obj.id for obj in saved.objects}, saved.version

    # A very slow disk: a tenth of a second for every commit to be safe.
    simulated(story, journal=MemoryJournal(latency=0.1))


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.06, 0.11, 0.16, 0.21, 0.3, 0.4, 0.55, 0.7, 1.0])
def test_a_crash_at_any_moment_of_an_update(moment):
    async def story(cluster):
        await cluster.create(replicated("web", 3, update=UpdateConfig(parallelism=1)))
        await cluster.until(lambda: len(cluster.running()) == 3)
        await cluster.change("web", lambda spec: with_image(spec, "web:2"))
        await cluster.settle(moment)
        await cluster.crash()
        await cluster.settle(0.1)
        await cluster.recover()
        await cluster.until(
            lambda: (
                (status := cluster.service("web").update_status) is not None
                and status.state == "completed"
            )
        )
        assert {t.spec.container_spec.image for t in cluster.running()} == {"web:2"}
        await cluster.settle(2)
        assert len(cluster.running()) == len(host_of(cluster).running()) == 3

    simulated(story, journal=MemoryJournal(latency=0.003))


def test_containers_of_forgotten_tasks_are_cleared_away():
    async def story(cluster):
        await cluster.create(replicated("web", 2))
        await cluster.until(lambda: len(cluster.running()) == 2)
        host = host_of(cluster)
        await cluster.api.remove_service("web")
        await cluster.crash()
        await cluster.recover()
        await cluster.until(lambda: not cluster.tasks())
        await cluster.settle(2)
        assert not host.containers

    simulated(story)


def test_tasks_are_spread_and_move_off_a_drained_node():
    async def story(cluster):
        await cluster.create(replicated("web", 6))
        await cluster.until(lambda: len(cluster.running()) == 6)
        assert sorted(len(h.running()) for h in cluster.hosts.values()) == [2, 2, 2]
        leaving = list(cluster.hosts)[1]
        await set_node(cluster, leaving, availability="drain")
        await cluster.until(lambda: not cluster.hosts[leaving].running())
        await cluster.until(lambda: len(cluster.running()) == 6)
        assert sorted(len(h.running()) for h in cluster.hosts.values()) == [0, 3, 3]

    simulated(story, nodes=3)


def test_tasks_of_a_silent_node_are_replaced_and_its_containers_stopped_when_it_returns():
    async def story(cluster):
        await cluster.create(replicated("web", 4))
        await cluster.until(lambda: len(cluster.running()) == 4)
        silent = list(cluster.hosts)[1]
        await cluster.stop_agent(silent)
        await cluster.until(lambda: len(host_of(cluster).running()) == 4)
        node = await cluster.api.get_node(silent)
        assert (node.status.state, node.status.message) == ("down", "heartbeat failure")
        cluster.violations.clear()  # The manager can't know that the old containers still run.
        await cluster.boot_node(silent)
        await cluster.until(lambda: not cluster.hosts[silent].running())
        cluster.violations.clear()
        assert len(cluster.running()) == 4

    simulated(story, nodes=2)


def test_global_service_follows_the_nodes():
    async def story(cluster):
        await cluster.create(global_service("agent"))
        await cluster.until(lambda: len(cluster.running()) == 2)
        assert {t.slot for t in cluster.running()} == {0}
        added = await cluster.add_node("late")
        await cluster.until(lambda: len(cluster.running()) == 3)
        await set_node(cluster, added, availability="drain")
        await cluster.until(lambda: len(cluster.running()) == 2)
        await cluster.settle(5)
        assert len(cluster.running()) == 2
        await set_node(cluster, added, availability="active")
        await cluster.until(lambda: len(cluster.running()) == 3)
        await cluster.change("agent", lambda spec: with_image(spec, "web:2"))
        await cluster.until(
            lambda: (
                {t.spec.container_spec.image for t in cluster.running()} == {"web:2"}
                and len(cluster.running()) == 3
            )
        )
        cluster.hosts[added].kill(cluster.hosts[added].running()[0].id)
        await cluster.until(lambda: not cluster.hosts[added].running())
        await cluster.until(lambda: len(cluster.running()) == 3)

    simulated(story, nodes=2)


def test_constraints_are_told_and_obeyed_when_labels_change():
    async def story(cluster):
        spec = placed(replicated("web", 2), constraints=["node.labels.disk==ssd"])
        await cluster.create(spec)
        await cluster.until(lambda: all(t.status.err for t in cluster.tasks()) and cluster.tasks())
        assert {t.status.err for t in cluster.tasks()} == {
            "no suitable node (scheduling constraints not satisfied on 2 nodes)"
        }
        one, other = cluster.hosts
        await set_node(cluster, one, labels={"disk": "ssd"})
        await cluster.until(lambda: len(cluster.running()) == 2)
        assert {t.node_id for t in cluster.running()} == {one}
        assert {t.status.err for t in cluster.running()} == {""}
        await set_node(cluster, other, labels={"disk": "ssd"})
        await set_node(cluster, one, labels={"disk": "hdd"})
        await cluster.until(lambda: {t.node_id for t in cluster.running()} == {other})
        await cluster.until(lambda: len(cluster.running()) == 2)

    simulated(story, nodes=2)


def test_what_does_not_fit_waits_and_says_so():
    async def story(cluster):
        wanted = ResourceRequirements(reservations=Resources(memory_bytes=400 * 2**20))
        spec = replicated("web", 3)
        spec = spec.replaced(task_template=spec.task_template.replaced(resources=wanted))
        host_of(cluster).resources = Resources(nano_cpus=10**9, memory_bytes=2**30)
        await cluster.crash()
        await cluster.recover()
        await cluster.until(lambda: cluster.nodes()[0].description.resources.memory_bytes == 2**30)
        await cluster.create(spec)
        await cluster.until(lambda: len(cluster.running()) == 2)
        await cluster.settle(1)
        (waiting,) = [t for t in cluster.tasks() if t.status.state is TaskState.PENDING]
        assert waiting.status.err == "no suitable node (insufficient resources on 1 node)"
        await cluster.change("web", lambda s: scaled(s, 2))
        await cluster.until(lambda: len(cluster.tasks()) == 2)
        assert len(cluster.running()) == 2

    simulated(story)


def test_max_replicas_and_spread_preferences():
    async def story(cluster):
        zones = ["a", "a", "b"]
        for node, zone in zip(cluster.nodes(), zones, strict=True):
            await set_node(cluster, node.id, labels={"zone": zone})
        over = PlacementPreference(spread=SpreadOver(spread_descriptor="node.labels.zone"))
        await cluster.create(placed(replicated("web", 4), preferences=[over]))
        await cluster.until(lambda: len(cluster.running()) == 4)
        assert [len(h.running()) for h in cluster.hosts.values()] == [1, 1, 2]
        await cluster.create(placed(replicated("two", 7), max_replicas=2))
        await cluster.until(lambda: len(cluster.running("two")) == 6)
        await cluster.settle(1)
        (waiting,) = [t for t in cluster.tasks("two") if not t.node_id]
        assert waiting.status.err == "no suitable node (max replicas per node limit exceed)"

    simulated(story, nodes=3)


def test_versions_and_names_are_guarded():
    async def story(cluster):
        await cluster.create(replicated("web", 1))
        with pytest.raises(HiveletError, match="service web already exists"):
            await cluster.create(replicated("web", 1))
        with pytest.raises(HiveletError, match="update out of sequence"):
            await cluster.api.update_node("self", 999, NodeSpec(role="manager"))

    simulated(story)


def test_an_agent_that_loses_its_manager_comes_back():
    async def story(cluster):
        await cluster.create(replicated("web", 2))
        await cluster.until(lambda: len(cluster.running()) == 2)
        before = {t.id for t in cluster.running()}
        await cluster.manager.stop()
        host_of(cluster).kill(cluster.running()[0].id)
        await cluster.settle(60)
        await cluster.manager.start()
        await cluster.until(lambda: {t.id for t in cluster.running()} - before != set())
        await cluster.until(lambda: len(cluster.running()) == 2)
        assert len(before & {t.id for t in cluster.running()}) == 1

    simulated(story)


def test_zero_replicas_and_back():
    async def story(cluster):
        host_of(cluster).scripts["web:1"] = Script(stop=3)
        none = ServiceMode(replicated=ReplicatedMode(replicas=0))
        await cluster.create(replicated("web", 3))
        await cluster.until(lambda: len(cluster.running()) == 3)
        await cluster.change("web", lambda s: s.replaced(mode=none))
        await cluster.settle(1)
        await cluster.change("web", lambda s: scaled(s, 3))
        await cluster.until(lambda: len(cluster.running()) == 3)
        await cluster.until(lambda: len(cluster.tasks()) == 3)

    simulated(story)


def test_tasks_of_a_node_that_is_gone_are_given_up():
    async def story(cluster):
        await cluster.create(replicated("web", 4))
        await cluster.until(lambda: len(cluster.running()) == 4)
        gone, lost = list(cluster.hosts)[1:]
        for node_id in (gone, lost):
            await cluster.stop_agent(node_id)
            cluster.hosts[node_id].containers.clear()
        await cluster.api.remove_node(gone, force=True)
        await cluster.until(lambda: len(cluster.running()) == 4)
        await cluster.until(lambda: all(t.node_id != gone for t in cluster.tasks()))
        await cluster.api.remove_service("web")
        await cluster.until(lambda: {t.node_id for t in cluster.tasks()} == {lost})
        await cluster.until(lambda: not cluster.tasks(), within=25 * 3600)
        cluster.violations.clear()

    simulated(story, nodes=3)
