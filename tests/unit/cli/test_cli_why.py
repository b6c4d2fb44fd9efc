from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.why.advice import advice_for
from hivelet.cli.why.explain import Situation, explain
from hivelet.cli.why.show import explanation_json, explanation_lines

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def service(replicas: int = 3, running: int | None = None, **more: Any) -> dict[str, Any]:
    counts = {} if running is None else {"RunningTasks": running, "DesiredTasks": replicas}
    template = {"ContainerSpec": {"Image": "web:1@sha256:a"}, **more.pop("template", {})}
    mode = more.pop("mode", {"Replicated": {"Replicas": replicas}})
    return {
        "ID": "s1",
        "Spec": {"Name": "app_web", "Mode": mode, "TaskTemplate": template},
        **({"ServiceStatus": counts} if counts else {}),
        **more,
    }


def task(slot: int, state: str, err: str = "", *, ago: int = 1, **more: Any) -> dict[str, Any]:
    desired = "running" if state not in {"failed", "rejected", "complete"} else "shutdown"
    status = {"State": state, "Timestamp": (NOW - timedelta(seconds=ago)).isoformat()}
    return {
        "ID": f"task{slot}{state}{ago}",
        "Slot": slot,
        "NodeID": "n1",
        "DesiredState": desired,
        "Status": {**status, **({"Err": err} if err else {}), **more.pop("status", {})},
        **more,
    }


def node(name: str, state: str = "ready", availability: str = "active") -> dict[str, Any]:
    return {
        "ID": name,
        "Description": {"Hostname": name},
        "Status": {"State": state},
        "Spec": {"Availability": availability},
    }


def lines(given: dict[str, Any], *tasks: dict[str, Any], nodes: Any = ()) -> list[str]:
    explanation = explain(Situation(service=given, tasks=tasks, nodes=nodes, now=NOW))
    explanation_json(explanation, {})
    return list(explanation_lines(explanation, {"task1failed5": ["no database", "bye"]}))


def test_all_is_well() -> None:
    assert lines(service(1, 1), task(1, "running")) == [
        "app_web: 1 of 1 tasks run; nothing stands in its way."
    ]


