"""Every table and template of the lists, letter by letter as the docker CLI prints it (see `record_goldens.py`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon
from seeded import COMMANDS, seed

from hivelet.cli.main import run
from hivelet.cli.session import Session

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"


def without_moments(text: str) -> str:
    """Moments depend on when the tests run."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "MOMENT", text)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDaemon]:
    """One daemon for all: these commands only read."""
    fake = FakeDaemon(tmp_path_factory.mktemp("d") / "socket")
    seed(fake)
    yield fake
    fake.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_prints_what_docker_prints(name, swarm, capfd) -> None:
    code, _, text = (GOLDEN / f"{name}.txt").read_text().partition("\n")
    status = run(COMMANDS[name], Session(host=swarm.host, environment={}))
    assert without_moments(capfd.readouterr().out) == without_moments(text)
    assert status == int(code)
