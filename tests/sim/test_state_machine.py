"""Whatever users, containers, nodes and the daemon do, in whatever order: nothing unsound, and it converges.

Hypothesis finds the orders, shrinks the one that breaks something, and prints it as a story. Each run of the tests takes the
same ten thousand steps; `HIVELET_SIM_SEED=17 HIVELET_SIM_EXAMPLES=500` takes others, and prints the seed with the failure.
"""

import os

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from sim_specs import healed, is_job
from sim_users import Users
from sim_world import World

from hivelet.manager.dirty import is_dirty
from hivelet.objects.task import TaskState

EXAMPLES = int(os.environ.get("HIVELET_SIM_EXAMPLES", "25"))
STEPS = 50
SEEDS = [int(os.environ["HIVELET_SIM_SEED"])] if "HIVELET_SIM_SEED" in os.environ else range(8)
"""8 seeds of 25 stories of 50 steps."""


class ClusterMachine(Users, World):
    """Users and the world at once, and now and then the proof that all wishes come true."""

    @rule()
    @precondition(lambda self: self.services())
    def all_is_well_in_the_end(self):
        """Heal everything that users can heal, wait, and see that all wishes have come true."""
        self.told("everything is healed")
        self.play(self._heal())
        for service in self.services().values():
            self._assert_fulfilled(service)
        alive = {task.id for task in self.cluster.containers()}
        wanted = {task.id for task in self.cluster.running()}
        assert alive == wanted, self.cluster.describe()

    async def _heal(self):
        cluster = self.cluster
        cluster.journal.relent()
        if cluster.crashed:
            await self.come_back()
        await self.all_nodes_return()
        await cluster.settle(20)
        for node in cluster.nodes():
            spec = node.spec.replaced(availability="active")
            await cluster.api.update_node(node.id, node.meta.version.index, spec)
        for name, service in self.services().items():
            await cluster.change(name, healed)
            self.acknowledge_change(type(service), service.id)
        await cluster.settle(400)
        cluster.unheard.clear()

    def _assert_fulfilled(self, service):
        cluster, mode = self.cluster, service.spec.mode
        tasks = cluster.tasks(service.spec.name)
        if is_job(mode):
            done = [t for t in tasks if t.status.state is TaskState.COMPLETE]
            current = [t for t in done if t.job_iteration == service.job_status.job_iteration]
            job = mode.replicated_job
            wanted = len(cluster.nodes()) if job is None else job.total_completions
            # None given, as many as may run at once, which is one.
            assert len(current) >= (1 if wanted is None else wanted), self.cluster.describe()
            return
        running = cluster.running(service.spec.name)
        wanted = len(cluster.nodes()) if mode.global_ is not None else service.replicas
        assert len(running) == wanted, self.cluster.describe()
        nodes = {node.id: node for node in cluster.nodes()}
        dirty = [t for t in running if is_dirty(service, t, nodes.get(t.node_id))]
        assert not dirty, self.cluster.describe()


@pytest.mark.parametrize("number", SEEDS)
def test_state_machine(number):
    run_state_machine_as_test(
        seed(number)(ClusterMachine),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
