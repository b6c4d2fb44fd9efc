"""The reference application's production variant: data in PostgreSQL, secrets, a migration before each rollout, work that ends."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from harness import programs
from harness.cli import Cli, make_cli
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

COMPOSE = programs.SOURCES / "examples" / "annotation" / "docker-compose.production.yml"
IMAGE = programs.CACHE / "images" / "postgres_15.tar"
PAGE = f"http://{ADDRESS}:8000"
STACK = "production"
SERVICES = ("db", "rabbit", "migrate", "web", "celery-worker")
WORKERS = f"{STACK}_celery-worker"
SECRETS = ("django_secret_key", "database_password")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Production:
    """The deployed stack, and the command line that deploys it."""

    def __init__(self, swarm: Swarm, cli: Cli) -> None:
        self.swarm = swarm
        self.cli = cli
        folder = swarm.machine.dir / "secrets"
        folder.mkdir()
        self.secrets = {name: secrets.token_hex(16) for name in SECRETS}
        for name, value in self.secrets.items():
            (folder / name).write_text(value)
        self.environment = {"SECRETS": str(folder)}

    def deploy(self, release: str) -> None:
        """`stack deploy`, which waits until everything is as it shall be."""
        words = ["stack", "deploy", "-c", str(COMPOSE), STACK]
        self.cli(*words, timeout=240, env={**self.environment, "RELEASE": release})

    def get(self, path: str, limit: int = 30) -> dict[str, Any]:
        """What the application answers from outside; empty where it does not."""
        words = ["curl", "-s", "--max-time", str(limit), f"{PAGE}{path}"]
        done = self.swarm.machine.run(words, check=False, where=OUTSIDE)
        answer: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return answer

    def iteration(self) -> int:
        """Which run of the migration is the newest, from 0."""
        with self.swarm.api() as api:
            status = api.inspect_service(f"{STACK}_migrate")["JobStatus"]
        return int(status["JobIteration"].get("Index", 0))


@pytest.fixture(scope="module")
def production(reference: Swarm) -> Iterator[Production]:
    """The stack in its first release."""
    if not IMAGE.exists():
        pytest.skip(f"{IMAGE} is not there; build it with examples/annotation/build-images")
    reference.cli("load", "--input", str(IMAGE), timeout=120)
    reference.cli("swarm", "init")
    cli = make_cli("hivelet", reference.daemon.host, reference.machine.dir)
    deployed = Production(reference, cli)
    deployed.deploy("1")
    yield deployed
    cli("stack", "rm", STACK, timeout=200)
    reference.until_gone(*(f"{STACK}_{name}" for name in SERVICES), timeout=120)
    reference.cli("swarm", "leave", "--force")


def label(production: Production, text: str, seconds: int = 0) -> dict[str, Any]:
    """What a worker says of a text; it has to answer."""
    answer = production.get(f"/label?text={text}&seconds={seconds}", 60)
    assert "worker" in answer, answer or production.swarm.story()
    return answer


def received(swarm: Swarm) -> int:
    """How many tasks the workers have taken on, from their logs."""
    with swarm.api() as api:
        return sum(api.logs(id_).count(b"received") for id_ in swarm.container_ids(WORKERS))


def test_several_replicas_answer_and_rows_are_in_the_database(production: Production) -> None:
    swarm = production.swarm
    replicas = {container[:12] for container in swarm.container_ids(f"{STACK}_web")}
    assert len(replicas) == 3
    assert {production.get("/healthz")["replica"] for _ in range(6)} == replicas
    deep = production.get("/healthz?deep=1")
    assert (deep["broker"], deep["database"]) == ("ok", "ok")
    before = production.get("/labels")["count"]
    answers = [label(production, f"der-Text-{number}") for number in range(4)]
    found = production.get("/labels")
    assert found["count"] == before + 4
    kept = {row["task"]: row for row in found["latest"]}
    for answer in answers:
        assert kept[answer["task"]]["worker"] == answer["worker"]
        assert kept[answer["task"]]["text"] == answer["text"]


def test_the_password_is_the_secret_and_stands_nowhere_else(production: Production) -> None:
    swarm = production.swarm
    for name in ("db", "web"):
        task = swarm.tasks(f"{STACK}_{name}", running=True)[0]
        with swarm.api() as api:
            shown = json.dumps(
                [
                    api.inspect_service(f"{STACK}_{name}"),
                    api.inspect_task(task["ID"]),
                    api.inspect_container(task["Status"]["ContainerStatus"]["ContainerID"]),
                ]
            )
        environment = swarm.machine.run(["cat", f"/proc/{swarm.process(task)}/environ"]).stdout
        seen = shown + environment
        assert not [value for value in production.secrets.values() if value in seen], name


def test_a_release_migrates_first_and_loses_no_request(production: Production) -> None:
    swarm = production.swarm
    old, run = swarm.task_ids(f"{STACK}_web"), production.iteration()
    kept = production.get("/labels")["count"]
    with Traffic.requests(
        swarm.machine, f"{PAGE}/labels", "--rate", "20", where=OUTSIDE
    ) as traffic:
        production.deploy("2")
        traffic.go_on(20)
        traffic.stop()
        assert traffic.failures == [], f"{len(traffic.failures)} of {len(traffic.records)} lost"
        assert {record.status for record in traffic.records} == {200}
    new = swarm.tasks(f"{STACK}_web", running=True)
    assert len(new) == 3
    assert not {task["ID"] for task in new} & old
    assert production.iteration() == run + 1
    assert production.get("/labels")["count"] == kept
    migrated = [
        task["Status"]["Timestamp"]
        for task in swarm.tasks(f"{STACK}_migrate")
        if task["Status"]["State"] == "complete"
    ]
    with swarm.api() as api:
        begun = [
            api.inspect_container(container)["State"]["StartedAt"]
            for container in swarm.container_ids(f"{STACK}_web")
        ]
    assert max(migrated) <= min(begun)


def test_a_celery_task_in_flight_during_an_update_finishes(production: Production) -> None:
    swarm = production.swarm
    old = {container[:12] for container in swarm.container_ids(WORKERS)}
    before = received(swarm)
    words = ["curl", "-s", "--max-time", "90", f"{PAGE}/label?text=in-flight&seconds=12"]
    asking = swarm.machine.popen(words, where=OUTSIDE, stdout=subprocess.PIPE)
    wait_until(
        lambda: received(swarm) > before,
        timeout=20,
        what="a worker has the task",
        evidence=swarm.story,
    )
    production.cli("service", "restart", WORKERS, timeout=200)
    assert not {container[:12] for container in swarm.container_ids(WORKERS)} & old
    said, _ = asking.popen.communicate(timeout=90)
    answer = json.loads(said)
    # The worker that had it finished it, though it was told to go: nobody had to begin anew.
    assert answer["worker"] in old, answer
    assert answer["redelivered"] is False
    assert answer["task"] in {row["task"] for row in production.get("/labels")["latest"]}


def test_data_outlives_the_database_s_container(production: Production) -> None:
    swarm = production.swarm
    kept = production.get("/labels")["count"]
    assert kept > 0
    (old,) = swarm.container_ids(f"{STACK}_db")
    production.cli("service", "restart", f"{STACK}_db", timeout=200)
    assert swarm.container_ids(f"{STACK}_db") != [old]
    found = wait_until(
        lambda: "count" in (answer := production.get("/labels")) and answer,
        timeout=30,
        what="the application has its database again",
        evidence=swarm.story,
    )
    assert found["count"] == kept
