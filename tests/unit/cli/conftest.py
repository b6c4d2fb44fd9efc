from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_daemon import FakeDaemon

from hivelet.cli.main import run
from hivelet.cli.session import Session


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path_factory.mktemp("d") / "socket")
    yield fake
    fake.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hivelet(
    daemon: FakeDaemon, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Runs a command line against the fake daemon."""

    def invoke(
        *arguments: str, environment: dict[str, str] | None = None, host: str | None = None
    ) -> Result:
        session = Session(
            host=host or daemon.host,
            environment=environment or {},
            sleep=clock.sleep,
            monotonic=clock.monotonic,
        )
        capfd.readouterr()
        code = run(arguments, session)
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return invoke
