"""A service's life on one node: create, scale, update in both orders, crash, remove. Virtual time."""

import asyncio
import itertools

import pytest

from hivelet.errors import NotFound
from hivelet.objects.network import Network
from hivelet.objects.service import UpdateConfig
from hivelet.objects.task import PortConfig, TaskState
from hivelet.testing.cluster import (
    SimulatedCluster,
    forced,
    overlay,
    replicated,
    scaled,
    with_image,
)
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual

SECOND = 1_000_000_000


def simulated(story):
    """Run the story on a cluster of one node, and hold the cluster to its invariants at the end."""

    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        try:
            await story(cluster)
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


def host_of(cluster):
    return next(iter(cluster.hosts.values()))


async def deploy(cluster, replicas=3, **how):
    await cluster.create(replicated("web", replicas, **how))
    await cluster.until(lambda: len(cluster.running("web")) == replicas)


def completed(cluster):
    status = cluster.service("web").update_status
    return status is not None and status.state == "completed"


HOST_PORT = PortConfig(target_port=80, published_port=80, publish_mode="host")


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_a_host_mode_port_is_handed_over(order):
    """Start-first on a single node: the new task runs beside the old one, behind the same port."""

    async def story(cluster):
        host_of(cluster).scripts["web:2"] = Script(start=0.5)
        update = UpdateConfig(order=order, monitor=SECOND)
        await deploy(cluster, replicas=1, ports=[HOST_PORT], update=update)
        most = 0

        def done():
            nonlocal most
            most = max(most, len(host_of(cluster).running()))
            return completed(cluster)

        await cluster.change("web", lambda spec: with_image(spec, "web:2"))
        await cluster.until(done)
        assert most == (2 if order == "start-first" else 1)
        (task,) = cluster.running("web")
        assert task.status.err == ""
        assert not any("already in use" in t.status.err for t in cluster.tasks("web"))

    simulated(story)


def test_a_host_mode_port_is_not_shared_by_replicas_or_services():
    async def story(cluster):
        await cluster.create(replicated("web", 2, ports=[HOST_PORT]))
        await cluster.create(replicated("other", 1, ports=[HOST_PORT]))
        await cluster.settle(5)
        assert len(cluster.running()) == 1
        waiting = [t for t in cluster.tasks() if t.status.state is TaskState.PENDING]
        assert [t.status.err for t in waiting] == [
            "no suitable node (host-mode port already in use on 1 node)"
        ] * 2

    simulated(story)


def test_create_scale_remove_leaves_nothing():
    async def story(cluster):
        await cluster.api.create_network(overlay("webnet"))
        port = PortConfig(target_port=8000, published_port=8000)
        await deploy(cluster, networks=["webnet"], ports=[port])
        assert sorted(t.slot for t in cluster.running()) == [1, 2, 3]
        first = {t.id for t in cluster.running()}
        service = cluster.service("web")
        assert [p.published_port for p in service.endpoint.ports] == [8000]
        assert len(service.endpoint.virtual_ips) == 2
        host = host_of(cluster)
        assert {n.spec.name for n in host.networks.values()} == {"ingress", "webnet"}
        assert [e.name for e in host.services.values()] == ["web"]

        await cluster.change("web", lambda spec: scaled(spec, 5))
        await cluster.until(lambda: len(cluster.running()) == 5)
        assert first < {t.id for t in cluster.running()}
        await cluster.change("web", lambda spec: scaled(spec, 2))
        await cluster.until(lambda: len(cluster.tasks()) == 2)
        assert sorted(t.slot for t in cluster.running()) == [1, 2]

        await cluster.api.remove_service("web")
        await cluster.api.remove_network("webnet")
        with pytest.raises(NotFound, match="service web not found"):
            await cluster.api.get_service("web")
        await cluster.until(lambda: cluster.store.view(lambda v: v.count(Network)) == 1)
        await cluster.until(lambda: not cluster.tasks())
        await cluster.settle(1)
        assert not host.containers
        assert not host.services
        assert {n.spec.name for n in host.networks.values()} == {"ingress"}

    simulated(story)


