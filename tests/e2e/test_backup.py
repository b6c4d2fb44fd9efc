"""A backup made under writes, restored on another machine and over a running one; and every way in which that is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.images import import_busybox
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"
SECRET = "correct horse battery staple"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def writes(swarm: Swarm) -> Iterator[list[str]]:
    """Configs are created all the time; the list has those that were acknowledged."""
    acknowledged: list[str] = []
    ended = threading.Event()

    def write() -> None:
        with swarm.api() as api:
            while not ended.is_set():
                name = f"w{len(acknowledged)}"
                api.create_config(name, b"x")
                acknowledged.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield acknowledged
    finally:
        ended.set()
        writer.join()


def configs(cli: Cli) -> set[str]:
    return set(cli("config", "ls", "--format", "{{.Name}}").lines)


def process_ids(swarm: Swarm) -> dict[str, int]:
    return {task["ID"]: swarm.process(task) for task in swarm.tasks("web", running=True)}


@pytest.fixture
def saved(swarm: Swarm, hivelet_cli: Cli) -> tuple[Path, set[str]]:
    """A backup of a swarm that was being written to, and what it must have."""
    cli = swarm.cli
    cli("secret", "create", "password", "-", stdin=SECRET)
    cli("volume", "create", "--label", "kind=data", "data")
    cli("network", "create", "--subnet", "10.99.0.0/24", "front")
    swarm.create("web", 2, "--publish", "8080:8000", "--secret", "password")
    file = swarm.machine.dir / "backup.tar"
    with writes(swarm) as acknowledged:
        wait_until(lambda: len(acknowledged) >= 20, timeout=30, what="there are writes")
        before = set(acknowledged)
        said = hivelet_cli("backup", str(file)).out
        wait_until(lambda: len(acknowledged) > len(before), timeout=30, what="writes go on")
    assert str(file) in said
    assert f"{file}.key" in said
    assert [path.stat().st_mode & 0o777 for path in (file, Path(f"{file}.key"))] == [0o600, 0o600]
    assert SECRET.encode() not in file.read_bytes()
    return file, before


def test_restored_on_another_machine(swarm: Swarm, saved: tuple[Path, set[str]]) -> None:
    file, before = saved
    with Machine("other") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        cli, hivelet = (
            make_cli(name, daemon.host, machine.dir) for name in ("docker-20", "hivelet")
        )
        import_busybox(cli, machine.dir)
        hivelet("restore", str(file))
        other = Swarm(machine, daemon, cli)
        other.until_running("web", 2)
        assert before <= configs(cli)
        assert cli("volume", "inspect", "-f", "{{.Labels.kind}}", "data").out.strip() == "data"
        assert "10.99.0.0/24" in cli("network", "inspect", "front").out
        container = other.container_ids("web")[0]
        assert cli("exec", container, "cat", "/run/secrets/password").out == SECRET
        with Traffic.requests(machine, URL, "--rate", "50", where=OUTSIDE) as requests:
            requests.go_on(40)
        assert requests.failures == []
        assert daemon.stop() == 0
    measured("the machine is lost", injected=1)


def test_restored_over_a_running_swarm(
    swarm: Swarm, hivelet_cli: Cli, hiveletd: Hiveletd, saved: tuple[Path, set[str]]
) -> None:
    """Tasks that the backup knows go on; what came after it goes."""
    file, before = saved
    key = Path(f"{file}.key")
    hurt, wrong = file.with_name("hurt.tar"), file.with_name("wrong.key")
    data = file.read_bytes()
    hurt.write_bytes(data[:20_000] + bytes([data[20_000] ^ 1]) + data[20_001:])
    wrong.write_bytes(key.read_bytes().replace(b'"key":"', b'"key":"AAAA')[:-6] + b'"}')
    running = process_ids(swarm)
    swarm.create("late", 1, image="bb:latest", command=("sleep", "1000"))
    state = configs(swarm.cli)
    for words, sentence in (
        ((str(file),), "part of a swarm"),
        (("--force", "--key", str(key), str(hurt)), "damaged: state.db"),
        (("--force", "--key", str(wrong), str(file)), "the key"),
        (("--force", "--key", "/nowhere", str(file)), "there is no such file"),
        (("--force", "--key", str(key), str(key)), "this is no backup"),
    ):
        assert sentence in hivelet_cli.fails("restore", *words).err
    assert configs(swarm.cli) == state
    assert process_ids(swarm) == running
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        requests.go_on(20)
        hivelet_cli("restore", "--force", str(file))
        swarm.until_gone("late")
        swarm.until_running("web", 2)
        requests.go_on(50)
        made = len(requests.records)
    assert requests.failures == []
    assert process_ids(swarm) == running
    assert before <= configs(swarm.cli)
    assert (hiveletd.root / "swarm.before-restore/state.db").exists()
    assert not (hiveletd.root / "restore").exists()
    hiveletd.restart()
    assert process_ids(swarm) == running
    measured("a wrong backup is restored, then a right one", injected=6, requests=made)