CASES: dict[str, tuple[dict[str, Any], list[Any], list[Any], list[str]]] = {
    "scaled to nothing": (
        service(0, 0),
        [],
        [],
        [
            "app_web: 0 of 0 tasks run.",
            "  * it is scaled to 0, so nothing of it shall run",
            "      -> hivelet service scale app_web=1",
        ],
    ),
    "no resources": (
        service(3, 1),
        [
            task(1, "running"),
            task(2, "pending", "no suitable node (insufficient resources on 1 node)", ago=90),
            task(3, "pending", "no suitable node (insufficient resources on 1 node)", ago=5),
        ],
        [node("n1")],
        [
            "app_web: 1 of 3 tasks run.",
            "  * 2 tasks wait for a node: no suitable node (insufficient resources on 1 node), for about a minute",
            "      app_web.2, app_web.3",
            "      -> lower deploy.resources.reservations, or free some: what other services reserve counts, used or not",
            "      -> hivelet node inspect --pretty self",
        ],
    ),
    "drained node": (
        service(1, 0),
        [task(1, "pending", "no suitable node (1 node not available for new tasks)")],
        [node("n1", availability="drain"), node("n2", state="down")],
        [
            "app_web: 0 of 1 tasks run.",
            "  * 1 task waits for a node: no suitable node (1 node not available for new tasks)",
            "      app_web.1",
            "      -> hivelet node ls",
            "      -> hivelet node update --availability active n1",
            "  * node n1 is drained: it runs no tasks",
            "      -> hivelet node update --availability active n1",
            "  * node n2 is down",
            "      -> hivelet node ls",
            "      -> start the daemon on n2",
        ],
    ),
    "dependency": (
        service(1, 0),
        [task(1, "pending", "waiting for app_db (healthy), which has no running task")],
        [],
        [
            "app_web: 0 of 1 tasks run.",
            "  * 1 task waits for app_db (healthy), which has no running task",
            "      app_web.1",
            "      -> hivelet service why app_db",
        ],
    ),
    "crash loop": (
        service(1, 0),
        [
            task(1, "ready", "starts again at 12:00:05 UTC, after 3 failures in a row", ago=1),
            task(1, "failed", "task: non-zero exit (3)", ago=5),
            task(1, "failed", "task: non-zero exit (3)", ago=50),
            task(1, "failed", "task: non-zero exit (3)", ago=70),
        ],
        [],
        [
            "app_web: 0 of 1 tasks run.",
            "  * 1 task, prepared, and waiting to be started: starts again at 12:00:05 UTC, after 3 failures in a row",
            "      app_web.1",
            "      -> hivelet service ps --no-trunc app_web",
            "  * 3 tasks failed, the last 5 seconds ago: task: non-zero exit (3)",
            "      app_web.1",
            "      | no database",
            "      | bye",
            "      -> hivelet service logs --tail 50 app_web",
        ],
    ),
    "image missing": (
        service(1, 0),
        [task(1, "rejected", "No such image: web:1")],
        [],
        [
            "app_web: 0 of 1 tasks run.",
            "  * 1 task could not be made, the last 1 second ago: No such image: web:1",
            "      app_web.1",
            "      -> hivelet image ls",
            "      -> hivelet image load -i FILE, hivelet image pull web:1, or correct `image`",
        ],
    ),
    "update paused": (
        service(1, 1, UpdateStatus={"State": "paused", "Message": "update paused due to x"}),
        [task(1, "running")],
        [],
        [
            "app_web: 1 of 1 tasks run.",
            "  * its update is paused, and the other tasks are left as they are: update paused due to x",
            "      -> deploy a version that works",
            "      -> hivelet service rollback app_web",
        ],
    ),
    "recovered": (
        service(1, 1),
        [task(1, "running"), task(1, "failed", "task: non-zero exit (1)", ago=30)],
        [],
        [
            "app_web: 1 of 1 tasks run.",
            "  * 1 task failed, the last 30 seconds ago: task: non-zero exit (1); their successors run",
            "      app_web.1",
            "      -> hivelet service logs --tail 50 app_web",
        ],
    ),
    "done once": (
        service(1, 0, template={"RestartPolicy": {"Condition": "on-failure"}}),
        [task(1, "complete", ago=30)],
        [],
        [
            "app_web: 0 of 1 tasks run.",
            "  * 1 task ended with exit code 0, and the restart policy (on-failure) starts no other",
            "      app_web.1",
            "      -> nothing, where it is a task that is done once",
            "      -> to run it again: hivelet service update --force app_web",
        ],
    ),
    "nothing known": (
        service(2, 0),
        [],
        [node("n1")],
        [
            "app_web: 0 of 2 tasks run.",
            "  * 2 more tasks should run, and the daemon does not say why not",
            "      -> hivelet service ps --no-trunc app_web",
            "      -> hivelet doctor",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_causes(name: str) -> None:
    given, tasks, nodes, expected = CASES[name]
    assert lines(given, *tasks, nodes=nodes) == expected


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("out of memory (its limit is 64 MiB)", "raise deploy.resources.limits.memory"),
        ("dockerexec: unhealthy container", "its health check fails"),
        ("task: non-zero exit (137): dockerexec: unhealthy container (no)", "its health check"),
        ("task: non-zero exit (137): out of memory (its limit is 64 MiB): bye", "raise deploy."),
        ("task: non-zero exit (137): ended by SIGKILL: bye", "somebody killed it"),
        ("task: non-zero exit (127): its command, or one that", "correct `command`"),
        # What a program says last may sound like anything.
        ("task: non-zero exit (1): OSError: address already in use", "hivelet service logs"),
        ("task: non-zero exit (1): no such config; out of memory", "hivelet service logs"),
        ("no suitable node (host-mode port already in use on 1 node)", "publish the port"),
        ('invalid mount config for type "bind": bind source path does not exist', "make the path"),
        ("waiting for the old task to stop", "nothing: it starts"),
        ("something new", "hivelet service ps --no-trunc s"),
    ],
)
def test_advice(error: str, advice: str) -> None:
    assert advice_for(error, "s")[0].startswith(advice)


def test_on_the_command_line(daemon: FakeDaemon, hivelet) -> None:
    spec = {
        "Name": "app_web",
        "Labels": {"com.docker.stack.namespace": "app"},
        "TaskTemplate": {"ContainerSpec": {"Image": "web"}},
        "Mode": {"Replicated": {"Replicas": 2}},
    }
    daemon.task_state, daemon.task_error = "failed", "task: non-zero exit (1)"
    daemon.logs = [(1, "no database\n")]
    daemon.add_service(spec)
    result = hivelet("service", "why", "app_web")
    assert result.code == 0
    assert result.out.splitlines()[0] == "app_web: 0 of 2 tasks run."
    assert "      | no database" in result.out.splitlines()
    assert hivelet("stack", "why", "app").out == result.out
    missing = hivelet("service", "why", "app")
    assert (missing.code, missing.err) == (
        1,
        "Error: no such service: app; `hivelet service ls` lists services\n",
    )
    assert '"Kind": "failed"' in hivelet("stack", "why", "--format", "json", "app").out
