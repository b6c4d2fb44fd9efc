"""The seed's commands, verbatim, with two ages of the unmodified docker command line and with hivelet's own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from harness import programs
from harness.cli import CLIS, Cli, make_cli
from harness.swarm import Swarm
from harness.traffic import burst
from harness.waiting import wait_until

COMPOSE = programs.SOURCES / "examples" / "annotation" / "docker-compose.yml"
SERVICES = {"myapp_rabbit": 1, "myapp_web": 3, "myapp_celery-worker": 2}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def networks(cli: Cli) -> dict[str, tuple[str, str]]:
    """Driver and scope by name, from `network ls`."""
    rows = cli("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").lines
    return {name: (driver, scope) for name, driver, scope in map(str.split, rows)}


def listed_replicas(cli: Cli, *words: str) -> dict[str, str]:
    """The REPLICAS column by service."""
    return dict(line.split() for line in cli(*words, "--format", "{{.Name}} {{.Replicas}}").lines)


def until_all_run(swarm: Swarm, services: dict[str, int]) -> None:
    """Wait for every service's replicas."""
    for name, replicas in services.items():
        swarm.until_running(name, replicas, timeout=90)


@pytest.mark.parametrize("name", CLIS)
def test_the_seeds_commands(name: str, reference: Swarm, tmp_path: Path) -> None:
    machine = reference.machine
    cli = make_cli(name, reference.daemon.host, machine.dir)
    swarm = Swarm(machine, reference.daemon, cli)
    compose = tmp_path / "docker-compose.yml"
    shutil.copy(COMPOSE, compose)
    before = machine.traces()
    try:
        begin(cli)
        deploy(cli, swarm, tmp_path)
        look(cli, swarm)
        scale(cli, swarm, compose)
        update(cli, swarm)
        heal(cli, swarm)
        end(cli, swarm)
    except BaseException:
        # The daemon is shared: a failure here shall not be the next test's.
        cli("swarm", "leave", "--force", status=None)
        cli("network", "rm", "docker_gwbridge", status=None)
        raise
    wait_until(
        lambda: not machine.traces().since(before),
        timeout=20,
        what="the machine is as it was before",
        evidence=lambda: repr(machine.traces().since(before)),
    )


def begin(cli: Cli) -> None:
    """The seed's repair of docker_gwbridge, then `swarm init`, which uses the bridge as it is."""
    made = cli(
        *["network", "create", "--subnet", "172.20.0.0/20", "--gateway", "172.20.0.1"],
        *["-o", "com.docker.network.bridge.enable_icc=false"],
        *["-o", "com.docker.network.bridge.name=docker_gwbridge", "docker_gwbridge"],
    ).out.strip()
    assert "Swarm initialized" in cli("swarm", "init").out
    found = networks(cli)
    assert found["ingress"] == ("overlay", "swarm")
    assert found["docker_gwbridge"] == ("bridge", "local")
    (bridge,) = cli(
        "network",
        "inspect",
        "docker_gwbridge",
        "--format",
        "{{.ID}} {{(index .IPAM.Config 0).Subnet}}",
    ).lines
    assert bridge == f"{made} 172.20.0.0/20"


def deploy(cli: Cli, swarm: Swarm, folder: Path) -> None:
    """The seed's file, byte for byte; its `depends_on: worker` names no service, which is no error."""
    done = cli("stack", "deploy", "-c", "docker-compose.yml", "myapp", cwd=folder, timeout=120)
    if cli.name == "hivelet":
        assert "worker" in done.err
        assert "celery-worker" in done.err
    until_all_run(swarm, SERVICES)


def look(cli: Cli, swarm: Swarm) -> None:
    """Every list that the seed looks at."""
    wanted = {name: f"{replicas}/{replicas}" for name, replicas in SERVICES.items()}
    assert listed_replicas(cli, "service", "ls") == wanted
    assert listed_replicas(cli, "stack", "services", "myapp") == wanted
    assert "*:8000->8000/tcp" in cli("service", "ls").out
    names = cli("ps", "--format", "{{.Names}}").lines
    assert len(names) == 6
    assert all(
        re.fullmatch(r"myapp_(rabbit|web|celery-worker)\.\d\.\w{25}", name) for name in names
    )
    rows = cli("service", "ps", "--no-trunc", "myapp_web").lines
    assert rows[0].split()[:4] == ["ID", "NAME", "IMAGE", "NODE"]
    assert len(rows) == 4
    assert all("myweb:latest" in row and "Running" in row for row in rows[1:])
    page = "http://127.0.0.1:8000/"
    # The seed's file has no health check, so a replica counts as running before its server listens.
    wait_until(
        lambda: not burst(swarm.machine, page, 6).failures, timeout=30, what="every replica answers"
    )
    answered = [record.body.split()[1] for record in burst(swarm.machine, page, 30).records]
    assert {id_[:12] for id_ in swarm.container_ids("myapp_web")} == set(answered)


def scale(cli: Cli, swarm: Swarm, compose: Path) -> None:
    """Replicas 3 → 5 in the file, deployed again: the old tasks stay."""
    old = swarm.task_ids("myapp_web")
    others = {name: swarm.task_ids(name) for name in ("myapp_rabbit", "myapp_celery-worker")}
    text = compose.read_text()
    compose.write_text(text.replace("replicas: 3", "replicas: 5"))
    cli("stack", "deploy", "-c", str(compose), "myapp", timeout=120)
    swarm.until_running("myapp_web", 5)
    assert old < swarm.task_ids("myapp_web")
    assert {name: swarm.task_ids(name) for name in others} == others


def update(cli: Cli, swarm: Swarm) -> None:
    """The seed's forced update, with its progress bars."""
    old = swarm.task_ids("myapp_web")
    done = cli.on_terminal(
        "service", "update", "myapp_web", "--image", "myweb:latest", "--force", timeout=120
    )
    assert done.status == 0, done.out
    assert "overall progress" in done.out
    assert "converged" in done.out
    assert not old & swarm.task_ids("myapp_web")
    swarm.until_running("myapp_web", 5)


def heal(cli: Cli, swarm: Swarm) -> None:
    """A container removed by force is replaced at once."""
    old = swarm.task_ids("myapp_web")
    victim = swarm.container_ids("myapp_web")[0]
    cli("rm", "-f", victim)
    wait_until(
        lambda: (
            len(swarm.task_ids("myapp_web")) == 5 and len(swarm.task_ids("myapp_web") & old) == 4
        ),
        timeout=5,
        what="myapp_web is 5/5 again",
        evidence=swarm.story,
    )


def end(cli: Cli, swarm: Swarm) -> None:
    """Stack, network and swarm removed."""
    cli("stack", "rm", "myapp", timeout=120)
    swarm.until_gone(*SERVICES)
    wait_until(
        lambda: "myapp_webnet" not in networks(cli), timeout=10, what="the stack's network is gone"
    )
    assert cli("service", "ls", "-q").out == ""
    cli("swarm", "leave", "--force")
    cli("network", "rm", "docker_gwbridge")
