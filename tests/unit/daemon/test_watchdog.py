import pytest

from hivelet.daemon.notify import watchdog_seconds
from hivelet.daemon.watchdog import Watchdog
from hivelet.kit.pulse import Pulse
from hivelet.testing.clock import ManualClock
from hivelet.testing.sample import MOMENT


class Dog:
    """A watchdog over one pulse, and what it has told."""

    def __init__(self):
        self.work = False
        self.pulses = {"scheduler": Pulse(lambda: self.work)}
        self.told = []
        self.dog = Watchdog(lambda: self.pulses, 60.0, self.told.append, ManualClock(MOMENT))

    def look(self):
        before = len(self.told)
        self.dog.look()
        return len(self.told) > before


def test_rest_is_no_hang():
    dog = Dog()
    assert [dog.look() for _ in range(4)] == [True] * 4
    assert dog.told == ["WATCHDOG=1"] * 4


def test_work_that_is_got_on_with():
    dog = Dog()
    dog.work = True
    for _ in range(4):
        assert dog.look()
        dog.pulses["scheduler"].turn()


def test_work_that_nobody_does():
    dog = Dog()
    dog.work = True
    assert dog.look(), "it may have come this very moment"
    assert not dog.look()
    assert not dog.look()
    dog.pulses["scheduler"].turn()
    assert dog.look(), "it goes on"


def test_a_loop_that_was_built_anew_is_another():
    dog = Dog()
    dog.work = True
    assert dog.look()
    dog.pulses["scheduler"] = Pulse(lambda: True)
    assert dog.look()
    assert not dog.look()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("60000000", None, 60.0),
        (None, None, None),
        ("0", None, None),
        ("x", None, None),
        ("5", "1", None),
    ],
)
def test_what_the_service_manager_asks_for(monkeypatch, usec, pid, seconds):
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds
