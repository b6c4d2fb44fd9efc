"""A registry that lies: the daemon stays within its memory and its disk, says one sentence in time, and keeps nothing of what came."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import figures, lying_registry
from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.disks import mount_small, used
from harness.machine import OUTSIDE, OUTSIDE_ADDRESS, Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DOMAIN = f"{OUTSIDE_ADDRESS}:5000"
CEILING = 120 << 20
ROOM = "96m"
PATIENCE = 6
TRUE = {"honest", "wrong-digest"}
"""What is whole for all that was said of it: a header that nobody needs is not believed."""
SAYS = {
    "huge": "exceeded maximum allowed size",
    "endless-manifest": "exceeded maximum allowed size",
    "deep": "manifest is not valid: more than 200000 values",
    "many-layers": "more than 1000 layers",
    "path-digest": "is no digest",
    "path-config": "is no digest",
    "size-beyond": "no space left on device; make space",
    "large-config": "no space left on device; make space",
    "endless-blob": "bytes that it announced",
    "silent-blob": f"has sent nothing more of {DOMAIN}/silent-blob:1 for {PATIENCE} s",
    "silent-manifest": "does not answer",
    "wrong-blob": "Digest did not match",
    "cut-blob": "unexpected EOF",
    "blob-of-files": "unsupported protocol scheme",
    "manifest-of-files": "unsupported protocol scheme",
    "blob-in-circles": "stopped after 10 redirects",
    "wrong-config": "does not match",
}


@pytest.fixture
def hiveletd(machine: Machine) -> Iterator[Hiveletd]:
    """A daemon with a small disk, and the registry that it may speak to."""
    daemon = Hiveletd(machine, "--insecure-registry", DOMAIN, "--registry-timeout", f"{PATIENCE}s")
    mount_small(machine, daemon.root, ROOM)
    machine.popen(
        [sys.executable, str(lying_registry.__file__), OUTSIDE_ADDRESS, "5000"], where=OUTSIDE
    )
    url = f"http://{DOMAIN}/v2/"
    wait_until(
        lambda: machine.run(["curl", "-sf", url], check=False).returncode == 0,
        timeout=30,
        what="the registry answers",
    )
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0


def scratch(daemon: Hiveletd) -> list[str]:
    """What transfers have left behind."""
    place = Path(f"{daemon.machine.proc}/1/root{daemon.root}") / "images/tmp"
    return [path.name for path in place.iterdir()]


def peak(daemon: Hiveletd) -> int:
    """The most memory that it has had."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def programs(daemon: Hiveletd) -> list[str]:
    """The programs that pulls run."""
    return [
        str(pid)
        for pid, folder in daemon.machine.processes()
        if (folder / "cmdline").read_bytes().startswith(b"skopeo\0")
    ]


def test_what_a_registry_may_say(machine: Machine, hiveletd: Hiveletd) -> None:
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    assert "Downloaded newer image" in cli("pull", f"{DOMAIN}/honest:1").out
    before = used(machine, hiveletd.root)
    wrong: list[str] = []
    for lie in lying_registry.LIES:
        begun = time.monotonic()
        done = cli("pull", f"{DOMAIN}/{lie}:1", status=None, timeout=60)
        seconds = time.monotonic() - begun
        if (done.status == 0) != (lie in TRUE):
            wrong.append(f"{lie}: {done.out}")
        if lie not in TRUE:
            said = done.err.strip()
            if len(said) > 800 or "\n" in said or "goroutine" in said or "\x1b" in said:
                wrong.append(f"{lie}: no sentence: {said[:300]}")
            if SAYS.get(lie, "") not in said:
                wrong.append(f"{lie}: {said[:300]}")
        if seconds > PATIENCE + 20:
            wrong.append(f"{lie}: took {seconds:.0f} s")
        if left := scratch(hiveletd):
            wrong.append(f"{lie}: left {left}")
    assert wrong == []
    assert peak(hiveletd) < CEILING
    assert programs(hiveletd) == []
    names = cli("images", "--format", "{{.Repository}}").lines
    assert sorted(names) == sorted(f"{DOMAIN}/{name}" for name in TRUE)
    assert used(machine, hiveletd.root) <= before + 2048  # the databases' logs
    assert "Traceback" not in hiveletd.log_path.read_text()
    figures.measured("a registry that lies", injected=len(lying_registry.LIES))


def test_another_manifest_than_the_digest_says(machine: Machine, hiveletd: Hiveletd) -> None:
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    other = "sha256:" + "1" * 64
    said = cli.fails("pull", f"{DOMAIN}/wrong-digest@{other}").err
    assert other in said
    assert cli("images", "-q").out == ""
    assert scratch(hiveletd) == []


def test_who_leaves_a_silent_registry_leaves_nothing(machine: Machine, hiveletd: Hiveletd) -> None:
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    pulling = subprocess.Popen(
        [*cli.argv, "pull", f"{DOMAIN}/silent-blob:1"],
        env=dict(cli.env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(
        lambda: any(scratch(hiveletd)) and programs(hiveletd), timeout=30, what="it is under way"
    )
    pulling.kill()
    pulling.wait(10)
    wait_until(
        lambda: not scratch(hiveletd) and not programs(hiveletd), timeout=20, what="nothing is left"
    )


def test_a_service_says_what_its_registry_does(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """Its tasks are rejected, with the reason, and none waits for ever."""
    cli: Cli = swarm.cli
    words = ("--detach", "--no-resolve-image", "--restart-condition", "none")
    for lie in ("endless-blob", "silent-manifest", "path-config"):
        cli("service", "create", *words, "--name", lie, f"{DOMAIN}/{lie}:1")

    def errors() -> str:
        told = cli("service", "ps", "--no-trunc", *SERVICES, "--format", "{{.Name}} {{.Error}}")
        return told.out

    def settled() -> bool:
        states = cli("service", "ps", *SERVICES, "--format", "{{.CurrentState}}").lines
        return len(states) == len(SERVICES) and all(each.startswith("Rejected") for each in states)

    wait_until(settled, timeout=90, what="all are rejected", evidence=swarm.story)
    said = errors()
    assert "bytes that it announced" in said
    assert "does not answer" in said
    assert "is no digest" in said
    assert scratch(hiveletd) == []


SERVICES = ("endless-blob", "silent-manifest", "path-config")
