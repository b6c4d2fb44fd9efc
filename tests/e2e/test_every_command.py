"""Every command for containers, images, volumes, networks and the system, by both docker CLIs and by `hivelet`, by long and short names.

One table of steps is played from its top to its end, each on what the ones before have made. A command of `docker --help` that is in no
step is listed with its reason.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.cli import Cli, Result, make_cli
from harness.daemons import Hiveletd
from harness.images import busybox_tar
from harness.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SHORT = {
    "container ls": "ps",
    "image ls": "images",
    "image rm": "rmi",
    "image inspect": "image inspect",
    "image prune": "image prune",
    "container prune": "container prune",
    "system df": "system df",
    "system prune": "system prune",
}
GROUPS = ("container", "image", "volume", "network", "system")
ELSEWHERE = {
    "image build": "the tests of builds",
    "image push": "the tests with a registry",
    "image pull": "the tests with a registry",
    "volume update": "for cluster volumes alone, which there are not",
    "login": "the tests with a registry",
    "search": "asks Docker Hub, which the daemon does not do",
}
"""Commands that are not played here, and why."""
OTHER_GROUPS = {
    "builder", "buildx", "checkpoint", "compose", "config", "container", "context", "image", "manifest", "model", "network",
    "node", "plugin", "secret", "service", "stack", "swarm", "system", "trust", "volume",
}  # fmt: skip
"""Groups by themselves; those that are not in GROUPS are no matter of this table."""


@dataclass(frozen=True)
class Step:
    """A command by its long name, its words, and what is looked for in what it prints; `goes` on for ever, and is ended."""

    command: str
    words: str = ""
    says: str = ""
    status: int = 0
    stdin: str | None = None
    goes: bool = False


STEPS = (
    Step("image import", "{tar} bb:latest", r"^sha256:[0-9a-f]{64}$"),
    Step("image ls", "-q --no-trunc", r"^sha256:[0-9a-f]{64}$"),
    Step("image tag", "bb:latest bb:two"),
    Step("image history", "--no-trunc bb:two", "Imported from"),
    Step("image inspect", "-f {{.Os}} bb:two", "^linux$"),
    Step("image save", "-o {folder}/saved.tar bb:two"),
    Step("image rm", "bb:two", "Untagged: bb:two"),
    Step("image load", "-i {folder}/saved.tar", "Loaded image: bb:two"),
    Step("volume create", "--label a=b data", "^data$"),
    Step("volume ls", "-q -f label=a=b", "^data$"),
    Step("volume inspect", "-f {{.Driver}} data", "^local$"),
    Step("network create", "--label a=b net1", "^[0-9a-f]{64}$"),
    Step("network ls", "-f label=a=b --format {{.Name}}", "^net1$"),
    Step("network inspect", "-f {{.Driver}} net1", "^bridge$"),
    Step("container run", "--rm -v data:/data bb sh -c 'echo kept >/data/file; echo ran; exit 7'", "^ran$", status=7),
    Step("container run", "--rm -i bb cat", "^typed$", stdin="typed\n"),
    Step("container run", "--rm bb /nowhere", status=127),
    Step("container run", "--rm bb /etc", status=126),
    Step("container run", "--nonsense", status=125),
    Step("container create", "--name made -v data:/data -p 8123:80 --label a=b bb sh -c 'trap exit TERM; while :; do sleep 0.1; done'", "^[0-9a-f]{64}$"),
    Step("container start", "made", "^made$"),
    Step("container ls", "-f label=a=b --format {{.Names}}", "^made$"),
    Step("container inspect", "-f {{.State.Status}} made", "^running$"),
    Step("inspect", "-f {{.Name}} made", "^/made$"),
    Step("container port", "made", r"80/tcp -> 0\.0\.0\.0:8123"),
    Step("container exec", "-e A=b made sh -c 'cat /data/file; echo $A; exit 3'", "^kept\nb$", status=3),
    Step("container exec", "made sh -c 'echo new >/made; echo said >/proc/1/fd/1'"),
    Step("container logs", "made", "^said$"),
    Step("container diff", "made", "^A /made$"),
    Step("container cp", "made:/made {folder}/copied"),
    Step("container cp", "{folder}/copied made:/tmp/back"),
    Step("container exec", "made cat /tmp/back", "^new$"),
    Step("container top", "made", "sleep|trap"),
    Step("container stats", "--no-stream --format '{{.Name}} {{.PIDs}}' made", r"^made \d+$"),
    Step("container stats", "made", goes=True),
    Step("container pause", "made", "^made$"),
    Step("container ls", "-f status=paused -q", "^[0-9a-f]{12}$"),
    Step("container unpause", "made", "^made$"),
    Step("container rename", "made renamed"),
    Step("container update", "--memory 64m --memory-swap 64m renamed", "^renamed$"),
    Step("container inspect", "-f {{.HostConfig.Memory}} renamed", "^67108864$"),
    Step("container commit", "-m message renamed committed:1", r"^sha256:[0-9a-f]{64}$"),
    Step("container export", "-o {folder}/exported.tar renamed"),
    Step("container restart", "-t 5 renamed", "^renamed$"),
    Step("container attach", "--no-stdin renamed", goes=True),
    Step("network disconnect", "bridge renamed"),
    Step("network connect", "net1 renamed"),
    Step("container stop", "-t 5 renamed", "^renamed$"),
    Step("container wait", "renamed", r"^\d+$"),
    Step("container start", "renamed", "^renamed$"),
    Step("container kill", "renamed", "^renamed$"),
    Step("container rm", "renamed", "^renamed$"),
    Step("container create", "--name stopped bb true"),
    Step("container prune", "-f", "Deleted Containers:"),
    Step("system df", "", "^Images"),
    Step("system df", "-v", "Containers space usage"),
    Step("system info", "", "Server Version"),
    Step("info", "-f {{.OSType}}", "^linux$"),
    Step("version", "-f {{.Server.Os}}", "^linux$"),
    Step("system events", "--since 10m --until 0s -f type=container -f event=rename --format {{.Action}}", "^rename$"),
    Step("volume rm", "data", "^data$"),
    Step("volume create", "unused"),
    Step("volume prune", "-f", "Total reclaimed space"),
    Step("volume rm", "-f unused"),
    Step("network prune", "-f", "Deleted Networks:\nnet1"),
    Step("network create", "net2"),
    Step("network rm", "net2", "^net2$"),
    Step("image prune", "-f", "Total reclaimed space"),
    Step("system prune", "-f", "Total reclaimed space"),
    Step("system events", "--since 10m --until=-1s -f event=prune -f type=network --format {{.Action}}", "^prune\nprune$"),
    Step("system events", "--since 10m --until=-1s -f event=prune -f type=volume --format {{.Action}}", "^prune$"),
    Step("image rm", "committed:1", "Untagged: committed:1"),
    Step("logout", "registry.example.com", "Not logged in|Removing login"),
)  # fmt: skip


def words_of(step: Step, form: str) -> list[str]:
    """The command's name in a form."""
    if form == "long":
        return step.command.split()
    group, _, verb = step.command.partition(" ")
    own = SHORT.get(step.command, verb if group in {"container", "image", "system"} else "")
    return (own or step.command).split()


