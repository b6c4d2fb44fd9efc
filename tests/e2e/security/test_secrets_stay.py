"""A secret is in memory of those it is for, and sealed on disk; it is in no log, answer, environment, command line or core dump."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path

import pytest
from harness import figures
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = pytest.mark.slow

SECRET = "correct-horse-battery-staple"
PASSWORD = "hunter2-of-the-registry"
OPEN = "an-environment-is-no-secret"
"""What the search must find, to show that it does."""


def forms(text: str) -> list[bytes]:
    """A text as it may lie about: plain, in base64 at each offset, as hexadecimal digits."""
    raw = text.encode()
    encoded = [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, *encoded, raw.hex().encode()]


def found_in(data: bytes, text: str) -> bool:
    return any(form in data for form in forms(text))


class Dumping(Hiveletd):
    """hiveletd that may write core dumps of any size, into its own directory."""

    def argv(self) -> list[str]:
        script = 'ulimit -c unlimited; cd "$0"; exec "$@"'
        return ["bash", "-c", script, str(self.dir), *super().argv()]


@pytest.fixture
def swarm(machine: Machine) -> Swarm:
    """A swarm whose daemon tells all that it can, and may dump its memory."""
    daemon = Dumping(machine, "--log-level", "debug")
    daemon.start()
    docker = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    return Swarm(machine, daemon, docker)


def _processes(swarm: Swarm) -> dict[str, bytes]:
    """Environment and command line of every process of the machine."""
    found = {}
    for pid, folder in swarm.machine.processes():
        try:
            found[f"{pid} {(folder / 'comm').read_text().strip()}"] = (
                folder / "environ"
            ).read_bytes() + (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _files(swarm: Swarm) -> dict[str, bytes]:
    """What is in the daemon's directories, as it sees them, but for the memory that containers have their secrets in."""
    home = Path(f"{swarm.machine.proc}/1/root{swarm.daemon.dir}")
    found = {}
    for path in home.rglob("*"):
        name = str(path.relative_to(home))
        if (
            path.is_file()
            and not path.is_symlink()
            and not name.startswith(("run/secrets/", "run/cgroup/", "run/netns/"))
        ):
            found[name] = path.read_bytes()
    return found


def _answers(swarm: Swarm, since: str) -> dict[str, bytes]:
    """What the API tells of all there is."""
    cli = swarm.cli
    asked = {
        "secret": ("secret", "inspect", "password"),
        "service": ("service", "inspect", "keeper"),
        "tasks": ("inspect", *(task["ID"] for task in swarm.tasks("keeper"))),
        "containers": ("inspect", *swarm.container_ids("keeper")),
        "logs": ("service", "logs", "keeper"),
        "info": ("info",),
        "events": ("events", "--since", since, "--until", "0s"),
        "events with all fields": (
            "events",
            "--since",
            since,
            "--until",
            "0s",
            "--format",
            "{{json .}}",
        ),
    }
    return {name: cli(*words).out.encode() for name, words in asked.items()}


def test_a_secret_is_seen_by_nobody_else(swarm: Swarm, tmp_path: Path) -> None:
    since = "1h"
    swarm.cli("secret", "create", "password", "-", stdin=SECRET)
    # A registry's password comes with a service, and stays with it for the pulls of its tasks.
    (swarm.cli.home / "config.json").write_text(
        json.dumps(
            {
                "auths": {
                    "127.0.0.1:9": {"auth": base64.b64encode(f"u:{PASSWORD}".encode()).decode()}
                }
            }
        )
    )
    swarm.cli("tag", "bb:latest", "127.0.0.1:9/bb:latest")
    words = (
        "--secret",
        "password",
        "--env",
        f"WORD={OPEN}",
        "--with-registry-auth",
        "--stop-grace-period",
        "1s",
    )
    script = "cmp /run/secrets/password /dev/null; exec sleep 1000"
    swarm.create("keeper", 2, *words, image="127.0.0.1:9/bb:latest", command=("sh", "-c", script))
    read = "cat /run/secrets/password"
    assert swarm.cli("exec", swarm.container_ids("keeper")[0], "sh", "-c", read).out == SECRET
    # Through all that a secret lives through: an update, a crash, a removed task, a killed daemon.
    swarm.cli("service", "update", "--detach", "--force", "--label-add", "a=b", "keeper")
    swarm.until_running("keeper", 2)
    swarm.machine.run(["kill", "-9", str(swarm.process(swarm.tasks("keeper", running=True)[0]))])
    swarm.daemon.kill()
    swarm.daemon.start()
    swarm.until_running("keeper", 2)
    swarm.cli("pull", "127.0.0.1:9/bb:latest", status=1)

    places = {**_processes(swarm), **_answers(swarm, since)}
    files = _files(swarm)
    assert any(found_in(data, OPEN) for data in places.values())
    assert any(
        found_in(data, OPEN) for name, data in files.items() if name.startswith("root/engine")
    )
    assert {"log", "root/swarm/state.db"} <= files.keys()
    for text in (SECRET, PASSWORD):
        assert [name for name, data in (places | files).items() if found_in(data, text)] == []

    # What was deleted is not left in free pages, in the journal's log, or in memory that is written out at the end.
    swarm.cli("service", "rm", "keeper")
    swarm.until_gone("keeper")
    swarm.cli("secret", "rm", "password")
    left = _files(swarm)
    for text in (SECRET, PASSWORD):
        assert [name for name, data in left.items() if found_in(data, text)] == []
    assert [
        path
        for path in Path(f"{swarm.machine.proc}/1/root{swarm.daemon.dir}/run/secrets").rglob("*")
        if path.is_file()
    ] == []
    figures.measured(
        "a secret is looked for everywhere", injected=len(places) + len(files) + len(left)
    )


def test_a_crash_leaves_no_memory_on_disk(swarm: Swarm) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/")):
        pytest.skip(f"core dumps of this machine go elsewhere: {pattern}")

    def dumps() -> list[Path]:
        return [
            path
            for path in swarm.daemon.dir.iterdir()
            if path.name.startswith(pattern.partition("%")[0])
        ]

    swarm.cli("secret", "create", "password", "-", stdin=SECRET)
    # Another program in its place leaves one.
    script = 'ulimit -c unlimited; cd "$0"; exec sleep 1000'
    other = swarm.machine.popen(["bash", "-c", script, str(swarm.daemon.dir)])
    wait_until(
        lambda: Path(f"/proc/{other.pid}/comm").read_text() == "sleep\n",
        timeout=10,
        what="it sleeps",
    )
    other.end(signal.SIGABRT)
    (dump,) = dumps()
    dump.unlink()
    assert swarm.daemon.process is not None
    swarm.daemon.process.end(signal.SIGABRT)
    assert dumps() == []
