"""hiveletd killed at every point where it changes something that outlives it, one point after the other, under traffic."""

from __future__ import annotations

import os

import pytest
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.life import DaemonDied, Life
from harness.preloaded import Preloaded
from harness.swarm import Swarm

from hivelet.kit.failpoints import ENVIRONMENT, POINTS

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
PASSAGES = (1, 2, 3, 5, 8, 13) if LONG else (1,)
ROUNDS = 2 if LONG else 3
"""So many rounds of a life pass every point; a passage that takes more than these is not waited for."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(14400 if LONG else 900)]


def test_killed_at_every_point(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """No acknowledged write is lost, no container stops, no request fails, and nothing is left over."""
    never: list[str] = []
    with Life(swarm, hiveletd) as life:
        hiveletd.stop()
        hiveletd.preloaded = Preloaded(swarm.machine)
        for passage in PASSAGES:
            missed = [name for name in POINTS if not dies_at(life, f"{name}:{passage}")]
            never += missed if passage == 1 else []
        assert life.revive("the end")
        life.finish_round()
    assert never == [], "nothing passes these points"
    assert life.lost == []
    measured(
        "hiveletd is killed at a write",
        injected=life.deaths.count,
        requests=life.requests,
        lost=len(life.lost),
    )


def dies_at(life: Life, setting: str) -> bool:
    """Live until the daemon has died at a point; False where it does not within some rounds."""
    if not life.revive(setting, {ENVIRONMENT: setting}):
        return True
    try:
        for _ in range(ROUNDS):
            life.step()
            life.finish_round()
    except DaemonDied:
        life.died(setting)
        return True
    life.daemon.stop()
    return False