def test_everything_is_quick():
    async def story(cluster):
        loop = asyncio.get_running_loop()
        before = loop.time()
        await deploy(cluster, 30)
        # The fake container takes 0.05 s to start; nothing else may wait for anything.
        assert loop.time() - before < 0.06
        victim = cluster.running()[0]
        before = loop.time()
        host_of(cluster).kill(victim.id)
        await cluster.until(lambda: len(cluster.running()) == 29)
        await cluster.until(lambda: len(cluster.running()) == 30)
        assert loop.time() - before < 0.06
        dead = next(t for t in cluster.tasks() if t.id == victim.id)
        assert (dead.status.state, dead.status.err) == (
            TaskState.FAILED,
            "task: non-zero exit (137)",
        )
        assert dead.status.container_status.exit_code == 137

    simulated(story)


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_update_one_by_one(order):
    async def story(cluster):
        await deploy(cluster, update=UpdateConfig(parallelism=1, order=order))
        lowest, highest = 3, 3

        def watch_and_see():
            nonlocal lowest, highest
            lowest = min(lowest, len(host_of(cluster).running()))
            highest = max(highest, len(host_of(cluster).running()))
            return completed(cluster)

        await cluster.change("web", lambda spec: with_image(spec, "web:2"))
        await cluster.until(watch_and_see)
        if order == "stop-first":
            assert (lowest, highest) == (2, 3)
        else:
            # A stop takes longer here than a start, so more than one old task may be on its way out.
            assert lowest == 3
            assert highest > 3
        images = {t.spec.container_spec.image for t in cluster.running()}
        assert images == {"web:2"}
        assert len(cluster.running()) == 3
        assert cluster.service("web").update_status.message == "update completed"

    simulated(story)


def test_update_waits_between_slots():
    async def story(cluster):
        await deploy(cluster, 4, update=UpdateConfig(parallelism=2, delay=10 * SECOND))
        await cluster.change("web", forced)
        await cluster.until(lambda: completed(cluster))
        started = sorted(t.started_at for t in cluster.running())
        assert 10 <= (started[2] - started[1]).total_seconds() < 11
        assert (started[1] - started[0]).total_seconds() < 1

    simulated(story)


def test_a_redeploy_without_change_touches_nothing():
    async def story(cluster):
        await deploy(cluster)
        before = cluster.tasks()
        await cluster.change("web", lambda spec: spec.replaced(labels={"new": "label"}))
        await cluster.settle(60)
        assert cluster.tasks() == before
        assert cluster.service("web").update_status is None

    simulated(story)


def test_a_newer_update_overtakes():
    async def story(cluster):
        await deploy(cluster, update=UpdateConfig(parallelism=1, delay=5 * SECOND))
        await cluster.change("web", lambda spec: with_image(spec, "web:2"))
        await cluster.settle(1)
        await cluster.change("web", lambda spec: with_image(spec, "web:3"))
        await cluster.until(lambda: completed(cluster))
        assert {t.spec.container_spec.image for t in cluster.running()} == {"web:3"}

    simulated(story)


def test_a_failing_update_pauses_and_the_rest_goes_on_serving():
    async def story(cluster):
        host_of(cluster).scripts["web:bad"] = Script(exits_after=0.5, exit_code=3)
        await deploy(cluster, update=UpdateConfig(parallelism=1, delay=2 * SECOND))
        await cluster.change("web", lambda spec: with_image(spec, "web:bad"))
        await cluster.until(lambda: cluster.service("web").update_status is not None)
        await cluster.until(lambda: cluster.service("web").update_status.state == "paused")
        status = cluster.service("web").update_status
        culprit = status.message.removeprefix(
            "update paused due to failure or early termination of task "
        )
        assert culprit in {t.id for t in cluster.tasks()}
        await cluster.settle(30)
        good = [t for t in cluster.running() if t.spec.container_spec.image == "web:1"]
        assert len(good) == 2
        await cluster.change("web", lambda spec: with_image(spec, "web:1"))
        await cluster.until(lambda: completed(cluster))
        assert {t.id for t in good} < {t.id for t in cluster.running()}

    simulated(story)


def test_a_failing_update_rolls_back():
    async def story(cluster):
        host_of(cluster).scripts["web:bad"] = Script(missing=True)
        await deploy(cluster, update=UpdateConfig(parallelism=1, failure_action="rollback"))
        await cluster.change("web", lambda spec: with_image(spec, "web:bad"))
        await cluster.until(
            lambda: (
                (status := cluster.service("web").update_status) is not None
                and status.state == "rollback_completed"
            )
        )
        service = cluster.service("web")
        assert service.update_status.message == "rollback completed"
        assert service.spec.task_template.container_spec.image == "web:1"
        assert service.previous_spec is None
        assert {t.spec.container_spec.image for t in cluster.running()} == {"web:1"}
        assert len(cluster.running()) == 3

    simulated(story)


