"""Nothing grows without bound: a month of crash loops in virtual time, on the real journal's file."""

import asyncio
import sqlite3

import pytest

from hivelet.objects.cluster import DispatcherConfig, OrchestrationConfig
from hivelet.objects.service import GlobalMode, ServiceMode
from hivelet.objects.swarm import SwarmRotation
from hivelet.objects.task import RestartPolicy, Task, TaskState
from hivelet.store.journal import MemoryJournal, Saved
from hivelet.store.state_file import StateFile
from hivelet.store.tables import KINDS
from hivelet.testing.cluster import SimulatedCluster, forced, replicated
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual

HOUR = 3600
DAY = 24 * HOUR
SECOND = 10**9


class FileJournal(MemoryJournal):
    """The real journal's file, written by the thread that asks: virtual time does not wait for another."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self._file = StateFile(path)
        self._taken = []

    async def load(self, unlock_key=""):
        found = self._file.open(unlock_key)
        assert found == Saved(0, ())
        return found

    def append(self, entry):
        self._taken.append(entry)
        if len(self._taken) >= 200:
            self.flush()
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def hurry(self):
        """There is nothing to wait for."""

    def flush(self):
        if self._taken:
            self._file.write(self._taken)
            self._taken = []

    async def close(self):
        self.flush()
        self._file.close()

    def size(self):
        """Bytes of the file and of what SQLite keeps beside it."""
        self.flush()
        return sum(part.stat().st_size for part in self.path.parent.glob(f"{self.path.name}*"))

    def rows(self):
        with sqlite3.connect(self.path) as reader:
            ((count,),) = reader.execute("SELECT count(*) FROM objects")
        reader.close()
        return count


def crashing(name, image, delay=None, **how):
    """A service whose tasks end by themselves, and are restarted for ever."""
    spec = replicated(name, 1, image=image)
    restart = RestartPolicy(condition="any", delay=delay)
    template = spec.task_template.replaced(restart_policy=restart)
    return spec.replaced(task_template=template, **how)


def counted(cluster):
    """What might grow: objects of each kind, containers, and what the process itself holds."""
    kinds = {k.__name__: cluster.store.view(lambda v, k=k: len(list(v.all(k)))) for k in KINDS}
    containers = sum(len(host.containers) for host in cluster.hosts.values())
    return {**kinds, "containers": containers, "background": len(asyncio.all_tasks())}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_month_of_crash_loops_leaves_the_store_as_it_was(tmp_path):
    journal = FileJournal(tmp_path / "cluster.db")
    days = []

    async def play():
        cluster = SimulatedCluster(journal=journal, checking=False)
        await cluster.start()
        host = next(iter(cluster.hosts.values()))
        host.scripts["steady:1"] = Script(exits_after=2 * HOUR, exit_code=1)
        host.scripts["hasty:1"] = Script(exits_after=0.5, exit_code=3)
        host.scripts["none:1"] = Script(missing=True)
        # Half a million heartbeats would take most of the test's time, and write nothing.
        await set_swarm(cluster, dispatcher=DispatcherConfig(heartbeat_period=HOUR * SECOND))
        try:
            await cluster.create(crashing("steady", "steady:1"))
            await cluster.create(crashing("hasty", "hasty:1", delay=4 * HOUR * SECOND))
            await cluster.create(crashing("none", "none:1", delay=6 * HOUR * SECOND))
            every = ServiceMode(global_=GlobalMode())
            await cluster.create(crashing("every", "steady:1", 2 * HOUR * SECOND, mode=every))
            await cluster.create(replicated("good", 2))
            for _ in range(30):
                await cluster.change("good", forced)
                await cluster.settle(DAY)
                days.append({**counted(cluster), "rows": journal.rows(), "bytes": journal.size()})
            cluster.assert_sound()
        finally:
            await cluster.stop()
            await cluster.store.close()

    run_virtual(play())
    # A week fills every history; three more weeks add nothing.
    first, later = days[:7], days[7:]
    for what in days[0].keys() - {"bytes"}:
        assert max(day[what] for day in later) <= max(day[what] for day in first), what
    # SQLite's log fills up to a thousand pages of 4 KiB before it is written back and begun anew.
    assert max(day["bytes"] for day in days) < 6 * 2**20


def test_another_history_limit_holds_from_the_moment_it_is_set():
    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        host = next(iter(cluster.hosts.values()))
        host.scripts["crash:1"] = Script(exits_after=1, exit_code=1)
        try:
            await cluster.create(crashing("web", "crash:1", delay=10 * SECOND))
            await cluster.settle(100)
            assert len(settled(cluster)) == 5
            await limit_history(cluster, 2)
            # Without waiting for the next crash.
            await cluster.until(lambda: len(cluster.tasks()) == 2, within=1)
            await cluster.settle(60)
            assert len(settled(cluster)) == 2
            await limit_history(cluster, 8)
            await cluster.settle(120)
            assert len(settled(cluster)) == 8
            await limit_history(cluster, -1)
            await cluster.settle(120)
            assert len(settled(cluster)) > 16
            await limit_history(cluster, 0)
            await cluster.until(lambda: len(cluster.tasks()) == 1, within=1)
            (left,) = cluster.tasks()
            assert left.wanted
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


async def limit_history(cluster, limit):
    """`docker swarm update --task-history-limit`."""
    await set_swarm(cluster, orchestration=OrchestrationConfig(task_history_retention_limit=limit))


async def set_swarm(cluster, **changes):
    found = await cluster.api.inspect_swarm()
    spec = found.spec.replaced(**changes)
    await cluster.api.update_swarm(found.meta.version.index, spec, SwarmRotation())


def settled(cluster):
    """The slot's tasks; a predecessor that is only now going down counts when it has."""
    tasks: list[Task] = cluster.tasks("web")
    assert sum(t.status.state is TaskState.RUNNING for t in tasks) <= 1
    return tasks
