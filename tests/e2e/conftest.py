"""Fixtures of the end-to-end tests: a private machine, hiveletd in it, a swarm with small images, command lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import programs
from harness.cli import Cli, make_cli
from harness.daemons import Daemon, Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

REFERENCE_IMAGES = [
    programs.CACHE / "images" / name for name in ("rabbitmq_3.tar", "myweb_latest.tar")
]

# Where a test only asks what Docker Swarm does as well, the real engine can be put in hiveletd's place, as the oracle:
# HIVELET_TEST_ENGINE=dockerd pytest tests/e2e/test_removal.py
ENGINE: type[Daemon] = {"hiveletd": Hiveletd, "dockerd": Dockerd}[
    os.environ.get("HIVELET_TEST_ENGINE", "hiveletd")
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root there are no namespaces; say so instead of failing in each test."""
    if os.geteuid() != 0:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(
                    pytest.mark.skip(reason="end-to-end tests make namespaces, which needs root")
                )


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A private machine, which is proven empty at the end."""
    with Machine("e2e") as machine:
        yield machine


@pytest.fixture
def hiveletd(machine: Machine) -> Iterator[Daemon]:
    """A running daemon; a test may stop, kill and restart it."""
    daemon = ENGINE(machine)
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0, "hiveletd did not end well on SIGTERM"


@pytest.fixture
def docker(machine: Machine, hiveletd: Daemon) -> Cli:
    """Debian's docker command line: the unmodified one that is always there."""
    return make_cli("docker-20", hiveletd.host, machine.dir)


@pytest.fixture
def hivelet_cli(machine: Machine, hiveletd: Daemon) -> Cli:
    """The hivelet command line."""
    return make_cli("hivelet", hiveletd.host, machine.dir)


@pytest.fixture
def swarm(machine: Machine, hiveletd: Daemon, docker: Cli) -> Swarm:
    """A swarm of one node with the images bb:latest and web:latest."""
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    return Swarm(machine, hiveletd, docker)


@pytest.fixture(scope="session")
def reference() -> Iterator[Swarm]:
    """One daemon with the images of the reference application; each test begins and leaves its swarm."""
    missing = [path for path in REFERENCE_IMAGES if not path.exists()]
    if missing:
        pytest.skip(f"{missing[0]} is not there; build it with examples/annotation/build-images")
    with Machine("ref") as machine:
        daemon = ENGINE(machine)
        daemon.start()
        cli = make_cli("docker-20", daemon.host, machine.dir)
        for path in REFERENCE_IMAGES:
            cli("load", "--input", str(path), timeout=120)
        yield Swarm(machine, daemon, cli)
        if daemon.running:
            assert daemon.stop() == 0, "hiveletd did not end well on SIGTERM"


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
