"""A change costs what has changed, however large the rest is: counted in tasks and nodes that are read, not in seconds."""

from collections import Counter

import pytest

from hivelet.objects.node import Node
from hivelet.objects.service import ReplicatedJobMode, ServiceMode, UpdateConfig
from hivelet.objects.task import Task, TaskState
from hivelet.store.tables import Table
from hivelet.testing.cluster import SimulatedCluster, replicated, with_image
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual

STEADY = 1.15
"""What is done once for a whole service counts less for each task the more there are; nothing may count more."""


@pytest.fixture
def reads(monkeypatch):
    """Rows that were handed out by the store's tables, by kind."""
    counted = Counter()
    find, every = Table.find, Table.__iter__

    def counting_find(self, index, key):
        found = find(self, index, key)
        counted[self.kind] += len(found)
        return found

    def counting_iter(self):
        counted[self.kind] += len(self)
        return every(self)

    monkeypatch.setattr(Table, "find", counting_find)
    monkeypatch.setattr(Table, "__iter__", counting_iter)
    return counted


def measured(reads, story, *, nodes=4):
    """What was read in the last part of the story, which begins when it yields."""
    counted = Counter()

    async def play():
        cluster = SimulatedCluster(checking=False)
        await cluster.start(nodes=nodes)
        parts = story(cluster)
        await anext(parts)
        reads.clear()
        await anext(parts, None)
        counted.update(reads)
        await cluster.stop()

    run_virtual(play())
    return counted


def all_run(cluster, replicas):
    return lambda: len(cluster.running("web")) == replicas


def state(cluster):
    status = cluster.service("web").update_status
    return status.state if status else ""


def rolling_update(replicas, **config):
    async def story(cluster):
        await cluster.create(replicated("web", replicas, update=UpdateConfig(**config)))
        await cluster.until(all_run(cluster, replicas))
        yield
        await cluster.change("web", lambda spec: with_image(spec, "web:2"))
        await cluster.until(lambda: state(cluster) == "completed", within=1e6)

    return story


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"parallelism": 1}, id="one by one"),
        pytest.param({"parallelism": 1, "order": "start-first"}, id="start first"),
        pytest.param({"parallelism": 1, "delay": 10**9}, id="with a delay"),
        pytest.param({"parallelism": 0}, id="all at once"),
    ],
)
def test_a_step_of_an_update_costs_the_same_in_a_larger_service(reads, config):
    small = measured(reads, rolling_update(25, **config))
    large = measured(reads, rolling_update(50, **config))
    assert large[Task] / 50 <= STEADY * small[Task] / 25


def test_a_step_of_an_update_costs_the_same_among_more_nodes(reads):
    few = measured(reads, rolling_update(20, parallelism=1), nodes=5)
    many = measured(reads, rolling_update(20, parallelism=1), nodes=20)
    # A look at all nodes belongs to the beginning, the end, and the listening for silent ones.
    assert many[Node] / 20 <= STEADY * few[Node] / 5
    assert many[Node] / 20 < 20


def test_a_paused_update_costs_nothing(reads):
    def story(replicas):
        async def play(cluster):
            await cluster.create(replicated("web", replicas))
            await cluster.until(all_run(cluster, replicas))
            await cluster.change("web", lambda spec: with_image(spec, "missing:1"))
            for host in cluster.hosts.values():
                host.scripts["missing:1"] = Script(missing=True)
            await cluster.until(lambda: state(cluster) == "paused")
            yield
            await cluster.settle(60)

        return play

    assert measured(reads, story(20))[Task] == measured(reads, story(40))[Task]


def test_a_crash_costs_the_same_in_a_larger_service(reads):
    def story(replicas):
        async def play(cluster):
            await cluster.create(replicated("web", replicas))
            await cluster.until(all_run(cluster, replicas))
            victim = cluster.running("web")[0]
            yield
            cluster.hosts[victim.node_id].kill(victim.id)
            await cluster.settle(5)

        return play

    small, large = measured(reads, story(20)), measured(reads, story(40))
    assert 0 < small[Task] == large[Task]


def test_a_task_of_a_job_costs_the_same_in_a_larger_job(reads):
    def story(completions):
        mode = ReplicatedJobMode(max_concurrent=2, total_completions=completions)

        async def play(cluster):
            for host in cluster.hosts.values():
                host.scripts["quick:1"] = Script(exits_after=1.0)
            yield
            spec = replicated("web", 0, image="quick:1")
            await cluster.create(spec.replaced(mode=ServiceMode(replicated_job=mode)))
            await cluster.settle(completions)
            done = [task for task in cluster.tasks() if task.status.state is TaskState.COMPLETE]
            assert len(done) == completions

        return play

    small, large = measured(reads, story(25)), measured(reads, story(50))
    assert large[Task] / 50 <= STEADY * small[Task] / 25


def test_creation_and_removal_cost_the_same_for_each_task(reads):
    def story(replicas):
        async def play(cluster):
            yield
            await cluster.create(replicated("web", replicas))
            await cluster.settle(5)
            await cluster.api.remove_service(cluster.service("web").id)
            await cluster.settle(30)

        return play

    small, large = measured(reads, story(40)), measured(reads, story(80))
    assert large[Task] / 80 <= STEADY * small[Task] / 40
