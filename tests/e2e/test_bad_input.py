"""Bad input: one clear error each, and nothing changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import programs
from harness.cli import CLIS, Cli, make_cli
from harness.machine import Machine
from harness.swarm import Swarm
from harness.traffic import burst
from harness.waiting import wait_until

GOOD = """
version: "3"
services:
  web:
    image: web:latest
    ports: ["8080:8000"]
    deploy:
      replicas: 2
"""
SERVE = "import socket,signal; s=socket.create_server(('0.0.0.0', 8080)); print('up', flush=True); signal.pause()"


@pytest.fixture
def hivelet(swarm: Swarm) -> Cli:
    """hivelet's own command line for the swarm."""
    return make_cli("hivelet", swarm.daemon.host, swarm.machine.dir)


def state(swarm: Swarm) -> tuple[list[str], list[str], list[str]]:
    """What a refused command must not change."""
    services = swarm.cli(
        "service", "ls", "--format", "{{.ID}} {{.Name}} {{.Image}} {{.Ports}}"
    ).lines
    networks = swarm.cli("network", "ls", "--format", "{{.ID}} {{.Name}}").lines
    return sorted(services), sorted(networks), sorted(swarm.cli("ps", "-q").lines)


def deploy(folder: Path, text: str) -> tuple[str, ...]:
    """The words that deploy a stack from this text."""
    file = folder / "stack.yml"
    file.write_text(text)
    return ("stack", "deploy", "--timeout", "20s", "-c", str(file), "bad")


def test_an_unknown_key_is_refused_with_its_place(
    swarm: Swarm, hivelet: Cli, tmp_path: Path
) -> None:
    """The seed's own typing error."""
    before = state(swarm)
    said = hivelet.fails(*deploy(tmp_path, GOOD.replace("deploy:", "delopy:"))).err
    assert "stack.yml" in said
    assert ":7" in said or "line 7" in said
    assert "delopy" in said
    assert "deploy" in said.replace("delopy", "")
    assert state(swarm) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            GOOD.replace("replicas: 2", "replicas: many"),
            ["stack.yml", "replicas", "many"],
            id="not-a-number",
        ),
        pytest.param(
            GOOD.replace("replicas: 2", "replicas: -1"), ["replicas", "-1"], id="negative"
        ),
        pytest.param("services: [web\n", ["stack.yml"], id="not-yaml"),
        pytest.param("just words\n", ["stack.yml"], id="not-a-mapping"),
        pytest.param("", ["stack.yml"], id="empty"),
    ],
)
def test_a_bad_file_is_refused(
    swarm: Swarm, hivelet: Cli, tmp_path: Path, text: str, words: list[str]
) -> None:
    before = state(swarm)
    said = hivelet.fails(*deploy(tmp_path, text)).err
    assert all(word in said for word in words), said
    assert state(swarm) == before


