"""Streams under load: logs at full speed and across rotation, many sessions at once, readers that are slow, or gone."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest
from harness.cli import Cli, make_cli
from harness.connection import Connection
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import Machine
from harness.waiting import wait_until

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 if LONG else 240)]

MIB = 1 << 20
LINE = "0123456789" * 10
LINES = 1_000_000 if LONG else 300_000
BYTES = LINES * (len(LINE) + 1)
FLOOD = f"yes {LINE} | head -n {LINES}"


@pytest.fixture
def cli(machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """The docker CLI on an engine with an image."""
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", "-v", line, status=None)


@pytest.fixture
def api(hiveletd: Daemon) -> Iterator[docker.APIClient]:
    """docker-py."""
    client = docker.APIClient(base_url=hiveletd.host, timeout=120, version="auto")
    yield client
    client.close()


def resident(daemon: Daemon) -> int:
    """Bytes of memory that the daemon has."""
    return int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]) * 4096


def descriptors(daemon: Daemon) -> int:
    """How many files it has open."""
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


class Peak:
    """The most memory that a daemon has had while the block ran."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon, self.before = daemon, resident(daemon)
        self.most = self.before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, resident(self.daemon))

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self.most - self.before


def digest_of(argv: tuple[str, ...], cli: Cli) -> tuple[int, str]:
    """How many bytes a command prints, and their digest."""
    with subprocess.Popen(argv, env=dict(cli.env), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        count, digest = 0, hashlib.sha256()
        while piece := process.stdout.read(MIB):
            count += len(piece)
            digest.update(piece)
    assert process.returncode == 0
    return count, digest.hexdigest()


def whole() -> str:
    """The digest of what the flood writes."""
    digest = hashlib.sha256()
    for _ in range(LINES):
        digest.update(f"{LINE}\n".encode())
    return digest.hexdigest()


@pytest.mark.parametrize(
    "limits", [[], ["--log-opt", "max-size=20m", "--log-opt", "max-file=3"]], ids=["one", "several"]
)
def test_a_log_is_followed_at_full_speed(cli: Cli, hiveletd: Daemon, limits: list[str]) -> None:
    cli("run", "--rm", "bb", "true")
    with Peak(hiveletd) as memory:
        cli("run", "-d", "--name", "flood", *limits, "bb", "sh", "-c", FLOOD)
        assert digest_of((*cli.argv, "logs", "-f", "flood"), cli) == (BYTES, whole())
    assert memory.growth < 24 * MIB
    if not limits:
        assert digest_of((*cli.argv, "logs", "flood"), cli) == (BYTES, whole())


def test_a_log_of_several_files_keeps_its_end(cli: Cli, hiveletd: Daemon) -> None:
    limits = ["--log-opt", "max-size=100k", "--log-opt", "max-file=3"]
    # Its follower is there first: what is said before may have been turned out of the log when it comes.
    wait = "echo 999; until [ -e /go ]; do sleep 0.05; done; "
    script = "for n in $(seq 1 40); do seq $((n * 1000)) $((n * 1000 + 999)); sleep 0.02; done"
    cli("run", "-d", "--name", "turning", *limits, "bb", "sh", "-c", wait + script)
    argv = [*cli.argv, "logs", "-f", "turning"]
    with subprocess.Popen(argv, env=dict(cli.env), stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        first = follower.stdout.readline()
        cli("exec", "turning", "touch", "/go")
        followed = [int(line) for line in (first, *follower.stdout)]
    assert followed == list(range(999, 41000))
    kept = [int(line) for line in cli("logs", "turning").lines]
    assert kept == list(range(kept[0], 41000))
    # Two full files and a part of a third, of some 45 bytes for a line.
    assert 200 * 1024 // 60 < len(kept) < 300 * 1024 // 40
    assert [int(line) for line in cli("logs", "--tail", "3000", "turning").lines] == kept[-3000:]
    folder = Path(cli("inspect", "-f", "{{.LogPath}}", "turning").out.strip()).parent
    assert sum(path.stat().st_size for path in folder.iterdir() if "held" not in path.name) <= (
        300 * 1024
    )
    hiveletd.restart()
    assert [int(line) for line in cli("logs", "turning").lines] == kept
    cli("start", "-a", "turning")
    assert cli("logs", "--tail", "1", "turning").out == "40999\n"


def test_log_options_are_the_default_drivers(cli: Cli) -> None:
    cli("create", "--name", "plain", "--log-opt", "max-size=1m", "bb", "true")
    config = cli("inspect", "-f", "{{json .HostConfig.LogConfig}}", "plain").out
    assert config == '{"Type":"json-file","Config":{"max-size":"1m"}}\n'
    said = cli.fails("create", "--log-opt", "nix=1", "bb", "true").err
    assert "unknown log opt 'nix' for json-file log driver" in said


def attached(daemon: Daemon, name: str) -> Connection:
    """A client that is attached to a container."""
    return Connection(daemon, f"/containers/{name}/attach?stream=1&stdout=1&stderr=1")


def test_fifty_sessions_at_once(cli: Cli, api: docker.APIClient, hiveletd: Daemon) -> None:
    cli("run", "-d", "--name", "host", "bb", "sleep", "1000")
    before = descriptors(hiveletd)
    script = ["sh", "-c", "read word; echo $word; exit 7"]
    ids = [api.exec_create("host", script, stdin=True)["Id"] for _ in range(50)]
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(Connection(hiveletd, f"/exec/{one}/start", {"Detach": False}))
            for one in ids
        ]
        assert all(api.exec_inspect(one)["Running"] for one in ids)
        for number, session in enumerate(sessions):
            session.raw.sendall(f"session-{number}\n".encode())
        for number, session in enumerate(sessions):
            assert session.rest()[8:] == f"session-{number}\n".encode()
    assert [api.exec_inspect(one)["ExitCode"] for one in ids] == [7] * 50
    api.close()
    wait_until(
        lambda: descriptors(hiveletd) <= before + 2,
        timeout=20,
        what="all is closed",
        evidence=lambda: f"{before} before, and now:\n{describe(hiveletd)}",
    )


COUNTING = (
    "i=0; while :; do i=$((i+1)); echo $i 01234567890123456789012345678901234567890123456789; done"
)


def test_a_slow_reader_of_a_container_misses_nothing(cli: Cli, hiveletd: Daemon) -> None:
    cli("create", "--name", "flood", "bb", "sh", "-c", FLOOD)
    with attached(hiveletd, "flood") as client, Peak(hiveletd) as memory:
        cli("start", "flood")
        count = 0
        while piece := client.raw.recv(MIB):
            if count < 4 * MIB:
                time.sleep(0.002)  # a reader that takes its time
            count += len(piece)
    # Each piece has a header of eight bytes, and pieces are of 8 KiB or less.
    assert BYTES < count < BYTES * 1.1
    assert memory.growth < 24 * MIB
    assert cli("wait", "flood").out == "0\n"


@pytest.mark.skipif(not LONG, reason="waits for half a minute; HIVELET_TEST_LONG=1")
def test_one_that_reads_nothing_stops_neither_the_container_nor_others(
    cli: Cli, hiveletd: Daemon
) -> None:
    cli("create", "--name", "counting", "bb", "sh", "-c", COUNTING)

    def last() -> int:
        return int(cli("logs", "--tail", "1", "counting").out.split()[0])

    with attached(hiveletd, "counting") as stuck:
        cli("start", "counting")
        assert stuck.raw.recv(100)
        seen = last()
        wait_until(lambda: last() > seen + 200_000, timeout=120, what="the container goes on")
        with Peak(hiveletd) as memory:
            seen = last()
            wait_until(lambda: last() > seen + 100_000, timeout=60, what="it goes on still")
        assert memory.growth < 16 * MIB
        words = [*cli.argv, "logs", "-f", "--tail", "1", "counting"]
        with subprocess.Popen(words, env=dict(cli.env), stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert len(other.stdout.read(100_000)) == 100_000
            other.kill()
        cli("kill", "counting")
        assert b"bytes of output are left out here" in stuck.rest()


def test_what_a_request_says_is_no_input(cli: Cli, hiveletd: Daemon) -> None:
    cli("create", "-i", "--name", "cat", "bb", "cat")
    path = "/containers/cat/attach?stream=1&stdin=1&stdout=1"
    with Connection(hiveletd, path, {"said": "by the request"}) as client:
        cli("start", "cat")
        client.raw.sendall(b"typed\n")
        client.raw.shutdown(socket.SHUT_WR)
        assert client.rest()[8:] == b"typed\n"


END_SLEEPERS = """
for folder in /proc/[0-9]*; do
    case "$(tr '\\0' ' ' 2>/dev/null <$folder/cmdline)" in
        "sleep 12345 ") kill ${folder#/proc/} ;;
    esac
done
"""


def test_clients_that_vanish_leave_nothing_behind(
    cli: Cli, hiveletd: Daemon, machine: Machine
) -> None:
    cli("run", "-d", "--name", "busy", "bb", "sh", "-c", "while :; do echo tick; sleep 0.05; done")
    cli("run", "-dit", "--name", "shell", "bb", "sh")
    commands: list[list[str]] = [
        ["logs", "-f", "busy"],
        ["attach", "--no-stdin", "busy"],
        ["exec", "busy", "sleep", "12345"],
        ["exec", "-i", "busy", "cat"],
        ["stats", "busy"],
        ["events"],
        ["wait", "busy"],
        ["run", "--rm", "-i", "bb", "cat"],
    ]

    def vanish() -> None:
        clients = [
            subprocess.Popen(
                [*cli.argv, *words],
                env=dict(cli.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for words in commands
        ]
        wait_until(lambda: " cat" in cli("top", "busy").out, timeout=20, what="cat runs")
        wait_until(lambda: "12345" in cli("top", "busy").out, timeout=20, what="sleep runs")
        for client in clients:
            client.kill()
            client.wait()
            assert client.stdin is not None
            client.stdin.close()
        # Those that wait for no input go on without their client, as with Docker.
        cli("exec", "busy", "sh", "-c", END_SLEEPERS)
        wait_until(
            settled,
            timeout=30,
            what="all processes of those who left have ended",
            evidence=lambda: cli("top", "busy").out + cli("ps", "-a").out,
        )

    def settled() -> bool:
        containers = cli("ps", "-q").lines
        table = cli("top", "busy").out
        return len(containers) == 2 and " cat" not in table and "12345" not in table

    def processes() -> Counter[str]:
        """Those of the machine; what `busy` is at is one or two of them, as it happens."""
        found = Counter(
            (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            for _, folder in machine.processes()
        )
        return Counter({words: n for words, n in found.items() if "sleep 0.05" not in words})

    vanish()
    held = descriptors(hiveletd)
    before = processes()
    for _ in range(3):
        vanish()
    wait_until(
        lambda: descriptors(hiveletd) <= held,
        timeout=30,
        what="all that was opened is closed",
        evidence=lambda: describe(hiveletd),
    )
    wait_until(
        lambda: not processes() - before,
        timeout=30,
        what="no process is left",
        evidence=lambda: "\n".join(processes() - before),
    )


def describe(daemon: Daemon) -> str:
    """What the daemon has open."""
    folder = Path(f"/proc/{daemon.pid}/fd")
    return "\n".join(sorted(os.readlink(path) for path in folder.iterdir() if path.is_symlink()))
