"""`service exec`: who is meant, what is asked of the daemon, what comes back; against a daemon that talks as Docker's does."""

from __future__ import annotations

import os
import pty
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.exec_command import ExecOptions, exec_request
from hivelet.cli.running import choose_task

PROGRAM = str(Path(sys.executable).with_name("hivelet"))
CONTAINER = "c0ffee" * 10 + "beef"


def frame(kind: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(data)) + data


@pytest.fixture
def web(daemon: FakeDaemon) -> dict[str, Any]:
    """A service of two tasks that run on this node."""
    service = daemon.add_service(
        {
            "Name": "web",
            "TaskTemplate": {"ContainerSpec": {"Image": "w"}},
            "Mode": {"Replicated": {"Replicas": 2}},
        }
    )
    for task in daemon.objects["tasks"].values():
        task["Status"]["ContainerStatus"] = {"ContainerID": f"{task['Slot']}{CONTAINER[1:]}"}
    return service


@pytest.fixture
def far(daemon: FakeDaemon) -> Callable[..., None]:
    """Makes the far side of an exec: how it talks, and its exit code."""

    def make(talk: Callable[[socket.socket], None], code: int = 0) -> None:
        for slot in (1, 2):
            daemon.answers["POST", f"/containers/{slot}{CONTAINER[1:]}/exec"] = (201, {"Id": "e1"})
        daemon.answers["GET", "/exec/e1/json"] = (200, {"Running": False, "ExitCode": code})
        daemon.answers["POST", "/exec/e1/resize"] = (200, None)
        daemon.talks["/exec/e1/start"] = talk

    return make


Run = Callable[..., Any]


def test_streams_are_taken_apart_and_the_exit_code_is_passed_on(
    hivelet: Run, daemon: FakeDaemon, web: dict[str, Any], far: Callable[..., None]
) -> None:
    def talk(sock: socket.socket) -> None:
        # Cut in the middle of a frame's head, as a network may.
        data = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"more\n")
        sock.sendall(data[:15])
        sock.sendall(data[15:])

    far(talk, code=3)
    done = hivelet("service", "exec", "-u", "app", "-e", "A=b", "web", "ls", "-l")
    assert (done.code, done.out, done.err) == (3, "out\nmore\n", "err\n")
    (asked,) = daemon.bodies("POST", f"/containers/1{CONTAINER[1:]}/exec")
    assert asked == {
        "Cmd": ["ls", "-l"],
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Privileged": False,
        "User": "app",
        "Env": ["A=b"],
    }


@pytest.mark.parametrize(
    ("ref", "slot"), [("web", 1), ("web.2", 2), ("web.1", 1), ("TASK2", 2), ("web.2.TASK2", 2)]
)
def test_who_is_meant(
    hivelet: Run,
    daemon: FakeDaemon,
    web: dict[str, Any],
    far: Callable[..., None],
    ref: str,
    slot: int,
) -> None:
    tasks = {task["Slot"]: task["ID"] for task in daemon.objects["tasks"].values()}
    far(lambda _: None)
    done = hivelet("service", "exec", ref.replace("TASK2", tasks[2]), "--", "true")
    assert done.code == 0, done.err
    (asked,) = daemon.bodies("POST", f"/containers/{slot}{CONTAINER[1:]}/exec")
    assert asked["Cmd"] == ["true"]


def test_who_cannot_be_meant(hivelet: Run, daemon: FakeDaemon, web: dict[str, Any]) -> None:
    assert (
        "no service, slot or task called nope; `hivelet service ls`"
        in hivelet("service", "exec", "nope", "sh").err
    )
    assert (
        'web has no slot "7"; `hivelet service ps web` lists them'
        in hivelet("service", "exec", "web.7", "sh").err
    )
    for task in daemon.objects["tasks"].values():
        task["Status"].update(State="rejected", Err="No such image: w")
    failed = hivelet("service", "exec", "web", "sh")
    assert failed.code == 1
    assert (
        "nothing of web is running: its newest task is rejected (No such image: w); "
        "`hivelet service ps web` shows its tasks"
    ) in failed.err
    for task in daemon.objects["tasks"].values():
        task["Status"].update(State="running")
        task["NodeID"] = "elsewhere"
    daemon.objects["nodes"]["elsewhere"] = {
        "ID": "elsewhere",
        "Spec": {},
        "Description": {"Hostname": "h2"},
    }
    assert "web runs on the node h2" in hivelet("service", "exec", "web", "sh").err


