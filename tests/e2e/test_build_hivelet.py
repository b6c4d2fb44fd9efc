"""`hivelet build`, and `build` in stack files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness.cli import Cli
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def folder(machine: Machine, docker: Cli) -> Path:
    """A folder to build from, with the image bb."""
    import_busybox(docker, machine.dir)
    folder = machine.dir / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "Dockerfile").write_text('FROM bb\nARG WORD\nCOPY . /all/\nRUN echo "$WORD" >/word\n')
    (folder / ".dockerignore").write_text("**/*.secret\n")
    (folder / "sub/a.secret").write_text("hidden")
    (folder / "sub/shown").write_text("shown")
    return folder


def image(cli: Cli, name: str) -> Any:
    """An image, as the daemon has it."""
    return json.loads(cli("image", "inspect", name).out)[0]


def test_a_folder(hivelet_cli: Cli, docker: Cli, folder: Path, machine: Machine) -> None:
    words = [
        "-t",
        "made:1",
        "-t",
        "made",
        "--build-arg",
        "WORD",
        "--label",
        "l=1",
        "--iidfile",
        str(machine.dir / "id"),
    ]
    said = hivelet_cli("build", *words, str(folder), env={"WORD": "of the environment"})
    assert "Step 1/5 : FROM bb" in said.out
    assert said.lines[-2:] == ["Successfully tagged made:1", "Successfully tagged made:latest"]
    found = image(hivelet_cli, "made:1")
    assert (machine.dir / "id").read_text() == found["Id"]
    assert found["Config"]["Labels"] == {"l": "1"}
    shown = docker("run", "--rm", "made", "sh", "-c", "cat /word; find /all -type f | sort").lines
    assert shown == [
        "of the environment",
        "/all/.dockerignore",
        "/all/Dockerfile",
        "/all/sub/shown",
    ]
    said = hivelet_cli("image", "build", "-q", str(folder), cwd=folder)
    assert said.out.startswith("sha256:")
    assert hivelet_cli("build", "-q", ".", cwd=folder).out == said.out


def test_dockerfiles_elsewhere_and_from_standard_input(
    hivelet_cli: Cli, docker: Cli, folder: Path, machine: Machine
) -> None:
    (folder / "sub/Other").write_text("FROM bb\nCOPY sub/shown /\n")
    hivelet_cli("build", "-t", "inside", "-f", "sub/Other", ".", cwd=folder)
    (machine.dir / "Outside").write_text("FROM bb\nCOPY sub/shown /outside\n")
    hivelet_cli("build", "-t", "outside", "-f", str(machine.dir / "Outside"), str(folder))
    assert docker("run", "--rm", "outside", "cat", "/outside").out == "shown"
    hivelet_cli(
        "build", "-t", "piped", "-f", "-", str(folder), stdin="FROM bb\nCOPY sub/shown /piped\n"
    )
    assert docker("run", "--rm", "piped", "cat", "/piped").out == "shown"
    hivelet_cli("build", "-t", "alone", "-", stdin="FROM bb\nRUN echo alone >/alone\n")
    assert docker("run", "--rm", "alone", "cat", "/alone").out == "alone\n"
    tar = subprocess.run(
        ["tar", "-C", str(folder), "-cz", "."], capture_output=True, check=True
    ).stdout
    done = subprocess.run(
        [*hivelet_cli.argv, "build", "-t", "tarred", "--target", "", "-"],
        env=dict(hivelet_cli.env),
        input=tar,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_failures(hivelet_cli: Cli, folder: Path) -> None:
    said = hivelet_cli.fails("build", "-", stdin="FROM bb\nRUN echo first; exit 9\n")
    assert said.status == 9
    assert "first" in said.out
    assert "returned a non-zero code: 9" in said.err
    assert "there is no Dockerfile" in hivelet_cli.fails("build", str(folder / "sub")).err
    assert (
        "no such folder"
        in hivelet_cli.fails("build", "-f", "-", str(folder / "nope"), stdin="x").err
    )
    assert "cannot be read" in hivelet_cli.fails("build", "-f", "nope", str(folder)).err
    assert "cannot be both" in hivelet_cli.fails("build", "-f", "-", "-").err
    assert "unknown instruction" in hivelet_cli.fails("build", "-", stdin="FROM bb\nNOPE x\n").err
    assert "invalid reference format" in hivelet_cli.fails("build", "-t", "UPPER", str(folder)).err


STACK = """\
services:
  web:
    build:
      context: ./folder
      args: {WORD: from the stack}
      labels: {l: "2"}
      ssh: [default]
    command: sleep 1000
  worker:
    image: named:7
    build:
      context: folder
      dockerfile_inline: |
        FROM bb AS one
        RUN echo one >/one
        FROM one AS two
        RUN echo two >/two
      target: one
    command: sleep 1000
  plain:
    image: bb
    command: sleep 1000
"""


def test_a_stack_is_built_and_deployed(
    hivelet_cli: Cli, docker: Cli, folder: Path, swarm: Swarm, machine: Machine
) -> None:
    stack = machine.dir / "stack.yml"
    stack.write_text(STACK)
    assert "image" in hivelet_cli.fails("stack", "deploy", "-c", str(stack), "s").err
    said = hivelet_cli("stack", "build", "-c", str(stack), "s")
    assert "ssh" in said.err
    assert image(hivelet_cli, "s-web:latest")["Config"]["Labels"] == {"l": "2"}
    assert image(hivelet_cli, "named:7")
    hivelet_cli("image", "rm", "s-web", "named:7")
    said = hivelet_cli(
        "stack", "deploy", "--build", "-c", str(stack), "--timeout", "2m", "s", timeout=150
    )
    specs = {
        service["Spec"]["Name"]: service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        for service in json.loads(docker("service", "inspect", "s_web", "s_worker", "s_plain").out)
    }
    ids = {name: image(hivelet_cli, name)["Id"][7:19] for name in ("named:7", "s-web")}
    assert specs["s_worker"] == f"named:built-{ids['named:7']}"
    assert specs["s_web"] == f"s-web:built-{ids['s-web']}"
    # The same result restarts nothing, with and without a build.
    again = hivelet_cli(
        "stack", "deploy", "--build", "-c", str(stack), "--timeout", "2m", "s", timeout=150
    )
    assert "nothing to do" in again.out, again.out
    (folder / "sub/shown").write_text("changed")
    before = image(hivelet_cli, "s-web:latest")["Id"]
    hivelet_cli(
        "stack", "deploy", "--build", "-y", "-c", str(stack), "--timeout", "2m", "s", timeout=150
    )
    assert image(hivelet_cli, "s-web:latest")["Id"] != before
    used = {
        container["Image"]
        for line in docker(
            "ps", "-q", "--filter", "label=com.docker.swarm.service.name=s_web"
        ).lines
        for container in json.loads(docker("inspect", line).out)
    }
    assert used == {image(hivelet_cli, "s-web:latest")["Id"]}
    hivelet_cli("stack", "rm", "s")
