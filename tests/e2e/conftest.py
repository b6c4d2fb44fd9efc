"""Fixtures of the end-to-end tests: a private machine, hiveletd in it, a swarm with small images, command lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import programs
from harness.cli import Cli
from harness.daemons import Daemon, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

CLIS = ("docker-28", "docker-20", "hivelet")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root there are no namespaces; say so instead of failing in each test."""
    if os.geteuid() != 0:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(
                    pytest.mark.skip(reason="end-to-end tests make namespaces, which needs root")
                )


def make_cli(name: str, host: str, home: Path) -> Cli:
    """One of CLIS; skips the test where it is not on this machine."""
    if name == "hivelet":
        return Cli(name, programs.hivelet(), host, home)
    path = programs.NEW_DOCKER if name == "docker-28" else programs.old_docker()
    if not path.exists():
        pytest.skip(
            f"{path} is not there; HIVELET_TEST_DOCKER_CLI may name a docker command line 28 elsewhere"
        )
    return Cli(name, [str(path)], host, home)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A private machine, which is proven empty at the end."""
    with Machine("e2e") as machine:
        yield machine


@pytest.fixture
def hiveletd(machine: Machine) -> Iterator[Hiveletd]:
    """A running daemon; a test may stop, kill and restart it."""
    daemon = Hiveletd(machine)
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0, "hiveletd did not end well on SIGTERM"


@pytest.fixture
def docker(machine: Machine, hiveletd: Hiveletd) -> Cli:
    """Debian's docker command line: the unmodified one that is always there."""
    return make_cli("docker-20", hiveletd.host, machine.dir)


@pytest.fixture
def hivelet_cli(machine: Machine, hiveletd: Hiveletd) -> Cli:
    """The hivelet command line."""
    return make_cli("hivelet", hiveletd.host, machine.dir)


@pytest.fixture
def swarm(machine: Machine, hiveletd: Hiveletd, docker: Cli) -> Swarm:
    """A swarm of one node with the images bb:latest and web:latest."""
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    return Swarm(machine, hiveletd, docker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the daemon and its services looked like."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" and report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Daemon):
                report.sections.append((f"{name}: the end of its log", value.log_tail(80)))
            if isinstance(value, Swarm) and value.daemon.running:
                report.sections.append((f"{name}: services and tasks", value.story()))
    return report  # type: ignore[return-value]
