"""`docker exec` against containers of services, as people look into a stack: by both docker CLIs and by docker-py."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.machine import Machine
from harness.swarm import Swarm
from harness.terminal import Terminal
from harness.waiting import GaveUp, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def container(swarm: Swarm) -> str:
    """A running container."""
    swarm.create("web", 1)
    (found,) = swarm.container_ids("web")
    return found


@pytest.fixture(params=["docker-28", "docker-20", "hivelet"])
def cli(request: pytest.FixtureRequest, machine: Machine, hiveletd: Daemon) -> Cli:
    """Each command line."""
    return make_cli(request.param, hiveletd.host, machine.dir)


def test_output_input_and_exit_code(swarm: Swarm, container: str, cli: Cli) -> None:
    done = cli("exec", container, "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert (done.out, done.err) == ("out\n", "err\n")
    text = "".join(f"line {n}\n" for n in range(20_000))
    assert cli("exec", "-i", container, "cat", stdin=text).out == text
    words = ["-e", "GREETING=hello", "-w", "/tmp", "-u", "33:44"]
    script = "echo $GREETING $HOSTNAME; pwd; id -u; id -g"
    said = cli("exec", *words, container, "sh", "-c", script).lines
    assert said == [f"hello {container[:12]}", "/tmp", "33", "44"]
    missing = cli("exec", container, "nope", status=127)
    assert 'exec: "nope": executable file not found in $PATH' in missing.out + missing.err
    assert "No such container: nowhere" in cli.fails("exec", "nowhere", "true").err
    assert cli("exec", "-d", container, "sh", "-c", "echo done >/tmp/done").out == ""
    wait_until(
        lambda: cli("exec", container, "cat", "/tmp/done", status=None).out == "done\n",
        timeout=10,
        what="the detached command has run",
    )
    everything = cli("exec", "--privileged", container, "sh", "-c", "grep CapEff /proc/self/status")
    plain = cli("exec", container, "sh", "-c", "grep CapEff /proc/self/status")
    assert int(everything.out.split()[1], 16) > int(plain.out.split()[1], 16)


def test_a_terminal(swarm: Swarm, container: str, cli: Cli) -> None:
    with Terminal(cli, "exec", "-it", container, "sh", rows=31, columns=97) as terminal:
        terminal.until("# ")
        terminal.type("stty size; echo $TERM\n")
        terminal.until("31 97")
        terminal.until("xterm")
        terminal.resize(40, 100)
        wait_until(
            lambda: terminal.answers("stty size\n", "40 100"), timeout=10, what="the size is known"
        )
        terminal.type("exit 5\n")
        assert terminal.wait() == 5


def test_detach_keys_leave_the_process(swarm: Swarm, container: str, cli: Cli) -> None:
    with Terminal(
        cli, "exec", "-it", container, "sh", "-c", "echo on; exec sleep 4321"
    ) as terminal:
        terminal.until("on")
        terminal.type("\x10\x11")
        terminal.until("read escape sequence")
        terminal.wait()
    assert "sleep 4321" in cli("top", container).out


def test_a_client_that_vanishes_leaves_nothing_in_the_daemon(
    swarm: Swarm, container: str, docker: Cli, hiveletd: Daemon
) -> None:
    def open_files() -> int:
        return len(os.listdir(f"/proc/{hiveletd.pid}/fd"))

    def vanish() -> None:
        clients = [Terminal(docker, "exec", "-i", container, "cat") for _ in range(3)]
        for client in clients:
            client.type("on\n")
            client.until("on\r\non\r\n")
            client.kill()

    docker("exec", container, "true")
    vanish()
    before = open_files()
    for _ in range(3):
        vanish()
    wait_until(lambda: open_files() <= before, timeout=20, what="all that was opened is closed")
    # Their input has ended, and they with it.
    wait_until(
        lambda: " cat" not in docker("top", container).out, timeout=10, what="no cat is left"
    )


def test_fifty_at_once(swarm: Swarm, container: str) -> None:
    # By docker's own client: docker-py loses output that comes in one packet with the answer's head, as it reads the
    # head through a buffer and the stream beside it.
    def run(number: int) -> str:
        script = f"echo {number}; exit {number}"
        return swarm.cli("exec", container, "sh", "-c", script, status=number).out

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(run, range(50))) == [f"{n}\n" for n in range(50)]


def test_a_slow_reader_holds_the_process_up_and_not_the_daemons_memory(
    swarm: Swarm, container: str, hiveletd: Daemon
) -> None:
    with swarm.api() as api:
        script = "head -c 100000000 /dev/zero; echo finished >/tmp/finished"
        made = api.exec_create(container, ["sh", "-c", script])
        connection = api.exec_start(made["Id"], socket=True)
        raw: socket.socket = connection._sock
        raw.recv(1000)
        pid = hiveletd.pid
        before = resident(pid)
        with pytest.raises(GaveUp):
            wait_until(lambda: not api.exec_inspect(made["Id"])["Running"], timeout=2, what="-")
        assert resident(pid) - before < 4 << 20
        received = 1000
        while data := raw.recv(1 << 20):
            received += len(data)
        assert received > 100_000_000
        assert resident(pid) - before < 16 << 20
        assert api.exec_inspect(made["Id"])["ExitCode"] == 0
        connection._response.close()
        connection.close()


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_process_outlives_the_daemon(
    swarm: Swarm, container: str, docker: Cli, hiveletd: Daemon
) -> None:
    docker("exec", "-d", container, "sh", "-c", "sleep 987; exit 3")
    hiveletd.kill()
    hiveletd.start()
    assert "sleep 987" in docker("top", container).out


def test_events(swarm: Swarm, container: str, docker: Cli) -> None:
    docker("exec", container, "sh", "-c", "exit 3", status=3)
    words = ["--filter", f"container={container}", "--format", "{{json .}}"]

    def look() -> list[Any]:
        said = docker("events", "--since", "5m", "--until", "0s", *words).lines
        return [event for line in said if "exec_" in (event := json.loads(line))["Action"]]

    wait_until(lambda: len(look()) == 3, timeout=10, what="the events are told")
    events = look()
    assert [e["Action"] for e in events] == [
        "exec_create: sh -c exit 3", "exec_start: sh -c exit 3", "exec_die",
    ]  # fmt: skip
    attributes = events[-1]["Actor"]["Attributes"]
    assert attributes["exitCode"] == "3"
    assert len(attributes["execID"]) == 64
