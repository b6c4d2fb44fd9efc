"""Networks that grow, and networks that are full."""

from hivelet.objects.task import TaskState
from hivelet.testing.cluster import SimulatedCluster, overlay, replicated, scaled
from hivelet.testing.virtual_time import run_virtual


def addresses(cluster: SimulatedCluster) -> list[str]:
    return [a for task in cluster.running("web") for n in task.networks for a in n.addresses]


def test_a_network_grows_as_far_as_its_subnet():
    async def play():
        cluster = SimulatedCluster(checking=False)
        await cluster.start(nodes=4)
        await cluster.api.create_network(overlay("wide", "10.60.0.0/16"))
        await cluster.create(replicated("web", 1000, networks=["wide"]))
        await cluster.until(lambda: len(cluster.running("web")) == 1000)
        given = addresses(cluster)
        assert len(set(given)) == 1000
        assert all(a.startswith("10.60.") and a.endswith("/16") for a in given)
        await cluster.stop()

    run_virtual(play())


def test_a_full_network_is_told_and_fills_again_when_addresses_are_freed():
    """Of a /29's six addresses the gateway has one and the service one: the VIP."""

    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        await cluster.api.create_network(overlay("small", "10.60.0.0/29"))
        await cluster.create(replicated("other", 2, networks=["small"]))
        await cluster.until(lambda: len(cluster.running("other")) == 2)
        await cluster.create(replicated("web", 2, networks=["small"]))
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        waiting = [t for t in cluster.tasks("web") if t.status.state is TaskState.NEW]
        await cluster.until(lambda: all(says(cluster, task.id) for task in waiting))
        assert len(waiting) == 1
        await cluster.change("other", lambda spec: scaled(spec, 1))
        await cluster.until(lambda: len(cluster.running("web")) == 2)
        assert len(set(addresses(cluster))) == 2
        await cluster.stop()

    def says(cluster, task_id):
        (task,) = [t for t in cluster.tasks("web") if t.id == task_id]
        words = task.status.err + task.status.message
        return "no available IPv4 addresses" in words and "larger --subnet" in words

    run_virtual(play())
