"""Whatever users, containers, nodes and the daemon do, in whatever order: nothing unsound, and it converges.

Hypothesis finds the orders, and prints the shortest that breaks something. `HIVELET_SIM_EXAMPLES` makes it look harder.
"""

import asyncio
import os

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hivelet.errors import HiveletError
from hivelet.objects.dirty import is_task_dirty
from hivelet.objects.service import Service, UpdateConfig
from hivelet.objects.task import PortConfig, RestartPolicy
from hivelet.store.journal import MemoryJournal
from hivelet.testing.cluster import (
    SimulatedCluster,
    forced,
    global_service,
    overlay,
    replicated,
    scaled,
    with_image,
)
from hivelet.testing.runtime import FakeHost, Script
from hivelet.testing.virtual_time import VirtualTimeLoop

NAMES = ["web", "api", "celery", "rabbit"]
GOOD = {"good:1": Script(), "good:2": Script(stop=3.0), "slow:1": Script(prepare=4.0, start=1.0)}
BAD = {
    "crash:1": Script(exits_after=0.4, exit_code=1),
    "none:1": Script(missing=True),
    "hang:1": Script(hangs_in_start=True),
    "done:1": Script(exits_after=1.0, exit_code=0),
}
images = st.sampled_from([*GOOD, *GOOD, *BAD])
which = st.integers(0, 11)
updates = st.builds(
    UpdateConfig,
    parallelism=st.integers(0, 3),
    delay=st.sampled_from([0, 0, 2_000_000_000]),
    failure_action=st.sampled_from(["", "pause", "continue", "rollback"]),
    monitor=st.sampled_from([None, 0, 1_000_000_000]),
    order=st.sampled_from(["", "stop-first", "start-first"]),
    max_failure_ratio=st.sampled_from([0.0, 0.5]),
)
policies = st.builds(
    RestartPolicy,
    condition=st.sampled_from(["", "any", "any", "on-failure", "none"]),
    delay=st.sampled_from([None, None, 0, 3_000_000_000]),
    max_attempts=st.sampled_from([None, None, 2]),
    window=st.sampled_from([None, 10_000_000_000]),
)


