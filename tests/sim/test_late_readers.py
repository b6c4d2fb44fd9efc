"""Loops that are late see several changes of an object as one, and must do the same as if they had seen each. Virtual time."""

import pytest

from hivelet.objects.service import ReplicatedJobMode, ServiceMode, UpdateConfig
from hivelet.objects.swarm import SwarmRotation
from hivelet.objects.task import TaskState
from hivelet.testing.cluster import SimulatedCluster, forced, replicated
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import SleepyWaker, run_virtual

SECOND = 10**9


def simulated(story, **how):
    async def play():
        cluster = SimulatedCluster(**how)
        await cluster.start()
        await story(cluster)
        cluster.assert_sound()
        await cluster.stop()

    run_virtual(play())


async def remember_one_task(cluster):
    """Nothing is remembered of a slot but its present task: what ends is forgotten at once."""
    held = cluster.store.view(lambda view: view.cluster())
    orchestration = held.spec.orchestration.replaced(task_history_retention_limit=0)
    spec = held.spec.replaced(orchestration=orchestration)
    await cluster.api.update_swarm(held.meta.version.index, spec, SwarmRotation())


def is_completed(cluster):
    status = cluster.service("web").update_status
    return status is not None and status.state == "completed"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_order_in_which_loops_are_woken_an_update_takes_no_longer(seed):
    async def story(cluster):
        await remember_one_task(cluster)
        config = UpdateConfig(parallelism=2, monitor=SECOND)
        await cluster.create(replicated("web", 6, update=config))
        await cluster.until(lambda: len(cluster.running("web")) == 6, within=20)
        await cluster.change("web", forced)
        await cluster.until(lambda: is_completed(cluster), within=40)
        await cluster.until(lambda: len(cluster.running("web")) == 6, within=5)

    simulated(story, waker=SleepyWaker(seed))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_order_in_which_loops_are_woken_a_job_completes(seed):
    async def story(cluster):
        await remember_one_task(cluster)
        next(iter(cluster.hosts.values())).scripts["quick:1"] = Script(exits_after=0.2)
        spec = replicated("job", 0, image="quick:1")
        mode = ReplicatedJobMode(max_concurrent=3, total_completions=9)
        await cluster.create(spec.replaced(mode=ServiceMode(replicated_job=mode)))
        await cluster.until(
            lambda: sum(t.status.state is TaskState.COMPLETE for t in cluster.tasks("job")) == 9,
            within=30,
        )

    simulated(story, waker=SleepyWaker(seed))
