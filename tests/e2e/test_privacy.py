"""What other users of the host can read of the daemon's directories: nothing of what services are told or say."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.cli import make_cli
from harness.swarm import Swarm

pytestmark = pytest.mark.slow

OPEN = {
    r"root/hiveletd\.pid": "the daemon's process number, as in any /run",
    r"run/network/dns/\w+/(conf|pid|servers|host-resolv\.conf|zones|zones/.+)": "dnsmasq reads them as nobody; names and addresses",
    r"run/network/dns(/\w+)?": "the way there",
    r"run/network": "the way there",
    r"run/cgroup(/.*)?": "a file system of the kernel's, as /sys/fs/cgroup",
}
"""What others may read below the daemon's two directories, and why."""


def readable_by_others(base: Path) -> Iterator[Path]:
    """What others may list or read, by a way that is open to them from `base` on."""
    for entry in os.scandir(base):
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            continue
        if mode & stat.S_IROTH:
            yield Path(entry.path)
        if stat.S_ISDIR(mode) and mode & stat.S_IXOTH and entry.name != "cgroup":
            yield from readable_by_others(Path(entry.path))


def check_nothing_is_open(swarm: Swarm, word: str) -> None:
    """Others can read what they may of the daemon's files, and in none of that is the word."""
    # As it looks in the daemon's own mount namespace.
    home = Path(f"{swarm.machine.proc}/1/root{swarm.daemon.dir}")
    found = {
        str(path.relative_to(home)): path
        for part in ("root", "run")
        for path in readable_by_others(home / part)
    }
    assert "root/hiveletd.pid" in found
    assert [name for name in found if not any(re.fullmatch(rule, name) for rule in OPEN)] == []
    for name, path in found.items():
        if path.is_file():
            assert word.encode() not in path.read_bytes(), name


def test_no_other_user_reads_what_a_service_is_told_or_says(swarm: Swarm) -> None:
    word = "hunter2"
    swarm.cli("network", "create", "--driver", "overlay", "net")
    swarm.create(
        "keeper",
        2,
        *("--env", f"PASSWORD={word}", "--network", "net", "--mount", "type=volume,target=/data"),
        *("--health-cmd", "true", "--health-interval", "1s"),
        image="bb:latest",
        command=("sh", "-c", f"echo {word}; echo {word} > /data/file; exec sleep 1000"),
    )
    check_nothing_is_open(swarm, word)


def test_nothing_of_any_kind_of_object_is_open_to_others(swarm: Swarm) -> None:
    """While there is one of each, after a restart of the daemon too: builds, execs, archives, secrets, configs and logs."""
    word, cli, folder = "hunter2", swarm.cli, swarm.machine.dir
    cli("secret", "create", "key", "-", stdin=word)
    cli("config", "create", "conf", "-", stdin=word)
    words = ("--secret", "key", "--config", "conf", "--hostname", "box")
    command = ("sh", "-c", f"echo {word}; exec sleep 1000")
    swarm.create("keeper", 1, *words, image="bb:latest", command=command)
    options = (
        "--env",
        f"A={word}",
        "-v",
        "vol:/data",
        "--label",
        f"a={word}",
        "--add-host",
        "x:192.0.2.1",
    )
    cli("run", "-d", "--name", "plain", *options, "bb:latest", *command)
    cli("exec", "-d", "plain", "sh", "-c", f"echo {word}; sleep 1000")
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM bb:latest\nENV A={word}\nRUN echo {word} > /file\n")
    cli("build", "-t", "built", str(context), env={"DOCKER_BUILDKIT": "0"}, timeout=120)
    cli("commit", "plain", "committed")
    cli("cp", str(context / "Dockerfile"), "plain:/data/file")
    for again in (False, True):
        if again:
            swarm.daemon.restart()
        check_nothing_is_open(swarm, word)
    saved = folder / "backup"
    make_cli("hivelet", swarm.daemon.host, folder)("backup", str(saved))
    kept = saved if saved.is_file() else next(iter(sorted(saved.iterdir())))
    assert stat.S_IMODE(kept.stat().st_mode) & 0o077 == 0


def test_a_program_that_is_not_root_reads_its_own_names(swarm: Swarm) -> None:
    """A container's directories are closed; what is mounted from there is not."""
    script = "id -u; cat /etc/hostname /etc/hosts /etc/resolv.conf; exec sleep 1000"
    words = ("--user", "nobody", "--hostname", "box")
    swarm.create("plain", 1, *words, image="bb:latest", command=("sh", "-c", script))
    said = swarm.cli("service", "logs", "--raw", "plain").out.splitlines()
    assert said[:3] == ["65534", "box", "127.0.0.1\tlocalhost"]
    assert any(line.startswith("nameserver ") for line in said)
