"""What the metrics say of tasks, against stories whose restarts and starts are known."""

import pytest

from hivelet.kit.supervise import Supervisor
from hivelet.metrics.node import NodeFacts
from hivelet.metrics.page import MetricsPage
from hivelet.testing.cluster import SimulatedCluster, forced, replicated, scaled
from hivelet.testing.virtual_time import run_virtual


def simulated(story):
    """Play a story on a new cluster of one node."""

    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        await story(cluster)
        cluster.assert_sound()
        await cluster.stop()

    run_virtual(play())


async def no_facts(tasks):
    return NodeFacts(version="test")


class Metered:
    """A cluster with a page, and what the page says."""

    def __init__(self, cluster):
        self.page = MetricsPage(cluster.store, no_facts, ())
        self.supervisor = Supervisor("metered")
        self.supervisor.keep("tasks", self.page.tasks.run)

    def value(self, name, **labels):
        found = [
            sample.value
            for family in self.page.tasks.families()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found)

    def restarts(self, **labels):
        return self.value("hivelet_service_restarts_total", **labels)


async def deployed(cluster, replicas=3):
    metered = Metered(cluster)
    await cluster.settle()
    await cluster.create(replicated("web", replicas))
    await cluster.until(lambda: len(cluster.running("web")) == replicas)
    return metered


def test_a_crash_is_a_restart():
    async def story(cluster):
        metered = await deployed(cluster)
        assert metered.restarts() == 0
        victim = cluster.running("web")[0]
        next(iter(cluster.hosts.values())).kill(victim.id)
        await cluster.until(
            lambda: len(cluster.running("web")) == 3 and victim not in cluster.running("web")
        )
        await cluster.settle(1)
        assert metered.restarts(service="web", reason="failed") == 1
        assert metered.value("hivelet_task_start_seconds_count") == 4
        await metered.supervisor.stop()

    simulated(story)


def test_an_unhealthy_task_says_so():
    async def story(cluster):
        metered = await deployed(cluster)
        victim = cluster.running("web")[0]
        next(iter(cluster.hosts.values())).turn_unhealthy(victim.id)
        await cluster.until(lambda: metered.restarts(service="web", reason="unhealthy") == 1)
        await metered.supervisor.stop()

    simulated(story)


@pytest.mark.parametrize(
    "edit", [forced, lambda spec: scaled(spec, 5)], ids=["forced update", "scaled"]
)
def test_what_a_user_does_is_no_restart(edit):
    async def story(cluster):
        metered = await deployed(cluster)
        before = metered.value("hivelet_task_start_seconds_count")
        await cluster.change("web", edit)
        await cluster.settle(120)
        await cluster.change("web", lambda spec: scaled(spec, 1))
        await cluster.settle(60)
        await cluster.change("web", lambda spec: scaled(spec, 3))
        await cluster.settle(60)
        assert metered.restarts() == 0
        assert metered.value("hivelet_task_start_seconds_count") > before
        await metered.supervisor.stop()

    simulated(story)


def test_series_go_with_their_service():
    async def story(cluster):
        metered = await deployed(cluster)
        victim = cluster.running("web")[0]
        next(iter(cluster.hosts.values())).kill(victim.id)
        await cluster.until(lambda: metered.restarts() == 1)
        await cluster.api.remove_service("web")
        await cluster.until(lambda: not cluster.tasks("web"))
        await cluster.settle(5)
        assert metered.restarts() == 0
        await metered.supervisor.stop()

    simulated(story)
