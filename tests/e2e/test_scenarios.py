"""Scenes of a swarm's life go as they went on the real Docker Swarm, but for the differences that are accepted with a reason."""

from __future__ import annotations

import pytest
from harness.daemons import Hiveletd
from harness.machine import Machine
from scenarios.accepted import ACCEPTED
from scenarios.compare import differences
from scenarios.play import SCENARIOS, play, prepare, recorded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def found():
    """What differs, in all scenarios, which are played at once."""
    with Machine("scenarios") as machine:
        daemon = Hiveletd(machine)
        prepare(machine, daemon)
        records = dict(play(daemon, SCENARIOS))
        assert daemon.stop() == 0
    assert len(records) >= 30
    return {name: differences(name, recorded(name), record) for name, record in records.items()}


@pytest.mark.parametrize("name", [one.name for one in SCENARIOS])
def test_scenario(found, name):
    wrong = [d for d in found[name] if not any(accepted.fits(d) for accepted in ACCEPTED)]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_accepted_difference_occurs(found):
    seen = [difference for those in found.values() for difference in those]
    assert [a for a in ACCEPTED if not any(map(a.fits, seen))] == []