def test_failures_within_the_ratio_are_no_failure():
    async def story(cluster):
        host_of(cluster).scripts["web:shy"] = Script(failing_starts=1)
        config = UpdateConfig(parallelism=1, max_failure_ratio=0.4)
        await deploy(cluster, update=config)
        await cluster.change("web", lambda spec: with_image(spec, "web:shy"))
        await cluster.until(lambda: completed(cluster))
        await cluster.until(lambda: len(cluster.running()) == 3)

    simulated(story)


def test_manual_rollback_and_back_again():
    async def story(cluster):
        await deploy(cluster)
        await cluster.change("web", lambda spec: with_image(spec, "web:2"))
        await cluster.until(lambda: completed(cluster))
        await cluster.rollback("web")
        assert cluster.service("web").update_status.message == "manually requested rollback"
        await cluster.until(
            lambda: cluster.service("web").update_status.state == "rollback_completed"
        )
        assert {t.spec.container_spec.image for t in cluster.running()} == {"web:1"}
        await cluster.rollback("web")
        await cluster.until(
            lambda: {t.spec.container_spec.image for t in cluster.running()} == {"web:2"}
        )

    simulated(story)


def test_a_crash_loop_backs_off_and_its_history_is_bounded():
    async def story(cluster):
        host = host_of(cluster)
        host.scripts["web:1"] = Script(exits_after=0.1, exit_code=1)
        await cluster.create(replicated("web", 1))
        starts = []

        def note_starts():
            for task in cluster.tasks():
                if task.started_at and task.started_at not in starts:
                    starts.append(task.started_at)
            assert len(cluster.tasks()) <= 6
            return len(starts) >= 10

        await cluster.until(note_starts)
        gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(starts)]
        assert gaps[0] < 0.3
        for gap, expected in zip(gaps[1:], [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
            assert 0.9 * expected <= gap <= 1.1 * expected + 0.3

    simulated(story)


def test_a_stable_run_resets_the_backoff():
    async def story(cluster):
        host = host_of(cluster)
        host.scripts["web:1"] = Script(exits_after=15)
        await cluster.create(replicated("web", 1))
        loop = asyncio.get_running_loop()
        seen = set()

        def five_lives():
            seen.update(t.id for t in cluster.tasks())
            return len(seen) >= 5

        await cluster.until(five_lives)
        assert loop.time() < 4 * 15 + 1

    simulated(story)


def test_a_missing_image_is_told_and_does_not_spin():
    async def story(cluster):
        host_of(cluster).scripts["nope:1"] = Script(missing=True)
        await cluster.create(replicated("web", 1, image="nope:1"))
        await cluster.settle(20)
        rejected = [t for t in cluster.tasks() if t.status.state is TaskState.REJECTED]
        assert {t.status.err for t in rejected} == {"No such image: nope:1"}
        assert {t.status.message for t in rejected} == {"preparing"}
        assert cluster.store.version < 100

    simulated(story)


def test_passing_troubles_are_retried():
    async def story(cluster):
        host_of(cluster).scripts["web:1"] = Script(flaky_prepares=3)
        await deploy(cluster, 1)
        assert len(cluster.tasks()) == 1

    simulated(story)


def test_a_task_that_hangs_in_start_can_be_removed():
    async def story(cluster):
        host_of(cluster).scripts["web:1"] = Script(hangs_in_start=True)
        await cluster.create(replicated("web", 2))
        await cluster.settle(5)
        await cluster.api.remove_service("web")
        await cluster.until(lambda: not cluster.tasks())
        await cluster.settle(1)
        assert not host_of(cluster).containers

    simulated(story)


def test_a_stack_can_be_deployed_again_while_its_predecessor_still_stops():
    async def story(cluster):
        host_of(cluster).scripts["web:1"] = Script(stop=20)
        port = PortConfig(target_port=8000, published_port=8000)
        await cluster.api.create_network(overlay("webnet"))
        await deploy(cluster, networks=["webnet"], ports=[port])
        await cluster.api.remove_service("web")
        await cluster.api.remove_network("webnet")
        await cluster.api.create_network(overlay("webnet"))
        await deploy(cluster, networks=["webnet"], ports=[port])
        await cluster.until(lambda: len(cluster.tasks()) == 3)

    simulated(story)