def test_a_file_that_cannot_be_read_is_named(hivelet: Cli, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yml", tmp_path):
        said = hivelet.fails("stack", "deploy", "-c", str(path), "bad").err
        assert str(path) in said


@pytest.mark.parametrize("name", CLIS)
def test_an_invalid_replica_count_is_refused(swarm: Swarm, name: str) -> None:
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    swarm.create("web", 1)
    before = state(swarm)
    assert (
        "-1"
        in cli.fails(
            "service", "create", "--detach", "--name", "bad", "--replicas", "-1", "web:latest"
        ).err
    )
    assert "many" in cli.fails("service", "scale", "--detach", "web=many").err
    assert "nobody" in cli.fails("service", "scale", "--detach", "nobody=2").err
    assert state(swarm) == before


@pytest.mark.parametrize("name", CLIS)
def test_a_missing_image_is_told_in_full(swarm: Swarm, name: str) -> None:
    """In `service ps --no-trunc`, whole, and without giving the service up."""
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    image = "nowhere.test/team/an-image-with-quite-a-long-name-that-no-table-has-room-for:1"
    cli("service", "create", "--detach", "--no-resolve-image", "--name", "ghost", image)

    def told() -> bool:
        said = cli(
            "service", "ps", "--no-trunc", "--format", "{{.CurrentState}}|{{.Error}}", "ghost"
        ).lines
        return any(line.startswith("Rejected") and image in line.partition("|")[2] for line in said)

    wait_until(told, timeout=30, what="service ps names the image", evidence=swarm.story)
    assert swarm.replicas("ghost") == (0, 1)


def test_hivelet_waits_for_a_missing_image_only_so_long(
    swarm: Swarm, hivelet: Cli, tmp_path: Path
) -> None:
    """Its own `stack deploy` ends with an error that has the failing task's words."""
    said = hivelet.fails(
        *deploy(tmp_path, GOOD.replace("web:latest", "nowhere.test/missing:1")), timeout=90
    ).err
    assert "nowhere.test/missing:1" in said


@pytest.mark.parametrize("name", CLIS)
def test_a_port_of_another_service_is_refused(swarm: Swarm, name: str) -> None:
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    swarm.create("first", 2, "--publish", "8080:8000")
    before = state(swarm)
    words = (
        "--detach",
        "--no-resolve-image",
        "--name",
        "second",
        "--publish",
        "8080:8000",
        "web:latest",
    )
    said = cli.fails("service", "create", *words).err
    assert "8080" in said
    assert "first" in said
    assert state(swarm) == before
    assert len(burst(swarm.machine, "http://127.0.0.1:8080/cgi-bin/whoami", 4).tally()) == 2


def test_a_port_of_another_stack_is_refused(swarm: Swarm, hivelet: Cli, tmp_path: Path) -> None:
    swarm.create("first", 1, "--publish", "8080:8000")
    said = hivelet.fails(*deploy(tmp_path, GOOD)).err
    assert "8080" in said
    assert "first" in said
    assert "bad_web" not in swarm.cli("service", "ls").out


def test_a_port_of_a_foreign_process_is_told(swarm: Swarm, hivelet: Cli, tmp_path: Path) -> None:
    """Who holds the port is named, and goes on being reached; once it has gone, the service comes up by itself."""
    holder = swarm.machine.popen([sys.executable, "-S", "-c", SERVE])
    listening = ["ss", "-Hltn", "sport", "=", ":8080"]
    wait_until(lambda: swarm.machine.run(listening).stdout, timeout=10, what="8080 is taken")
    said = hivelet.fails(*deploy(tmp_path, GOOD), timeout=90).err
    assert "8080" in said
    assert "python" in said
    connect = ["curl", "-s", "-m", "1", "telnet://127.0.0.1:8080"]
    assert swarm.machine.run(connect, check=False, stdin=subprocess.DEVNULL).returncode == 28, (
        "the holder is no longer reached"
    )
    holder.end()
    hivelet(*deploy(tmp_path, GOOD), timeout=90)
    swarm.until_running("bad_web", 2)


@pytest.mark.parametrize("name", CLIS)
def test_without_a_daemon_there_is_one_clear_error(name: str, tmp_path: Path) -> None:
    cli = make_cli(name, f"unix://{tmp_path}/nobody.sock", tmp_path)
    for words in (("service", "ls"), ("version",), ("stack", "services", "myapp")):
        said = cli.fails(*words).err
        assert f"{tmp_path}/nobody.sock" in said
        if name == "hivelet":
            assert len(said.strip().splitlines()) <= 2, said


@pytest.mark.parametrize("name", CLIS)
def test_outside_a_swarm_it_says_how_to_begin(swarm: Swarm, name: str) -> None:
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    swarm.cli("swarm", "leave", "--force")
    assert "swarm init" in cli.fails("service", "ls").err


def test_hiveletd_wants_root(machine: Machine) -> None:
    """One line, before anything is made."""
    words = ["unshare", "--user", *programs.hiveletd(), "--root", str(machine.dir / "nobody")]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(programs.SOURCES / "src")}
    done = machine.run(words, check=False, env=env)
    assert done.returncode == 1
    assert "root" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (machine.dir / "nobody").exists()
