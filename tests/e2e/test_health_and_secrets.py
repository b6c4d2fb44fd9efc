"""Health checks, secrets and configs of services, as a user of the docker command line meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.cli import Cli
from harness.swarm import Swarm
from harness.traffic import burst
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

QUICK = ("--health-interval", "200ms", "--health-timeout", "5s", "--health-retries", "2")


def container_root(swarm: Swarm, task: dict) -> Path:
    """A task's file system, as its container sees it."""
    return Path(f"{swarm.machine.proc}/{swarm.process(task)}/root")


def states(swarm: Swarm, service: str) -> list[str]:
    """The states of all tasks."""
    return [task["Status"]["State"] for task in swarm.tasks(service)]


def only_container(swarm: Swarm) -> dict:
    """The one container that runs, as `docker ps` lists it."""
    with swarm.api() as api:
        found = api.containers()
    assert len(found) == 1
    return found[0]


def test_health_gates_running_and_the_balancer(swarm: Swarm, docker: Cli) -> None:
    check = ("--health-cmd", "test -e /tmp/fine", "--health-start-period", "60s")
    words = ["--detach", "--no-resolve-image", "--name", "web", "--publish", "8080:8000"]
    docker("service", "create", *words, *QUICK, *check, "web:latest")
    wait_until(
        lambda: swarm.tasks("web")[0]["Status"]["State"] == "starting",
        timeout=20,
        what="the task is being started",
        evidence=swarm.story,
    )
    (task,) = swarm.tasks("web")
    wait_until(
        lambda: "(health: starting)" in only_container(swarm)["Status"],
        timeout=10,
        what="docker ps shows the health",
    )
    assert swarm.replicas("web") == (0, 1)
    assert burst(swarm.machine, "http://127.0.0.1:8080/", 2).failures
    with swarm.api() as api:
        pid = api.inspect_container(only_container(swarm)["Id"])["State"]["Pid"]
    Path(f"{swarm.machine.proc}/{pid}/root/tmp/fine").touch()
    swarm.until_running("web", 1, timeout=20)
    assert swarm.task_ids("web") == {task["ID"]}
    assert "(healthy)" in only_container(swarm)["Status"]
    assert docker("ps", "-q", "--filter", "health=healthy").lines
    assert not burst(swarm.machine, "http://127.0.0.1:8080/", 5).failures


def test_an_unhealthy_task_is_replaced_and_says_why(swarm: Swarm, docker: Cli) -> None:
    check = ("--health-cmd", "test ! -e /tmp/bad || { echo no disk; exit 4; }")
    swarm.create("web", 2, *QUICK, *check)
    first, second = swarm.tasks("web", running=True)
    (container_root(swarm, first) / "tmp/bad").touch()
    wait_until(
        lambda: first["ID"] not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 2,
        timeout=30,
        what="the unhealthy task is replaced",
        evidence=swarm.story,
    )
    assert second["ID"] in swarm.task_ids("web")
    (ended,) = [task for task in swarm.tasks("web") if task["ID"] == first["ID"]]
    assert ended["Status"]["State"] == "failed"
    assert "dockerexec: unhealthy container" in ended["Status"]["Err"]
    assert "no disk" in ended["Status"]["Err"]
    with swarm.api() as api:
        health = api.inspect_container(first["Status"]["ContainerStatus"]["ContainerID"])["State"]
    assert health["Health"]["Status"] == "unhealthy"
    assert health["Health"]["Log"][-1]["ExitCode"] == 4


def test_a_task_that_never_gets_healthy_fails(swarm: Swarm, docker: Cli) -> None:
    words = ["--detach", "--no-resolve-image", "--name", "web", "--restart-condition", "none"]
    docker("service", "create", *words, *QUICK, "--health-cmd", "exit 9", "web:latest")
    wait_until(
        lambda: states(swarm, "web") == ["failed"],
        timeout=30,
        what="the task has failed",
        evidence=swarm.story,
    )
    (task,) = swarm.tasks("web")
    assert "unhealthy container (health check exited with 9)" in task["Status"]["Err"]