class ClusterMachine(RuleBasedStateMachine):
    """Two nodes, up to three services."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.cluster = None

    def play(self, work):
        return self.runner.run(work)

    async def refused(self, work):
        """What the cluster refuses, it refuses with a sentence, and it stays as it was."""
        try:
            await work
        except HiveletError as error:
            assert error.message  # noqa: PT017 - a refusal is as good as success

    @initialize(latency=st.sampled_from([0.0, 0.004]), update=updates)
    def begin(self, latency, update):
        async def work():
            self.cluster = SimulatedCluster(journal=MemoryJournal(latency))
            await self.cluster.start()
            await self.cluster.add_node("worker", FakeHost("worker"))
            for host in self.cluster.hosts.values():
                host.scripts.update(GOOD | BAD)
            await self.cluster.api.create_network(overlay("net"))
            await self.cluster.create(replicated("web", 3, image="good:1", update=update))
            await self.cluster.settle(1)

        self.play(work())

    @rule(
        replicas=st.integers(0, 4),
        image=images,
        update=updates,
        policy=policies,
        port=st.sampled_from([0, 8000]),
    )
    @precondition(lambda self: len(self.services()) < 4)
    def create(self, replicas, image, update, policy, port):
        name = next(name for name in NAMES if name not in self.services())
        ports = [PortConfig(target_port=80, published_port=port)] if port else []
        spec = replicated(name, replicas, image=image, update=update, networks=["net"], ports=ports)
        spec = spec.replaced(
            task_template=spec.task_template.replaced(restart_policy=policy),
            rollback_config=update.replaced(failure_action=""),
        )
        self.play(self.refused(self.cluster.api.create_service(spec)))

    @rule(image=images)
    def create_global(self, image):
        spec = global_service("everywhere", image=image)
        self.play(self.refused(self.cluster.api.create_service(spec)))

    @rule(which=which, replicas=st.integers(0, 5))
    def scale(self, which, replicas):
        self.edit(which, lambda spec: spec if spec.mode.global_ else scaled(spec, replicas))

    @rule(which=which, image=images, update=updates)
    def update_image(self, which, image, update):
        self.edit(which, lambda spec: with_image(spec, image).replaced(update_config=update))

    @rule(which=which)
    def force(self, which):
        self.edit(which, forced)

    @rule(which=which)
    def redeploy_unchanged(self, which):
        self.edit(which, lambda spec: spec)

    @rule(which=which)
    def roll_back(self, which):
        if (name := self.pick(which)) is not None:
            self.play(self.refused(self.cluster.rollback(name)))

    @rule(which=which)
    def remove(self, which):
        if (name := self.pick(which)) is not None:
            self.play(self.refused(self.cluster.api.remove_service(name)))

    @rule(which=st.integers(0, 10), code=st.sampled_from([0, 1, 137]))
    def container_ends(self, which, code):
        running = self.cluster.containers()
        if running:
            task = running[which % len(running)]
            self.cluster.hosts[task.node_id].kill(task.id, code)

    @rule(availability=st.sampled_from(["active", "active", "pause", "drain"]))
    def set_worker(self, availability):
        async def work():
            node = await self.cluster.api.get_node("worker")
            spec = node.spec.replaced(availability=availability)
            await self.cluster.api.update_node(node.id, node.meta.version.index, spec)

        self.play(work())

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.2, 1.0, 7.0, 40.0]))
    def time_passes(self, seconds):
        self.play(self.cluster.settle(seconds))

    @rule(pause=st.sampled_from([0.0, 0.05, 10.0]))
    def daemon_crashes(self, pause):
        async def work():
            await self.cluster.crash()
            await self.cluster.settle(pause)
            await self.cluster.recover()

        self.play(work())

    @rule()
    @precondition(lambda self: self.services())
    def all_is_well_in_the_end(self):
        """Heal everything that users can heal, wait, and see that all wishes have come true."""

        async def work():
            node = await self.cluster.api.get_node("worker")
            spec = node.spec.replaced(availability="active")
            await self.cluster.api.update_node(node.id, node.meta.version.index, spec)
            for name in self.services():
                await self.cluster.change(name, _healed)
            await self.cluster.settle(400)

        self.play(work())
        for name, service in self.services().items():
            wanted = len(self.cluster.nodes()) if name == "everywhere" else service.replicas
            running = self.cluster.running(name)
            assert len(running) == wanted, self.cluster.describe()
            assert not any(is_task_dirty(service, task) for task in running)
        alive = {task.id for task in self.cluster.containers()}
        assert alive == {task.id for task in self.cluster.running()}, self.cluster.describe()

    @invariant()
    def sound(self):
        if self.cluster is not None:
            self.cluster.assert_sound()
            slots = {}
            for task in self.cluster.tasks():
                slots.setdefault(task.slot_key, []).append(task)
            for tasks in slots.values():
                finished = [t for t in tasks if t.status.state.terminal]
                assert len(finished) <= 7, self.cluster.describe()

    def teardown(self):
        try:
            if self.cluster is not None:
                self.play(self._end())
        finally:
            self.runner.close()

    async def _end(self):
        for name in self.services():
            await self.cluster.api.remove_service(name)
        await self.cluster.until(lambda: not self.cluster.tasks())
        await self.cluster.settle(5)
        assert not any(host.containers for host in self.cluster.hosts.values())
        self.cluster.assert_sound()
        await self.cluster.stop()

    def services(self):
        async def listed():
            return {s.spec.name: s for s in await self.cluster.api.list_services()}

        if self.cluster is None:
            return {}
        if self.runner.get_loop().is_running():
            return {
                s.spec.name: s
                for s in self.cluster.store.view(lambda v: list(v.all(Service)))
                if not s.pending_delete
            }
        return self.play(listed())

    def pick(self, which):
        there = list(self.services())
        return there[which % len(there)] if there else None

    def edit(self, which, change):
        if (name := self.pick(which)) is not None:
            self.play(self.refused(self.cluster.change(name, change)))


def _healed(spec):
    template = spec.task_template.replaced(restart_policy=None)
    spec = with_image(spec.replaced(task_template=template), "good:1")
    return spec.replaced(update_config=UpdateConfig(), rollback_config=None)


def test_state_machine():
    examples = int(os.environ.get("HIVELET_SIM_EXAMPLES", "15"))
    run_state_machine_as_test(
        ClusterMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize="HIVELET_SIM_EXAMPLES" not in os.environ,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
