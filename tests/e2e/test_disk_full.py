"""The disk is full: what runs goes on, what is asked for is refused whole, and all is well as soon as there is room."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from harness.cli import Cli
from harness.daemons import Daemon, Hiveletd
from harness.disks import filled, mount_small, used
from harness.figures import measured
from harness.images import busybox_tar
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow]

EMPTY_LOGS = """
import pathlib, sqlite3, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.db"):
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
"""

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"


@pytest.fixture
def hiveletd(machine: Machine) -> Iterator[Daemon]:
    """A daemon whose state directory is a file system of 48 MiB."""
    daemon = Hiveletd(machine)
    mount_small(machine, daemon.root)
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0


def lines(daemon: Daemon, words: str) -> list[str]:
    return [line for line in daemon.log_path.read_text().splitlines() if words in line]


def test_services_go_on_and_nothing_is_half_done(swarm: Swarm, hiveletd: Hiveletd) -> None:
    cli, machine = swarm.cli, swarm.machine
    swarm.create("web", 2, "--publish", "8080:8000")
    refused = 0
    with Traffic.requests(machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        with filled(machine, hiveletd.root):
            for number in range(5):
                words = ("--detach", "--no-resolve-image", "--name", f"new{number}", "web:latest")
                said = cli.fails("service", "create", *words).err
                assert "the cluster state can't be written" in said
                assert "Nothing was changed" in said
                refused += 1
            for words in (
                ("network", "create", "local"),
                ("volume", "create", "data"),
                ("run", "--detach", "--name", "plain", "bb:latest", "/bin/sleep", "100"),
                ("service", "scale", "--detach", "web=3"),
                ("service", "rm", "web"),
            ):
                cli.fails(*words)
                refused += 1
            with swarm.api() as api, pytest.raises(docker.errors.APIError) as caught:
                api.create_service(docker.types.TaskTemplate(docker.types.ContainerSpec("web")))
            assert caught.value.response.status_code == 503
            assert cli("service", "ls", "--format", "{{.Name}} {{.Replicas}}").lines == ["web 2/2"]
            assert not cli("ps", "-aq", "--filter", "name=plain").out
            assert "data" not in cli("volume", "ls", "-q").lines
            assert "the cluster state can't be written" in cli("info").err
            requests.go_on(20)
            # Whoever dies is out of the balancer, and is replaced as soon as that can be written down.
            victim = swarm.tasks("web", running=True)[0]
            machine.run(["kill", "-KILL", str(swarm.process(victim))])
            wait_until(lambda: len(cli("ps", "-q").lines) == 1, timeout=10, what="it is dead")
            before = len(requests.failures)
            requests.go_on(50)
            assert len(requests.failures) == before
        begun = time.monotonic()
        wait_until(
            lambda: victim["ID"] not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 2,
            timeout=20,
            what="the dead one is replaced",
            evidence=swarm.story,
        )
        seconds = time.monotonic() - begun
        requests.go_on(20)
    assert "can't be written" not in cli("info").err
    assert len(lines(hiveletd, "the cluster state can't be written; nothing changes")) == 1
    assert "Traceback" not in hiveletd.log_path.read_text()
    swarm.create("after", 1)
    hiveletd.kill()
    hiveletd.start()
    swarm.until_running("web", 2)
    swarm.until_running("after", 1)
    lost = len(requests.failures)
    assert lost <= 2  # those that the killed process held
    measured(
        "disk full: state",
        injected=refused,
        requests=len(requests.records),
        lost=lost,
        seconds=seconds,
    )


def test_a_start_waits_for_room_and_says_so(swarm: Swarm, hiveletd: Hiveletd) -> None:
    swarm.create("web", 1)
    (before,) = swarm.container_ids("web")
    hiveletd.kill()
    # A start needs room only if the databases' logs have none of their own left.
    swarm.machine.run([sys.executable, "-c", EMPTY_LOGS, str(hiveletd.root)])
    with filled(swarm.machine, hiveletd.root):
        with pytest.raises(
            AssertionError, match=r"(?is)ended before it was ready.*(full|no space)"
        ):
            hiveletd.start()
        assert "Traceback" not in hiveletd.log_tail(30)
    begun = time.monotonic()
    hiveletd.start()
    assert swarm.container_ids("web") == [before]
    measured("disk full: start", injected=1, seconds=time.monotonic() - begun)


def test_images_come_whole_or_not_at_all(swarm: Swarm, hiveletd: Hiveletd, tmp_path: Path) -> None:
    cli, machine = swarm.cli, swarm.machine
    tar = busybox_tar(machine.dir / "more.tar")
    saved = machine.dir / "saved.tar"
    cli("save", "--output", str(saved), "bb:latest")
    cli("run", "--name", "made", "bb:latest", "/bin/sh", "-c", "head -c 3000000 /dev/zero > /big")
    names = cli("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").lines
    room = used(machine, hiveletd.root)
    refused = 0
    with filled(machine, hiveletd.root):
        for words in (
            ("import", str(tar), "other:latest"),
            ("load", "--input", str(saved)),
            ("commit", "made", "committed:latest"),
        ):
            said = cli.fails(*words).err.lower()
            assert "no space left" in said or "full" in said, said
            refused += 1
        assert cli("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").lines == names
    assert used(machine, hiveletd.root) <= room + 1024  # the databases' logs
    begun = time.monotonic()
    cli("commit", "made", "committed:latest")
    cli("run", "--rm", "committed:latest", "/bin/ls", "/big")
    measured("disk full: images", injected=refused, seconds=time.monotonic() - begun)
    assert "Traceback" not in hiveletd.log_path.read_text()


def test_a_container_that_logs_goes_on(machine: Machine, swarm: Swarm, hiveletd: Hiveletd) -> None:
    cli: Cli = swarm.cli
    script = "n=0; while :; do n=$((n+1)); echo line $n; usleep 20000; done"
    cli("run", "--detach", "--name", "talker", "bb:latest", "/bin/sh", "-c", script)
    wait_until(lambda: cli("logs", "talker").out, timeout=10, what="it talks")
    with filled(machine, hiveletd.root):
        first = len(cli("logs", "talker").lines)
        wait_until(
            lambda: cli("exec", "talker", "/bin/true").status == 0, timeout=10, what="it answers"
        )
    begun = time.monotonic()
    wait_until(
        lambda: len(cli("logs", "talker").lines) > first + 10,
        timeout=20,
        what="it is heard again",
        evidence=hiveletd.log_tail,
    )
    seconds = time.monotonic() - begun
    assert cli(
        "inspect", "--format", "{{.State.Running}} {{.RestartCount}}", "talker"
    ).out.split() == [
        "true",
        "0",
    ]
    measured("disk full: logs", injected=1, seconds=seconds)
