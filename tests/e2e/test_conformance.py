"""The recorded scenes of containers, networks and the node, played to hiveletd: the same shapes, statuses and messages.

What differs and is meant is in `tests/conformance/accepted.json`, each with its reason.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness.daemons import Daemon
from harness.machine import Machine

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

from compare import compare_scene, reason_for
from record_engine import play
from scenes_containers import SCENES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_the_same_questions_have_the_same_kind_of_answer(
    machine: Machine, hiveletd: Daemon
) -> None:
    folder = machine.dir / "played"
    play(hiveletd.host.removeprefix("unix://"), folder)
    found = [line for scene in SCENES for line in compare_scene(folder / f"{scene.__name__}.json")]
    unmeant = [line for line in found if not reason_for(line)]
    assert not unmeant, "\n".join(unmeant)
