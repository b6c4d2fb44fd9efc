"""The frame of the state machine: a cluster, what has been acknowledged to its users, and what must always hold.

The rules are in `sim_users` (all that people do) and `sim_world` (all that happens to them).
"""

import asyncio

import hypothesis.strategies as st
import structlog
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sim_specs import BAD, GOOD, NODE

from hivelet.errors import HiveletError
from hivelet.objects.network import Network
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.store.watch import at_once
from hivelet.testing.cluster import SimulatedCluster, overlay
from hivelet.testing.fragile import FragileJournal
from hivelet.testing.runtime import FakeHost
from hivelet.testing.virtual_time import SleepyWaker, VirtualTimeLoop

MOST_FINISHED = 7
"""Finished tasks of one slot: the history limit of 5, and those whose successor has just been made."""

WORKERS = ("red", "blue")


class Defects:
    """Collects what a loop, an agent or the store cried out; a cluster in order says nothing at that level."""

    def __init__(self):
        self.found = []

    def __call__(self, logger, method, event):
        if method in ("error", "critical", "exception"):
            self.found.append(str({**event, "exc_info": repr(event.get("exc_info"))}))
        raise structlog.DropEvent


class Machine(RuleBasedStateMachine):
    """Three nodes. Whatever is told by `note` is the story that Hypothesis prints of a failure."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.cluster = None
        self.acknowledged = {}
        self.removed = set()
        self.defects = Defects()
        structlog.configure(processors=[self.defects], cache_logger_on_first_use=False)

    @initialize(sleepiness=st.none() | st.integers(0, 2**16))
    def begin(self, sleepiness):
        waker = at_once if sleepiness is None else SleepyWaker(sleepiness)

        async def work():
            self.cluster = SimulatedCluster(journal=FragileJournal(0.002), waker=waker)
            await self.cluster.start()
            for name in WORKERS:
                await self.cluster.add_node(name, FakeHost(name))
            for host in self.cluster.hosts.values():
                host.scripts.update(GOOD | BAD)
                host.resources = NODE
            await self.cluster.crash()
            await self.cluster.recover()
            await self.cluster.api.create_network(overlay("net"))
            await self.cluster.settle(1)

        self.play(work())

    def teardown(self):
        try:
            if self.cluster is not None:
                self.play(self._end())
        finally:
            self.runner.close()
            structlog.reset_defaults()

    async def _end(self):
        cluster = self.cluster
        cluster.journal.relent()
        if cluster.crashed:
            await self.come_back()
        await self.all_nodes_return()
        for service in self.services().values():
            await cluster.api.remove_service(service.id)
        await cluster.until(lambda: not cluster.tasks())
        await cluster.settle(5)
        assert not any(host.containers for host in cluster.hosts.values()), cluster.describe()
        cluster.assert_sound()
        await cluster.stop()

    # ---- what the rules are made of

    def play(self, work):
        """Let something happen, on the cluster's own time."""
        return self.runner.run(work)

    def told(self, text):
        note(f"    {self.play(self._now()):%H:%M:%S.%f}  {text}")

    async def _now(self):
        return self.cluster.clock.now()

    def ask(self, text, request, *, makes=None, removes=None):
        """A user's request: refused with a sentence, acknowledged for good, or cut off by the daemon's death."""
        self.told(text)

        async def work():
            try:
                answer = await self.cluster.attempt(request)
            except HiveletError as error:
                return f"refused: {error.message or 'without a word'}"
            if self.cluster.crashed:
                # Done or not: nobody was promised anything.
                self.acknowledged.pop(removes, None)
                await self.come_back()
                return "the daemon died before it could answer"
            if makes is not None:
                self.acknowledge_change(makes, str(getattr(answer, "id", answer)))
            if removes is not None:
                self.acknowledged.pop(removes, None)
                self.removed.add(removes)
            return "done"

        outcome = self.play(work())
        note(f"        {outcome}")
        assert outcome != "refused: without a word"
        return outcome == "done"

    def acknowledge_change(self, kind, id_):
        obj = self.cluster.store.view(lambda view: view.get(kind, id_))
        if obj is not None:
            self.acknowledged[id_] = (kind, obj.meta.version.index)

    async def come_back(self):
        await self.cluster.crash()
        await self.cluster.recover()

    async def all_nodes_return(self):
        for node_id in list(self.cluster.silent):
            await self.cluster.boot_node(node_id)

    def services(self):
        listed = self.cluster.store.view(lambda view: list(view.all(Service)))
        return {s.spec.name: s for s in listed if not s.pending_delete}

    def pick(self, number, among):
        there = list(among)
        return there[number % len(there)] if there else None

    # ---- what always holds

    @invariant()
    def nothing_is_unsound(self):
        if self.cluster is None:
            return
        if self.cluster.crashed:
            # The world's own write met the end of the daemon.
            self.told("the daemon is found dead, and starts again")
            self.play(self.come_back())
        assert not self.defects.found, "\n".join(self.defects.found)
        self.cluster.assert_sound()

    @invariant()
    def no_acknowledged_write_is_lost(self):
        if self.cluster is None:
            return
        view = self.cluster.store.view
        for id_, (kind, version) in self.acknowledged.items():
            obj = view(lambda v, k=kind, i=id_: v.get(k, i))
            assert obj is not None, f"{kind.__name__} {id_} is gone\n{self.cluster.describe()}"
            assert obj.meta.version.index >= version, f"{kind.__name__} {id_} is as it was before"
        for kind in (Service, Network, Secret, Config):
            for obj in view(lambda v, k=kind: list(v.all(k))):
                undone = obj.id in self.removed and not getattr(obj, "pending_delete", False)
                assert not undone, f"{kind.__name__} {obj.id} came back"

    @invariant()
    def history_is_bounded(self):
        if self.cluster is None:
            return
        slots = {}
        for task in self.cluster.tasks():
            slots.setdefault((task.slot_key, task.node_id), []).append(task)
        for tasks in slots.values():
            finished = [task for task in tasks if task.status.state.terminal]
            assert len(finished) <= MOST_FINISHED, self.cluster.describe()
