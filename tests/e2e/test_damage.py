"""Files of the daemon that were hurt while it was away: refused in one sentence, while what runs goes on; mended by putting them back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.leftovers import until_nothing_is_left
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1500])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero_a_page(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\0" * 4096 + data[8192:])


def lose(path: Path) -> None:
    path.unlink()


DAMAGES: list[tuple[str, Callable[[Path], None]]] = [
    ("swarm/state.db", cut),
    ("swarm/state.key", lose),
    ("engine.db", empty),
    ("images/images.db", zero_a_page),
]


def test_damaged_files_are_told_and_nothing_is_overwritten(
    swarm: Swarm, hiveletd: Hiveletd
) -> None:
    swarm.create("web", 2, "--publish", "8080:8000")
    before = {task["ID"]: swarm.process(task) for task in swarm.tasks("web", running=True)}
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        assert hiveletd.stop() == 0
        for name, hurt in DAMAGES:
            path = hiveletd.root / name
            kept = path.with_name("kept")
            shutil.copy2(path, kept)
            hurt(path)
            damaged = path.read_bytes() if path.exists() else None
            refused = hiveletd.machine.run(hiveletd.argv(), check=False, timeout=30)
            said = refused.stderr.strip().splitlines()[-1]
            assert refused.returncode == 1, name
            assert str(path) in said, said
            assert "estore" in said or "back" in said, said
            assert (path.read_bytes() if path.exists() else None) == damaged, name
            kept.replace(path)
        hiveletd.start()
        swarm.until_running("web", 2)
        requests.go_on(50)
        made = len(requests.records)
    assert requests.failures == []
    assert {task["ID"]: swarm.process(task) for task in swarm.tasks("web", running=True)} == before
    measured("files of the state are damaged", injected=len(DAMAGES), requests=made)


def test_a_log_that_was_hurt_loses_no_acknowledged_write_unsaid(
    swarm: Swarm, hiveletd: Hiveletd
) -> None:
    """SQLite would forget all that comes after the damage, without a word."""
    for number in range(3):
        swarm.cli("config", "create", f"c{number}", "-", stdin="x")
    hiveletd.kill()
    log = hiveletd.root / "swarm/state.db-wal"
    sound = log.read_bytes()
    log.write_bytes(sound[:2000] + bytes([sound[2000] ^ 1]) + sound[2001:])
    refused = hiveletd.machine.run(hiveletd.argv(), check=False, timeout=30)
    assert refused.returncode == 1
    assert f"{log} is damaged" in refused.stderr.splitlines()[-1]
    log.write_bytes(sound)
    hiveletd.start()
    assert len(swarm.cli("config", "ls", "-q").lines) == 3
    measured("the journal's log is damaged", injected=1)


def test_a_log_that_is_lost_is_told(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """Somebody has tidied up the log of a state into which nothing was written back yet: it is not begun anew in silence."""
    swarm.create("web", 2)
    before = swarm.container_ids("web")
    hiveletd.kill()
    path = hiveletd.root / "swarm/state.db"
    log, kept = path.with_name("state.db-wal"), path.with_name("kept")
    assert path.stat().st_size == 4096
    log.rename(kept)
    refused = hiveletd.machine.run(hiveletd.argv(), check=False, timeout=30)
    assert refused.returncode == 1
    said = refused.stderr.strip().splitlines()[-1]
    assert f"{log} is missing" in said, said
    assert not log.exists()
    kept.rename(log)
    hiveletd.start()
    swarm.until_running("web", 2)
    assert swarm.container_ids("web") == before


def test_images_begun_anew_take_no_layer_from_what_runs(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """The way out that the message names: what runs keeps its files, and what is loaded again runs."""
    swarm.create("web", 1, "--publish", "8080:8000")
    task = swarm.tasks("web", running=True)[0]
    hiveletd.stop()
    (hiveletd.root / "images/images.db").unlink()
    hiveletd.start()
    swarm.until_running("web", 1)
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        requests.go_on(20)
    assert requests.failures == []
    assert [each["ID"] for each in swarm.tasks("web", running=True)] == [task["ID"]]
    assert swarm.cli("images", "-q").out == ""


def test_a_database_of_the_engine_begun_anew(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """What runs is ended, since nobody could look after it; services start theirs anew, in networks made anew."""
    swarm.create("web", 1, "--publish", "8080:8000")
    swarm.create("worker", 1, image="bb:latest", command=("sleep", "1000"))
    swarm.cli("run", "--detach", "--name", "box", "-p", "9000:8000", "web:latest")
    before = {task["ID"] for name in ("web", "worker") for task in swarm.tasks(name, running=True)}
    hiveletd.kill()
    for path in hiveletd.root.glob("engine.db*"):
        path.rename(hiveletd.dir / path.name)
    hiveletd.start()
    for name in ("web", "worker"):
        wait_until(
            lambda name=name: not before & swarm.task_ids(name),
            timeout=30,
            what=f"the old task of {name} is known to be lost",
        )
        swarm.until_running(name, 1)
    assert len(swarm.cli("ps", "--quiet").lines) == 2
    until_nothing_is_left(swarm, hiveletd)
    running = {container[:12] for container in swarm.container_ids("web")}
    assert (
        set(swarm.machine.run(["curl", "-sSf", URL], where=OUTSIDE).stdout.split()[:1]) == running
    )
    swarm.cli("run", "--detach", "--name", "box", "-p", "9000:8000", "web:latest")