@pytest.fixture
def daemon() -> Iterator[Hiveletd]:
    """A daemon of its own for each play."""
    with Machine("every") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        yield daemon
        assert daemon.stop() == 0


def play(cli: Cli, step: Step, form: str, places: dict[str, str]) -> None:
    """One step."""
    import shlex

    words = [*words_of(step, form)]
    for word in shlex.split(step.words):
        for name, place in places.items():
            word = word.replace("{" + name + "}", place)
        words.append(word)
    if step.goes:
        until_it_speaks(cli, words)
        return
    result: Result = cli(*words, status=step.status, stdin=step.stdin)
    if step.says:
        assert re.search(step.says, result.out, re.MULTILINE), f"{words}: {result.out}{result.err}"


def until_it_speaks(cli: Cli, words: list[str]) -> None:
    """A command that goes on is there for a moment, and then ended by the one who called it."""
    with subprocess.Popen(
        [*cli.argv, *words],
        env=dict(cli.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    ) as process:
        limit = time.monotonic() + 0.5
        while time.monotonic() < limit:
            assert process.poll() is None, (words, process.stdout and process.stdout.read())
            time.sleep(0.05)
        process.kill()


@pytest.mark.parametrize("form", ["long", "short"])
@pytest.mark.parametrize("name", ["docker-28", "docker-20", "hivelet"])
def test_every_command_is_driven(name: str, form: str, daemon: Hiveletd, tmp_path: Path) -> None:
    cli = make_cli(name, daemon.host, daemon.machine.dir)
    places = {"tar": str(busybox_tar(tmp_path / "bb.tar")), "folder": str(tmp_path)}
    for step in STEPS:
        play(cli, step, form, places)
    cli("image", "rm", "-f", "bb:latest", "bb:two")
    assert cli("ps", "-aq").out == cli("images", "-q").out == cli("volume", "ls", "-q").out == ""


def commands_of(cli: Cli, *group: str) -> set[str]:
    """What the docker CLI lists in the help of a group, or at its top."""
    said = cli(*group, "--help").out
    return set(re.findall(r"^  ([a-z]+)\*?  ", said.partition("ommands:\n")[2], re.MULTILINE))


def test_no_command_is_forgotten(daemon: Hiveletd) -> None:
    docker = make_cli("docker-28", daemon.host, daemon.machine.dir)
    hivelet = make_cli("hivelet", daemon.host, daemon.machine.dir)
    there = {f"{group} {name}" for group in GROUPS for name in commands_of(docker, group)}
    there |= commands_of(docker) - OTHER_GROUPS
    played = {" ".join(words_of(step, form)) for step in STEPS for form in ("long", "short")}
    left_out = set(ELSEWHERE) | {" ".join(words_of(Step(c), "short")) for c in ELSEWHERE}
    left_out |= {"exec"} if "exec" not in there else set()
    assert there - played - left_out == set()
    # And hivelet has each of them, but for those that nobody could use.
    none = {"volume update", "search", "image build", "build", "image push", "push"}
    for words in sorted(there - none):
        hivelet(*words.split(), "--help")
