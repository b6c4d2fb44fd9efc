"""What every command keeps to: colours, formats, and logs that come to an end."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from fake_daemon import FakeDaemon

from hivelet.cli import log_output
from hivelet.cli.main import hivelet as root

PROGRAM = str(Path(sys.executable).with_name("hivelet"))
Run = Callable[..., Any]


def commands(command: click.Command, words: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, f"{words} {name}".strip())


def test_whatever_lists_or_inspects_takes_a_format() -> None:
    last = {"ls", "ps", "inspect", "services", "info", "version", "events", "list"}
    listing = {w: c for w, c in commands(root) if w.rpartition(" ")[2] in last}
    assert len(listing) > 20
    without = [
        words
        for words, command in listing.items()
        if not any("--format" in option.opts for option in command.params)
    ]
    assert without == []


def on_a_terminal(*words: str, **environment: str) -> bytes:
    leader, follower = pty.openpty()
    kept = {key: os.environ[key] for key in ("PATH",)}
    child = subprocess.Popen(
        [PROGRAM, *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(follower)
    said = bytearray()
    try:
        while piece := os.read(leader, 10_000):
            said += piece
    except OSError:  # the last writer has gone
        pass
    os.close(leader)
    child.wait(60)
    return bytes(said)


@pytest.mark.parametrize("words", [("service", "ls"), ("service", "scale", "web=2")])
def test_no_color_is_no_colour(daemon: FakeDaemon, words: tuple[str, ...]) -> None:
    daemon.add_service({"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "w"}}})
    host = daemon.host if words[1] == "ls" else "unix:///nowhere"
    coloured = on_a_terminal("-H", "unix:///nowhere", *words)
    assert b"\x1b[31m" in coloured
    plain = on_a_terminal("-H", host, *words, NO_COLOR="1")
    assert b"\x1b[3" not in plain
    assert b"\x1b[1m" not in plain


def test_a_log_that_does_not_come_is_a_note(
    hivelet: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a Docker Swarm whose other machine is away."""
    monkeypatch.setattr(log_output, "_PATIENCE", 0.2)
    service = daemon.add_service({"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "w"}}})
    daemon.silent.add(f"/services/{service['ID']}/logs")
    done = hivelet("service", "logs", "web")
    assert done.code == 0
    assert done.err == (
        "Warning: the log of web ends here, for nothing more came for 0.2 s; "
        "`hivelet node ls` shows the machines\n"
    )
    for node in daemon.objects["nodes"].values():
        node["Status"]["State"] = "down"
    assert "; not to be reached: host1\n" in hivelet("service", "logs", "web").err
