"""The docker command line and `hivelet` beside each other on one daemon: every list says the same, in every form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STACK = """
services:
  web:
    image: web:latest
    deploy: {replicas: 2, labels: {tier: front}}
    ports: ["8080:8000", "8081:8000"]
    networks: [back]
  job:
    image: bb:latest
    command: ["true"]
    deploy: {mode: replicated-job, replicas: 1}
    networks: [back]
  bad:
    image: bb:latest
    command: ["sh", "-c", "echo no; exit 3"]
    deploy: {restart_policy: {condition: none}}
    networks: [back]
  wide:
    image: bb:latest
    command: ["sleep", "1000"]
    deploy: {mode: global, labels: {com.hivelet.ready-timeout: 0s}}
    ports: [{target: 9000, published: 9100, protocol: udp, mode: host}]
    networks: [back]
networks:
  back: {driver: overlay, labels: {part: a}}
"""

LISTS: dict[str, str] = {
    "service ls": "table {{.ID}}\\t{{.Name}}\\t{{.Replicas}}",
    "service ps one app_web": "table {{.Name}}\\t{{.CurrentState}}",
    "stack ls": "{{.Name}} has {{.Services}}",
    "stack services app": "{{upper .Name}} {{.Ports}}",
    "stack ps app": "{{.Name}}: {{.Error}}",
    "node ls": "table {{.Hostname}}\\t{{.Self}}",
    "node ps self": "{{.Name}}",
    "network ls": "table {{.ID}}\\t{{.Labels}}",
    "volume ls": "table {{.Name}}\\t{{.Mountpoint}}",
    "image ls": "{{.Repository}}:{{.Tag}} {{.Size}}",
    "secret ls": "{{.Name}} {{.Labels}}",
    "config ls": "table {{.ID}}\\t{{.Name}}",
    "ps -a": "table {{.Names}}\\t{{.Status}}\\t{{.Ports}}",
}
MORE = {
    "service ls": ["--filter name=app_", "-f mode=global"],
    "service ps one app_web": ["--no-trunc", "--no-resolve", "-f desired-state=running"],
    "stack services app": ["-f name=app_web"],
    "stack ps app": ["--no-trunc", "--no-resolve"],
    "node ls": ["-f role=manager"],
    "node ps self": ["--no-trunc"],
    "network ls": ["--no-trunc", "-f driver=overlay"],
    "volume ls": ["-f name=data"],
    "image ls": ["--no-trunc", "--digests", "-a"],
    "secret ls": ["-f name=key"],
    "config ls": ["-f label=a=b"],
    "ps -a": ["--no-trunc", "-f name=app_web", "-n 2", "-s"],
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Cli]]:
    """Both command lines, on a daemon that has a bit of everything."""
    with Machine("side") as machine:
        hiveletd = Hiveletd(machine)
        hiveletd.start()
        docker = make_cli("docker-28", hiveletd.host, machine.dir)
        hivelet = make_cli("hivelet", hiveletd.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("image", "tag", "bb:latest", "registry.example.com/team/bb:1")
        docker("swarm", "init")
        swarm = Swarm(machine, hiveletd, docker)
        fill(docker, swarm, tmp_path_factory.mktemp("stack") / "stack.yml")
        yield docker, hivelet
        assert hiveletd.stop() == 0


def fill(docker: Cli, swarm: Swarm, file: Path) -> None:
    """Services of every kind, tasks of every fate, and all else that is listed."""
    docker("volume", "create", "--label", "x=y", "data")
    docker("network", "create", "-d", "overlay", "--attachable", "own")
    docker("network", "create", "local")
    docker("secret", "create", "-l", "a=b", "key", "-", stdin="secret")
    docker("config", "create", "-l", "a=b", "conf", "-", stdin="config")
    swarm.create("one", 1, "--publish", "7000:8000", "--mount", "source=data,target=/data")
    file.write_text(STACK)
    docker("stack", "deploy", "--detach", "-c", str(file), "app")
    for name, replicas in (("app_web", 2), ("app_wide", 1)):
        swarm.until_running(name, replicas)
    docker("service", "update", "--detach", "--force", "one")
    ended = {"app_job": "complete", "app_bad": "failed", "one": "shutdown"}
    for name, state in ended.items():
        wait_until(
            lambda name=name, state=state: [  # type: ignore[misc]
                task for task in swarm.tasks(name) if task["Status"]["State"] == state
            ],
            timeout=60,
            what=f"a task of {name} is {state}",
            evidence=swarm.story,
        )
    swarm.until_running("one", 1)


_AGE = re.compile(r"(Less than an?|About an?|\d+) (second|minute|hour)s?", re.IGNORECASE)
_MAPS = re.compile(r'"(Labels|Networks)":"([^"]*)"')


def same(pair: tuple[Cli, Cli], *words: str) -> str:
    """What both print; asked again where a second went by between them."""
    docker, hivelet = pair
    for _ in range(3):
        before, mine, after = docker(*words).out, hivelet(*words).out, docker(*words).out
        if mine in (before, after):
            return mine
    assert settled(mine) == settled(after), " ".join(words)
    return mine


def settled(text: str) -> str:
    """Without what time and chance make of it: ages, whose width moves the columns, and docker's order of maps."""
    ageless = re.sub(" +", " ", _AGE.sub("some time", text))
    return _MAPS.sub(lambda found: f'"{found[1]}":"{in_order(found[2])}"', ageless)


def in_order(names: str) -> str:
    """Labels or networks by name: docker prints a map of Go's, whose order is another one each time."""
    return ",".join(sorted(names.split(",")))


@pytest.mark.parametrize("command", LISTS)
def test_the_tables_are_the_same(daemon: tuple[Cli, Cli], command: str) -> None:
    words = command.split()
    table = same(daemon, *words)
    assert len(table.splitlines()) > 1
    for more in MORE.get(command, []):
        same(daemon, *with_options(words, *more.split()))


@pytest.mark.parametrize("command", LISTS)
def test_the_formats_are_the_same(daemon: tuple[Cli, Cli], command: str) -> None:
    words = command.split()
    for form in (LISTS[command], "json", "{{json .}}", "table", "{{.Nix}}"):
        if form == "{{.Nix}}":
            for cli in daemon:
                cli.fails(*with_options(words, "--format", form))
        else:
            same(daemon, *with_options(words, "--format", form))
    if command not in {"stack ls"}:
        same(daemon, *with_options(words, "-q"))
    docker, _ = daemon
    for field in docker.json(*words)[0]:
        form = f"{{{{.{field}}}}}"
        if field in {"Labels", "Networks"}:
            said = [cli(*with_options(words, "--format", form)).lines for cli in daemon]
            assert list(map(in_order, said[0])) == list(map(in_order, said[1]))
        else:
            same(daemon, *with_options(words, "--format", form))


def with_options(words: list[str], *options: str) -> list[str]:
    """Options stand behind the command's own words and before its arguments."""
    count = 1 if words[0] == "ps" else 2
    return [*words[:count], *options, *words[count:]]