def test_health_survives_a_killed_daemon(swarm: Swarm, docker: Cli) -> None:
    swarm.create("web", 1, *QUICK, "--health-cmd", "true", "--publish", "8080:8000")
    before = swarm.task_ids("web")
    swarm.daemon.kill()
    assert not burst(swarm.machine, "http://127.0.0.1:8080/", 5).failures
    swarm.daemon.start()
    swarm.until_running("web", 1)
    assert swarm.task_ids("web") == before
    assert "(healthy)" in only_container(swarm)["Status"]
    assert not burst(swarm.machine, "http://127.0.0.1:8080/", 5).failures


STACK = """
version: "3.8"
services:
  web:
    image: web:latest
    secrets: [token, {source: token, target: /etc/own, uid: "65534", gid: "65534", mode: 0400}]
    configs: [{source: page, target: /www/page.txt}, motd]
secrets: {token: {file: ./token}}
configs: {page: {file: ./page}, motd: {file: ./motd}}
"""


def test_secrets_and_configs_of_a_stack(swarm: Swarm, docker: Cli, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"s3cret-of-the-stack")
    (tmp_path / "page").write_text("a page\n")
    (tmp_path / "motd").write_text("hello\n")
    (tmp_path / "docker-compose.yml").write_text(STACK)
    docker("stack", "deploy", "-c", "docker-compose.yml", "app", cwd=tmp_path)
    swarm.until_running("app_web", 1)
    (task,) = swarm.tasks("app_web", running=True)
    root = container_root(swarm, task)
    assert (root / "run/secrets/token").read_bytes() == b"s3cret-of-the-stack"
    own = root / "etc/own"
    assert (own.read_bytes(), own.stat().st_uid, own.stat().st_gid) == (
        b"s3cret-of-the-stack",
        65534,
        65534,
    )
    assert own.stat().st_mode & 0o777 == 0o400
    assert (root / "www/page.txt").read_text() == "a page\n"
    assert (root / "motd").read_text() == "hello\n"
    assert "in use" in docker("secret", "rm", "app_token", status=1).err
    (container,) = swarm.container_ids("app_web")
    assert "s3cret-of-the-stack" not in docker("inspect", container).out
    assert "s3cret-of-the-stack" not in docker("secret", "inspect", "app_token").out
    assert "s3cret-of-the-stack" not in swarm.daemon.log_path.read_text()
    docker("kill", container)
    swarm.until_running("app_web", 1)
    (task,) = swarm.tasks("app_web", running=True)
    root = container_root(swarm, task)
    assert (root / "run/secrets/token").read_bytes() == b"s3cret-of-the-stack"
    docker("stack", "rm", "app")
    swarm.until_gone("app_web")
    assert docker("secret", "ls", "-q").out == docker("config", "ls", "-q").out == ""


def test_a_secret_is_added_and_removed_by_service_update(swarm: Swarm, docker: Cli) -> None:
    folder = swarm.machine.dir
    (folder / "one").write_text("first")
    docker("secret", "create", "one", str(folder / "one"))
    swarm.create("web", 1, "--secret", "source=one,target=key")
    (task,) = swarm.tasks("web", running=True)
    assert (container_root(swarm, task) / "run/secrets/key").read_text() == "first"
    update = ["--detach", "--no-resolve-image", "--secret-rm", "one", "web"]
    docker("service", "update", *update)
    wait_until(
        lambda: (
            swarm.replicas("web") == (1, 1)
            and task["ID"] not in swarm.task_ids("web")
            and len(swarm.task_ids("web")) == 1
        ),
        timeout=30,
        what="the task is replaced",
        evidence=swarm.story,
    )
    (task,) = swarm.tasks("web", running=True)
    assert not (container_root(swarm, task) / "run/secrets/key").exists()
    docker("secret", "rm", "one")
