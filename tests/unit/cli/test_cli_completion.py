"""TAB: commands, options, and the names that the daemon knows; nothing, quickly and silently, where it does not answer."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import click
import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.complete_names import FINDERS, kind_of
from hivelet.cli.main import hivelet

PROGRAM = str(Path(sys.executable).with_name("hivelet"))


@pytest.fixture
def filled(daemon: FakeDaemon) -> FakeDaemon:
    for name, stack in (("app_web", "app"), ("app_worker", "app"), ("other", "")):
        labels = {"com.docker.stack.namespace": stack} if stack else {}
        daemon.add_service(
            {"Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": {"Image": "i"}}}
        )
    for kind in ("secrets", "configs"):
        daemon.objects[kind]["o"] = {"ID": "o", "Spec": {"Name": f"my_{kind}"}}
    daemon.objects["networks"]["n"] = {"Id": "n", "Name": "backend"}
    return daemon


def complete(host: str, line: str, **environment: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    done = subprocess.run(
        [PROGRAM],
        env={
            "PATH": os.environ["PATH"],
            "HIVELET_HOST": host,
            "_HIVELET_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return [entry.partition(",")[2] for entry in done.stdout.splitlines() if entry]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hivelet serv", ["service"]),
        ("hivelet service resta", ["restart"]),
        ("hivelet service ps --no-r", ["--no-resolve"]),
        ("hivelet service ps ", ["app_web", "app_worker", "other"]),
        ("hivelet service ps app_w", ["app_web", "app_worker"]),
        ("hivelet service rm app_web app", ["app_worker"]),
        ("hivelet service scale app_we", ["app_web="]),
        ("hivelet service exec app_web", ["app_web", "app_web.1"]),
        ("hivelet stack ps ", ["app"]),
        ("hivelet stack rm a", ["app"]),
        ("hivelet node inspect h", ["host1"]),
        ("hivelet network rm b", ["backend"]),
        ("hivelet service create --network ", ["backend"]),
        ("hivelet service update --secret-add my", ["my_secrets"]),
        ("hivelet secret rm ", ["my_secrets"]),
        ("hivelet config inspect ", ["my_configs"]),
        ("hivelet completion f", ["fish"]),
    ],
)
def test_names_are_offered(filled: FakeDaemon, line: str, offered: list[str]) -> None:
    assert complete(filled.host, line) == offered


def test_the_daemon_that_is_typed_is_asked(filled: FakeDaemon) -> None:
    line = f"hivelet -H {filled.host} service ps oth"
    assert complete("unix:///nowhere", line) == ["other"]


def test_contexts_are_offered(tmp_path: Path) -> None:
    folder = tmp_path / "contexts" / "meta" / sha256(b"far").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": "far"}))
    assert complete("", "hivelet --context ", DOCKER_CONFIG=str(tmp_path)) == ["default", "far"]


def test_nothing_is_said_where_nobody_answers(tmp_path: Path) -> None:
    assert complete(f"unix://{tmp_path}/none", "hivelet service ps ") == []
    # A daemon that takes the connection and says nothing is given up on.
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        begun = time.monotonic()
        assert complete(f"unix://{tmp_path}/deaf", "hivelet service ps ") == []
        assert time.monotonic() - begun < 20


def test_ssh_is_not_let_ask(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho password? >&2\nexit 255\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert complete("ssh://far", "hivelet service ps ", PATH=path) == []
    assert "-o BatchMode=yes" in (tmp_path / "asked").read_text()


def test_every_place_holder_of_a_name_is_completed() -> None:
    """A new command's argument is completed as soon as it is called by its noun."""
    nouns = {
        "SERVICE",
        "STACK",
        "NODE",
        "NETWORK",
        "SECRET",
        "CONFIG",
        "VOLUME",
        "CONTAINER",
        "IMAGE",
    }
    found = set()

    def walk(command: click.Command) -> None:
        context = click.Context(command)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner)
        found.update(kind_of(p) for p in command.params if isinstance(p, click.Argument))

    walk(hivelet)
    assert nouns <= found
    assert found - {""} <= set(FINDERS)


BASH = """. {script}
COMP_WORDS=(hivelet stack ps a) COMP_CWORD=3; _hivelet_completion hivelet; echo "${{COMPREPLY[@]}}"
"""
FISH = """source {script}
complete -C "hivelet stack ps a"
"""
# zsh completes only where somebody types.
ZSH = """autoload -Uz compinit && compinit -u -D
compdef() {{ }}; compadd() {{ local name=$@[-1]; print "${{(P)name}}" }}
words=(hivelet stack ps a) CURRENT=4
. {script}
_hivelet_completion
"""


@pytest.mark.parametrize(("shell", "line"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_the_shells_complete(shell: str, line: str, tmp_path: Path, filled: FakeDaemon) -> None:
    script = tmp_path / "script"
    with script.open("w") as file:
        subprocess.run([PROGRAM, "completion", shell], stdout=file, check=True, timeout=60)
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [program, "-c", line.format(script=script)],
        env={
            "HIVELET_HOST": filled.host,
            "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split()[-1:] == ["app"], done.stdout + done.stderr
