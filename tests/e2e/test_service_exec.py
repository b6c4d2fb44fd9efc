"""`hivelet service exec` on hivelet's own daemon and on a Docker engine in swarm mode: the same words, the same ends."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import time
from collections.abc import Iterator

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon, Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module", params=[Hiveletd, Dockerd], ids=["hiveletd", "dockerd"])
def engine(request: pytest.FixtureRequest) -> Iterator[tuple[Cli, Swarm]]:
    """A swarm with a service of two replicas, and the hivelet command line."""
    with Machine("exec") as machine:
        daemon: Daemon = request.param(machine)
        daemon.start()
        docker = make_cli("docker-20", daemon.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("swarm", "init")
        swarm = Swarm(machine, daemon, docker)
        swarm.create("web", 2, "--env", "FROM=service")
        yield make_cli("hivelet", daemon.host, machine.dir), swarm
        docker("service", "rm", "web")
        swarm.until_gone("web")
        assert daemon.stop() == 0


def test_by_service_slot_and_task(engine: tuple[Cli, Swarm]) -> None:
    hivelet, swarm = engine
    first, second = (container[:12] for container in swarm.container_ids("web"))
    task = swarm.tasks("web", running=True)[1]["ID"]
    for ref, host in (("web", first), ("web.1", first), ("web.2", second), (task, second)):
        assert hivelet("service", "exec", ref, "--", "hostname").out.strip() == host
    assert 'web has no slot "3"' in hivelet.fails("service", "exec", "web.3", "true").err
    assert hivelet("exec", first, "hostname").out.strip() == first


def test_streams_and_exit_codes(engine: tuple[Cli, Swarm]) -> None:
    hivelet, _ = engine
    script = "echo out; echo err >&2; echo $FROM $MORE; pwd; id -u; exit 5"
    options = ["-e", "MORE=exec", "-w", "/www", "-u", "nobody"]
    done = hivelet("service", "exec", *options, "web.1", "sh", "-c", script, status=5)
    assert (done.out, done.err) == ("out\nservice exec\n/www\n65534\n", "err\n")
    assert hivelet("service", "exec", "web", "sh", "-c", "kill -9 $$", status=137).out == ""
    missing = hivelet("service", "exec", "web", "nosuchprogram", status=None)
    assert missing.status in {126, 127, 1}
    assert "nosuchprogram" in missing.err + missing.out


def test_input_and_its_end(engine: tuple[Cli, Swarm]) -> None:
    hivelet, _ = engine
    text = "line\n" * 50_000
    done = hivelet("service", "exec", "-i", "web", "cat", stdin=text)
    assert done.out == text
    # Without -i there is no input at all.
    assert hivelet("service", "exec", "web", "wc", "-c", stdin=text).out.strip() == "0"


def test_a_terminal(engine: tuple[Cli, Swarm]) -> None:
    hivelet, _ = engine
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    argv = (*hivelet.argv, "service", "exec", "-it", "web.2", "sh")
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for number in range(3):
            os.dup2(follower, number)
        os.execvpe(argv[0], argv, {**hivelet.env, "TERM": "xterm"})
    os.close(follower)
    read_until(leader, b"# ")
    os.write(leader, b"tty\r")
    read_until(leader, b"/dev/pts/")
    # The window's size comes behind the start, and stty has no word for none.
    os.write(leader, b"until stty size 2>/dev/null; do sleep 0.1; done; sleep 100\r")
    read_until(leader, b"200\r\n")
    # Ctrl-C is the far side's: it ends the sleep there, and nothing here.
    os.write(leader, b"\x03")
    read_until(leader, b"# ")
    os.write(leader, b"exit 9\r")
    _, status = os.waitpid(pid, 0)
    os.close(leader)
    assert os.waitstatus_to_exitcode(status) == 9


def read_until(fd: int, wanted: bytes) -> bytes:
    """What comes until `wanted` is among it."""
    said, limit = b"", time.monotonic() + 60
    while wanted not in said:
        assert time.monotonic() < limit, said
        said += os.read(fd, 1000)
    return said


def test_restart_replaces_all_of_it(engine: tuple[Cli, Swarm]) -> None:
    hivelet, swarm = engine
    old = swarm.task_ids("web")
    hivelet("service", "update", "--quiet", "--update-monitor", "1s", "web", timeout=120)
    done = hivelet("service", "restart", "--quiet", "web", timeout=120)
    assert done.out.splitlines()[0] == "web"
    assert len(swarm.task_ids("web")) == 2
    assert not swarm.task_ids("web") & old
    assert "nope" in hivelet.fails("service", "restart", "nope").err


def test_the_life_of_a_service(engine: tuple[Cli, Swarm]) -> None:
    """Every command of a service's life, each waiting until it is done."""
    hivelet, swarm = engine
    create = ["--name", "life", "--no-resolve-image", "-p", "7100:8000", "--update-monitor", "1s"]
    options = [*create, "--rollback-monitor", "1s", "--env", "A=1", "--quiet"]
    hivelet("service", "create", *options, "web:latest", timeout=120)
    assert swarm.replicas("life") == (1, 1)
    assert "life scaled to 3" in hivelet("service", "scale", "life=3", timeout=120).out
    assert swarm.replicas("life") == (3, 3)
    hivelet("service", "update", "--quiet", "--env-add", "A=2", "life", timeout=120)
    form = "{{json .Spec.TaskTemplate.ContainerSpec.Env}}"
    assert hivelet("service", "inspect", "--format", form, "life").out == '["A=2"]\n'
    hivelet("service", "rollback", "--quiet", "life", timeout=120)
    assert hivelet("service", "inspect", "--format", form, "life").out == '["A=1"]\n'
    pretty = hivelet("service", "inspect", "--pretty", "life").out
    assert "PublishedPort = 7100" in pretty
    assert len(hivelet("service", "ps", "-q", "-f", "desired-state=running", "life").lines) >= 1
    assert hivelet("service", "rm", "life").out == "life\n"
    swarm.until_gone("life")


def test_logs_end(engine: tuple[Cli, Swarm]) -> None:
    hivelet, _ = engine
    hivelet("service", "exec", "web.1", "sh", "-c", "echo from one > /proc/1/fd/1")
    hivelet("service", "exec", "web.2", "sh", "-c", "echo from two > /proc/1/fd/1")
    shown = hivelet("service", "logs", "--timestamps", "web").out
    assert {line.rpartition("| ")[2] for line in shown.splitlines()} >= {"from one", "from two"}
