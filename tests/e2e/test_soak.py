"""A year in short: services are deployed, updated, killed, scaled and removed, hiveletd is killed, while clients ask and ask.

Ten minutes of it, or with HIVELET_TEST_LONG=1 an hour; HIVELET_SOAK_SECONDS says otherwise. No request of the service
that is updated all the while is lost, the machine holds the same number of everything after each season, and the daemon stays
below the ceilings that docs/faults.md publishes.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

import pytest
from harness.figures import measured
from harness.native import IMAGE, PORT, Client, import_http
from harness.swarm import Swarm
from harness.waiting import wait_until
from harness.weight import MIB, Weight, census, weigh

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
SECONDS = float(os.environ.get("HIVELET_SOAK_SECONDS") or (3600 if LONG else 600))
PUBLISHED = 8080
RATE = 150
"""Requests a second."""
WARMING = 2
"""Seasons before the first look: pools of threads grow, histories of tasks fill."""

CEILINGS = Weight(
    memory=120_000_000,
    descriptors=120,
    threads=24,
    disk=64 * MIB,
    store=8 * MIB,
    connections=65536,
)
"""What a daemon with a handful of services never passes; published in docs/faults.md."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 400)]


@dataclass
class Soak:
    """A swarm, and what has been done to it."""

    swarm: Swarm
    seasons: int = 0
    killed: int = 0
    heaviest: int = 0
    slowest: float = 0.0
    lives: list[str] = field(default_factory=list)

    def season(self) -> None:
        """Everything once; returns when nothing of it is left."""
        self.seasons += 1
        name = f"extra{self.seasons}"
        cli, swarm = self.swarm.cli, self.swarm
        cli("network", "create", "--driver", "overlay", name)
        cli("config", "create", name, "-", stdin="x")
        options = ("--network", name, "--config", name, "--stop-grace-period", "1s")
        swarm.create(name, 2, *options, image=IMAGE)
        self.update("front")
        self.kill_task(name)
        if self.seasons % 2 == 0:
            self.kill_daemon()
        for replicas in (4, 1):
            cli("service", "scale", "--detach", f"{name}={replicas}")
            swarm.until_running(name, replicas)
        cli("service", "rm", name)
        swarm.until_gone(name)
        cli("config", "rm", name)
        wait_until(
            lambda: cli("network", "rm", name, status=None).status == 0,
            timeout=30,
            what="its network is gone",
        )

    def update(self, name: str) -> None:
        """A rolling update to its end."""
        self.swarm.cli("service", "update", "--detach", "--env-add", f"N={self.seasons}", name)

        def done() -> bool:
            with self.swarm.api() as api:
                service = api.inspect_service(name)
            env = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", [])
            return f"N={self.seasons}" in env and service["UpdateStatus"]["State"] == "completed"

        wait_until(done, timeout=90, what=f"{name} is updated", evidence=self.swarm.story)

    def kill_task(self, name: str) -> None:
        """SIGKILL for one replica, and wait for its successor."""
        before = self.swarm.task_ids(name)
        task = self.swarm.tasks(name, running=True)[0]
        begun = time.monotonic()
        os.kill(self.swarm.machine.host_pid(self.swarm.process(task)), signal.SIGKILL)
        wait_until(
            lambda: len(now := self.swarm.task_ids(name)) == len(before) and now != before,
            timeout=60,
            what="the killed replica is replaced",
            evidence=self.swarm.story,
        )
        self.killed += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def kill_daemon(self) -> None:
        """SIGKILL for hiveletd; what runs is adopted."""
        before = self.swarm.task_ids("front")
        self.note()
        begun = time.monotonic()
        self.swarm.daemon.kill()
        self.swarm.daemon.start()
        wait_until(
            lambda: self.swarm.task_ids("front") == before,
            timeout=60,
            what="all tasks are adopted",
            evidence=self.swarm.story,
        )
        self.killed += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def note(self) -> Weight:
        """Weigh the daemon, and hold it against the ceilings."""
        weight = weigh(self.swarm)
        self.lives.append(f"after season {self.seasons}: {weight}")
        self.heaviest = max(self.heaviest, weight.memory)
        for name in CEILINGS.__dataclass_fields__:
            assert getattr(weight, name) < getattr(CEILINGS, name), f"{name}: {weight}"
        return weight


def settled(swarm: Swarm, wanted: dict[str, int]) -> None:
    """Wait until the machine holds no more than that; removal goes on after the answer."""

    def more() -> dict[str, tuple[int, int]]:
        now = census(swarm)
        return {kind: (wanted[kind], now[kind]) for kind in wanted if now[kind] > wanted[kind]}

    wait_until(
        lambda: not more(),
        timeout=60,
        what="the machine holds as much as before",
        evidence=lambda: repr(more()),
    )


def test_a_year_of_running(swarm: Swarm) -> None:
    import_http(swarm.cli, swarm.machine.dir)
    # Two attempts of a slot are remembered, so that histories are full before the first look.
    swarm.cli("swarm", "update", "--task-history-limit", "2")
    options = ("--publish", f"{PUBLISHED}:{PORT}", "--stop-grace-period", "2s")
    swarm.create("front", 3, *options, image=IMAGE)
    client = Client(swarm.machine, "127.0.0.1", "close", port=PUBLISHED)
    client.start(connections=8, rate=RATE)
    soak = Soak(swarm)
    for _ in range(WARMING):
        soak.season()
    wanted, first = census(swarm), soak.note()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        soak.season()
        settled(swarm, wanted)
    last = soak.note()
    counts = client.finish()
    story = "\n".join(
        [*soak.lives, f"{soak.seasons} seasons, {counts.good} requests, {counts.classes}"]
    )
    print(story)
    assert counts.failed == 0, f"{counts.failures[:5]}\n{story}"
    assert counts.good > RATE * SECONDS / 2, story
    assert soak.seasons > WARMING + 1, story
    assert last.disk - first.disk < 2 * MIB, story
    measured(
        "a year of running",
        injected=soak.killed,
        requests=counts.good,
        lost=counts.failed,
        seconds=soak.slowest,
    )
