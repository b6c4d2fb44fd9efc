"""The named points: each at one place of the source, deadly at the passage that was asked for, harmless otherwise."""

from __future__ import annotations

import collections
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hivelet
from hivelet.kit.failpoints import ENVIRONMENT, POINTS, UnknownPoint, point, read_setting

SOURCE = Path(hivelet.__file__).parent


def test_each_point_is_passed_at_exactly_one_place() -> None:
    """A name in the table without a place would never be tested, and one with two would hide the second."""
    found = collections.Counter(
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'\bpoint\("([^"]+)"\)', path.read_text())
    )
    assert found == dict.fromkeys(POINTS, 1)


@pytest.mark.parametrize(
    ("setting", "read"),
    [("file.rename", ("file.rename", 1)), ("file.rename:3", ("file.rename", 3))],
)
def test_a_setting_is_read(setting: str, read: tuple[str, int]) -> None:
    """NAME, or NAME:N."""
    assert read_setting(setting) == read


@pytest.mark.parametrize("setting", ["", "no.such", "file.rename:0", "file.rename:x", "no.such:1"])
def test_a_wrong_setting_is_refused(setting: str) -> None:
    """A test that asks for a point that there is not must not pass."""
    with pytest.raises(UnknownPoint, match=ENVIRONMENT):
        read_setting(setting)


def test_a_point_does_nothing_unless_it_is_asked_for() -> None:
    """As here, in this process."""
    for name in POINTS:
        point(name)


@pytest.mark.parametrize(("setting", "alive"), [("file.rename", 0), ("file.rename:3", 2)])
def test_it_is_deadly_at_its_passage(setting: str, alive: int) -> None:
    """Another point's passages are not counted."""
    program = (
        "from hivelet.kit.failpoints import point\n"
        "for n in range(9):\n"
        " point('file.renamed'); point('file.rename'); print(n, flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={ENVIRONMENT: setting, "PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == [str(n) for n in range(alive)]
