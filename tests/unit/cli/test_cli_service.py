from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon
from record_service_requests import CASES, comparable, seed_names

RECORDED = json.loads(
    (Path(__file__).parents[2] / "golden" / "cli" / "service-requests.json").read_text()
)


@pytest.mark.parametrize("name", CASES)
def test_sends_what_docker_sends(name: str, daemon: FakeDaemon, hivelet) -> None:
    seed_names(daemon)
    daemon.requests.clear()
    for command in CASES[name]:
        result = hivelet(*command, environment={"HOME": "/none"})
        assert result.code == 0, result.err
    bodies = [body for verb, path, _, body in daemon.requests if verb == "POST"]
    assert [comparable(body) for body in bodies] == RECORDED[name]


def test_create_shows_progress_until_stable(daemon: FakeDaemon, hivelet, clock) -> None:
    result = hivelet("service", "create", "--name", "web", "--replicas", "2", "alpine")
    assert result.code == 0
    assert result.out.splitlines() == [
        "svc0010000000000000000000",
        "overall progress: 2 out of 2 tasks",
        "1/2: running",
        "2/2: running",
        "verify: Waiting to verify that tasks are stable...",
        "verify: Service web converged",
    ]
    assert clock.now >= 105.0


def test_paused_update_fails_with_the_reason(daemon: FakeDaemon, hivelet) -> None:
    created = daemon.add_service(
        {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "a:1"}}}
    )
    created["UpdateStatus"] = {
        "State": "paused",
        "Message": "update paused due to failure or early termination of task x",
    }
    result = hivelet("service", "update", "--image", "a:2", "web")
    assert result.code == 1
    assert result.err.startswith(
        "Error: service web: service update paused: update paused due to failure"
    )


def test_scale(daemon: FakeDaemon, hivelet) -> None:
    daemon.add_service({"Name": "a", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}})
    result = hivelet("service", "scale", "-d", "a=3", "nope=2")
    assert (result.code, result.out) == (1, "a scaled to 3\n")
    assert result.err == "Error: nope: service nope not found\n"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("a=x", '"a=x": invalid replica count "x"; it must be a whole number from 0'),
        ("a=-1", '"a=-1": invalid replica count "-1"; it must be a whole number from 0'),
        ("a", '"a" is not of the form SERVICE=REPLICAS'),
    ],
)
def test_bad_scale_changes_nothing(daemon: FakeDaemon, hivelet, target: str, message: str) -> None:
    result = hivelet("service", "scale", target)
    assert (result.code, result.err) == (1, f"Error: {message}\n")
    assert daemon.requests == []


def test_scale_of_a_global_service(daemon: FakeDaemon, hivelet) -> None:
    daemon.add_service(
        {"Name": "g", "Mode": {"Global": {}}, "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}
    )
    result = hivelet("service", "scale", "g=2")
    assert (result.code, result.err) == (
        1,
        "Error: g: scale can only be used with replicated or replicated-job mode\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--publish", "x"],
            '--publish: "x" is not a port mapping; write it like "8000:80" or "8000-8005:80-85"',
        ),
        (
            ["--mount", "type=bind,target=/x"],
            '--mount: "type=bind,target=/x": a bind mount needs a source',
        ),
        (["--mount", "typ=bind"], '--mount: "typ=bind": the key "typ" is not known; known are'),
        (
            ["--limit-memory", "lots"],
            '--limit-memory: "lots" is not a size; write it like "512m", "1.5g" or a number of bytes',
        ),
        (["--secret", "nope"], "secret not found: nope; `hivelet secret create` makes one"),
        (["--network", "nope"], "network nope not found"),
        (
            ["--mode", "global", "--replicas", "2"],
            "--replicas: replicas can only be used with replicated or replicated-job mode",
        ),
        (
            ["--health-interval", "x"],
            '--health-interval: "x" is not a duration; write it like "10s", "1m30s" or "500ms"',
        ),
    ],
)
def test_bad_option_changes_nothing(
    daemon: FakeDaemon, hivelet, arguments: list[str], message: str
) -> None:
    result = hivelet("service", "create", *arguments, "alpine")
    assert result.code == 1
    assert result.err.startswith(f"Error: {message}")
    assert not daemon.objects["services"]


def test_negative_replicas_are_a_usage_error(daemon: FakeDaemon, hivelet) -> None:
    result = hivelet("service", "create", "--replicas", "-1", "alpine")
    assert result.code == 2
    assert "-1 is not in the range x>=0" in result.err


def test_logs_name_their_tasks(daemon: FakeDaemon, hivelet) -> None:
    service = daemon.add_service({"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}})
    (task,) = daemon.objects["tasks"].values()
    details = f"com.docker.swarm.node.id={task['NodeID']},com.docker.swarm.service.id={service['ID']},com.docker.swarm.task.id={task['ID']}"
    daemon.logs = [(1, f"{details} hello world\n"), (2, f"{details} oh no\n")]
    result = hivelet("service", "logs", "web")
    assert result.out == "web.1.tsk002000000@host1    | hello world\n"
    assert result.err == "web.1.tsk002000000@host1    | oh no\n"
    daemon.logs = [(1, "plain\n")]
    assert hivelet("service", "logs", "--raw", "web").out == "plain\n"
    assert hivelet("service", "logs", "nope").err == "Error: no such task or service: nope\n"