def test_the_newest_task_of_the_lowest_slot_here() -> None:
    def task(name: str, slot: int, node: str, made: str) -> dict[str, Any]:
        return {"ID": name, "Slot": slot, "NodeID": node, "CreatedAt": made}

    tasks = [task("a", 1, "there", "3"), task("b", 2, "here", "1"), task("c", 2, "here", "2")]
    assert (choose_task(tasks, "here") or {})["ID"] == "c"
    assert choose_task(tasks, "nowhere") is None


def test_a_size_and_what_is_given_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOWN", "1")
    options = ExecOptions(interactive=True, terminal=True, env=("KNOWN", "UNKNOWN"), workdir="/w")
    asked = exec_request(["sh"], options, (24, 80))
    assert (asked["ConsoleSize"], asked["Env"], asked["WorkingDir"]) == (
        [24, 80],
        ["KNOWN=1"],
        "/w",
    )
    assert asked["AttachStdin"]


def test_a_terminal_is_asked_for_only_where_one_is(hivelet: Run, web: dict[str, Any]) -> None:
    failed = hivelet("service", "exec", "-it", "web", "sh")
    assert failed.code == 1
    assert "the standard input is not a terminal; leave out -t" in failed.err


def test_input_is_passed_on_and_its_end_is_told(
    daemon: FakeDaemon, web: dict[str, Any], far: Callable[..., None]
) -> None:
    def talk(sock: socket.socket) -> None:
        told = b""
        while data := sock.recv(65536):
            told += data
        sock.sendall(frame(1, told.upper()))

    far(talk)
    words = [
        PROGRAM,
        "-H",
        daemon.host,
        "service",
        "exec",
        "-i",
        "web",
        "cat",
    ]
    done = subprocess.run(words, input=b"a" * 300_000, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"A" * 300_000


def test_a_terminal_is_raw_and_tells_its_size(
    daemon: FakeDaemon, web: dict[str, Any], far: Callable[..., None]
) -> None:
    def talk(sock: socket.socket) -> None:
        sock.sendall(b"$ ")
        told = b""
        while b"\x04" not in told:
            told += sock.recv(100)
        # Ctrl-C came as a byte, and Return as it was pressed.
        sock.sendall(repr(told).encode() + b"\r\n")

    far(talk, code=7)
    leader, follower = pty.openpty()
    words = [
        PROGRAM,
        "-H",
        daemon.host,
        "service",
        "exec",
        "-it",
        "web",
        "sh",
    ]
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    environment.pop("LINES", None)
    with subprocess.Popen(
        words, stdin=follower, stdout=follower, stderr=follower, env=environment
    ) as child:
        os.close(follower)
        said = read_until(leader, b"$ ")
        os.write(leader, b"ls\r\x03\x04")
        said += read_until(leader, b"\n")
        assert child.wait(30) == 7
    os.close(leader)
    assert rb"b'ls\r\x03\x04'" in said
    sizes = [query for _, path, query, _ in daemon.requests if path == "/exec/e1/resize"]
    assert sizes[0].keys() == {"h", "w"}


def read_until(fd: int, wanted: bytes) -> bytes:
    said, limit = b"", time.monotonic() + 30
    while wanted not in said:
        assert time.monotonic() < limit, said
        said += os.read(fd, 1000)
    return said


def test_a_command_that_is_left_alone(
    hivelet: Run, daemon: FakeDaemon, web: dict[str, Any], far: Callable[..., None]
) -> None:
    daemon.answers["POST", "/exec/e1/start"] = (200, None)
    far(lambda _: None)
    done = hivelet("service", "exec", "-d", "web", "sleep", "9")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert daemon.bodies("POST", "/exec/e1/start") == [{"Detach": True, "Tty": False}]


def test_a_refusal_says_why(hivelet: Run, daemon: FakeDaemon, web: dict[str, Any]) -> None:
    daemon.answers["POST", f"/containers/1{CONTAINER[1:]}/exec"] = (
        409,
        {"message": "it is paused"},
    )
    done = hivelet("service", "exec", "web", "true")
    assert (done.code, done.err) == (1, "Error: it is paused\n")
    daemon.answers["POST", f"/containers/1{CONTAINER[1:]}/exec"] = (201, {"Id": "e1"})
    daemon.answers["POST", "/exec/e1/start"] = (400, {"message": "no such program"})
    assert hivelet("service", "exec", "web", "true").err == "Error: no such program\n"
