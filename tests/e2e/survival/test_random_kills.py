"""hiveletd killed at random instants, also while it starts, while services are made, updated, scaled and removed under traffic."""

from __future__ import annotations

import os
import random
import signal
import threading

import pytest
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.life import DaemonDied, Life
from harness.preloaded import Preloaded
from harness.swarm import Swarm

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
KILLS = int(os.environ.get("HIVELET_TEST_KILLS", "300" if LONG else "12"))
WHILE_STARTING = 0.2
"""How many of the kills come before the daemon is ready."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(14400 if LONG else 600)]


def test_killed_at_random(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """The seed is printed; HIVELET_TEST_SEED repeats the instants."""
    seed = int(os.environ.get("HIVELET_TEST_SEED") or random.randrange(1 << 32))
    print(f"HIVELET_TEST_SEED={seed}")
    instants = random.Random(seed)
    with Life(swarm, hiveletd) as life:
        hiveletd.stop()
        hiveletd.preloaded = Preloaded(swarm.machine)
        for _ in range(KILLS):
            live_until(life, instants.random() < WHILE_STARTING, instants.random())
        assert life.revive("the end")
        life.finish_round()
    assert life.lost == []
    assert life.deaths.count == KILLS
    measured(
        "hiveletd is killed at a random instant",
        injected=life.deaths.count,
        requests=life.requests,
        lost=len(life.lost),
        seconds=life.deaths.slowest,
    )


def live_until(life: Life, starting: bool, instant: float) -> None:
    """Start the daemon and live until it is killed: at a part of the time that it needs to start, or soon after that."""
    delay = instant * (life.started_in or 1.0 if starting else 2.0)
    where = f"{delay:.3f} s after {'its start' if starting else 'it was ready'}"
    timer = threading.Timer(delay, lambda: kill(life.daemon))
    if starting:
        timer.start()
    try:
        if not life.revive(where, fatal=starting, ready=None if starting else timer.start):
            return
        while True:
            life.step()
            if life.at_beginning:
                life.check_leftovers()
    except DaemonDied:
        life.died(where)
    finally:
        if timer.is_alive():
            timer.join()


def kill(daemon: Hiveletd) -> None:
    """SIGKILL, once there is a process."""
    while not daemon.running:
        threading.Event().wait(0.005)
    daemon.process.send(signal.SIGKILL)  # type: ignore[union-attr]
