"""A newer hiveletd takes over what an older one runs: nothing stops, nothing is lost, and the older one refuses to come back.

The newer one is this checkout with a higher version and a format of the state that is one further (a migration that keeps a mark). With
HIVELET_TEST_OLD_SOURCE=DIR the older one is what is in that directory (a `src` of an earlier commit), else this checkout.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.images import import_busybox
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"
SOURCE = Path(__file__).parents[2] / "src"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MIGRATION = """

def _mark(db: sqlite3.Connection, seal: Seal) -> None:
    db.execute("INSERT INTO meta VALUES ('upgraded', 1)")


MIGRATIONS = {**MIGRATIONS, 2: _mark}
"""


class Versioned(Hiveletd):
    """A hiveletd whose source may be replaced between two starts."""

    source = ""
    patience = 120.0

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **({"PYTHONPATH": self.source} if self.source else {})}


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1, (path, before)
    path.write_text(text.replace(before, after))


def make_newer(folder: Path) -> Path:
    """The source of the next version: a higher number, a further format."""
    # With what is compiled already, whose sources have the same times.
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("*.egg-info"))
    change(folder / "hivelet/__init__.py", '__version__ = "', '__version__ = "99.')
    change(folder / "hivelet/store/journal.py", "SCHEMA = 2\n", "SCHEMA = 3\n")
    with (folder / "hivelet/store/migrations.py").open("a") as file:
        file.write(MIGRATION)
    return folder


def processes(swarm: Swarm) -> dict[str, int]:
    return {task["ID"]: swarm.process(task) for task in swarm.tasks("web", running=True)}


def test_a_newer_version_takes_over_all_that_runs(machine: Machine) -> None:
    daemon = Versioned(machine)
    daemon.source = os.environ.get("HIVELET_TEST_OLD_SOURCE", "")
    daemon.start()
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("swarm", "init")
    swarm = Swarm(machine, daemon, cli)
    health = ("--health-cmd", "test ! -e /tmp/sick", "--health-interval", "500ms")
    swarm.create("web", 2, "--publish", "8080:8000", *health)
    script = "n=0; while sleep 0.1; do n=$((n+1)); echo $n; done"
    plain = ("run", "-d", "--name", "plain")
    cli(*plain, "bb:latest", "sh", "-c", script)
    always = ("run", "-d", "--name", "always", "--restart", "always")
    cli(*always, "bb:latest", "sleep", "1000")
    before = processes(swarm)
    old = cli("version", "--format", "{{.Server.Version}}").out

    newer = make_newer(machine.dir / "newer")
    with Traffic.requests(machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        requests.go_on(20)
        assert daemon.stop() == 0
        daemon.source = str(newer)
        daemon.start()
        swarm.until_running("web", 2)
        requests.go_on(50)
        assert cli("version", "--format", "{{.Server.Version}}").out == f"99.{old}"
        assert processes(swarm) == before

        # What the older one has started is supervised: exec, logs, exit codes, health.
        assert cli("exec", "plain", "echo", "here").out == "here\n"
        numbers = [int(line) for line in cli("logs", "plain").lines]
        assert numbers == list(range(1, len(numbers) + 1))
        cli("kill", "plain")
        pid = cli("inspect", "-f", "{{.State.Pid}}", "always").out.strip()
        machine.run(["kill", "-KILL", pid])
        sick = swarm.container_ids("web")[0]
        requests_before_end = len(requests.records)
        assert requests.failures == []
    cli("exec", sick, "touch", "/tmp/sick")
    wait_until(
        lambda: sick not in swarm.container_ids("web"), timeout=60, what="the sick one is replaced"
    )
    swarm.until_running("web", 2)
    assert "unhealthy" in cli("service", "ps", "--no-trunc", "web").out
    assert cli("wait", "plain").out == "137\n"
    wait_until(
        lambda: (
            cli("inspect", "-f", "{{.RestartCount}} {{.State.Running}}", "always").out == "1 true\n"
        ),
        timeout=30,
        what="it is started again",
    )

    # The older one refuses what it does not know, and nothing stops by that.
    running = processes(swarm)
    daemon.stop()
    daemon.source = str(SOURCE)
    refused = machine.run(["env", f"PYTHONPATH={SOURCE}", *daemon.argv()], check=False, timeout=60)
    assert refused.returncode == 1
    assert "has format 3, this hivelet knows formats up to 2" in refused.stderr
    daemon.source = str(newer)
    daemon.start()
    swarm.until_running("web", 2)
    assert processes(swarm) == running
    assert daemon.stop() == 0
    measured("hiveletd is upgraded", injected=1, requests=requests_before_end)
