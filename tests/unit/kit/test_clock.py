"""Time never goes back and never stands still, whatever becomes of the wall clock."""

from datetime import UTC, datetime, timedelta

import pytest

from hivelet.kit.clock import SystemClock


class Machine:
    def __init__(self):
        self.wall, self.steady = 1_700_000_000.0, 50.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.steady)

    def passes(self, seconds):
        self.wall += seconds
        self.steady += seconds

    def told(self):
        return self.clock.now().timestamp()


def test_it_tells_the_wall_clocks_time():
    machine = Machine()
    assert machine.clock.now() == datetime.fromtimestamp(1_700_000_000, UTC)
    machine.passes(10)
    assert machine.told() == pytest.approx(1_700_000_010)


def test_a_wall_clock_put_back_is_waited_for_at_the_steady_pace():
    machine = Machine()
    before = machine.told()
    machine.wall -= 3600
    assert machine.told() == pytest.approx(before)
    machine.passes(7)
    assert machine.told() == pytest.approx(before + 7)
    machine.wall += 3600
    assert machine.told() == pytest.approx(before + 7)
    machine.passes(1)
    assert machine.told() == pytest.approx(before + 8)


def test_a_wall_clock_put_forward_is_followed():
    machine = Machine()
    before = machine.told()
    machine.wall += 3600
    assert machine.told() == pytest.approx(before + 3600)


def test_a_restart_goes_on_after_the_last_write():
    machine = Machine()
    last = machine.clock.now() + timedelta(seconds=90)
    assert machine.clock.not_before(last) == pytest.approx(90)
    assert machine.clock.now() == last
    assert machine.clock.not_before(last - timedelta(seconds=5)) == 0
    machine.passes(2)
    assert machine.told() == pytest.approx(last.timestamp() + 2)
