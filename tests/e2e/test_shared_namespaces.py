"""`docker run` with the namespaces of another container or of the host: names, shared memory, and who lends nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def cli(machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """The docker command line, and a container `lender` that shares its memory."""
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    script = "echo shared >/dev/shm/file; exec sleep 1000"
    cli("run", "-d", "--name", "lender", "--ipc", "shareable", "--shm-size", "8m", "bb", "sh", "-c", script)  # fmt: skip
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", line)


def test_shared_memory(cli: Cli, hiveletd: Daemon) -> None:
    joined = ["run", "--rm", "--ipc", "container:lender", "bb"]
    assert cli(*joined, "cat", "/dev/shm/file").out == "shared\n"
    assert "size=8192k" in cli(*joined, "grep", " /dev/shm ", "/proc/mounts").out
    hiveletd.kill()
    hiveletd.start()
    cli("run", "-d", "--name", "heir", "--ipc", "container:lender", "bb", "sleep", "1000")
    assert cli("run", "--rm", "--ipc", "container:heir", "bb", "cat", "/dev/shm/file").out == "shared\n"  # fmt: skip
    cli("restart", "-t", "0", "lender")
    assert cli("exec", "lender", "cat", "/dev/shm/file").out == "shared\n"
    cli("run", "-d", "--name", "alone", "bb", "sleep", "1000")
    assert "non-shareable IPC" in cli.fails("run", "--ipc", "container:alone", "bb", "true").err


def test_names_are_those_of_the_network(cli: Cli) -> None:
    mine = cli("inspect", "-f", "{{.Config.Hostname}}", "lender").out.strip()
    joined = ["run", "--rm", "--network", "container:lender", "bb"]
    assert cli(*joined, "hostname").out.strip() == mine
    assert cli(*joined, "hostname", "-i").out == cli("exec", "lender", "hostname", "-i").out
    hosts = ["run", "--rm", "--network", "host"]
    assert cli(*hosts, "bb", "hostname").out.strip() == socket.gethostname()
    assert cli(*hosts, "--hostname", "other", "bb", "hostname").out == "other\n"


def test_what_is_no_limit_of_this_machine_is_refused(cli: Cli) -> None:
    assert "Range of CPUs is from 0.01" in cli.fails("run", "--cpus", "-1", "bb", "true").err
    cli("create", "--name", "unlimited", "bb", "true")
    found = cli("inspect", "-f", "{{.HostConfig.PidsLimit}} {{.HostConfig.MemorySwappiness}}", "unlimited")  # fmt: skip
    assert found.out == "<nil> <nil>\n"
