"""`hivelet stack plan` and `deploy` on hivelet's daemon and on a real Docker engine in swarm mode: the same words, the same end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=[Hiveletd, Dockerd], ids=["hivelet", "docker"])
def engine(request: pytest.FixtureRequest) -> Iterator[Swarm]:
    """A swarm of either kind; each test uses a stack of its own name."""
    with Machine("deploy") as machine:
        daemon = request.param(machine)
        daemon.start()
        docker = make_cli("docker-20", daemon.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        yield Swarm(machine, daemon, docker)
        daemon.stop()


@pytest.fixture
def hivelet(engine: Swarm) -> Cli:
    return make_cli("hivelet", engine.daemon.host, engine.machine.dir)


QUICK = {"restart_policy": {"delay": "200ms"}, "update_config": {"monitor": "1s"}}


class Stack:
    """A stack file that a test changes, and the commands on it."""

    def __init__(self, name: str, folder: Path, hivelet: Cli) -> None:
        self.name, self.folder, self.hivelet = name, folder, hivelet
        self.data: dict[str, Any] = {"services": {}}

    @property
    def words(self) -> tuple[str, ...]:
        path = self.folder / "stack.yml"
        path.write_text(json.dumps(self.data))
        return ("-c", str(path), self.name)

    def service(self, name: str, **keys: Any) -> dict[str, Any]:
        base = {
            "image": "bb",
            "command": "sleep 10000",
            "stop_grace_period": "1s",
            "deploy": QUICK,
        }
        self.data["services"][name] = {**base, **keys}
        return self.data["services"][name]

    def deploy(self, *options: str, status: int = 0) -> Any:
        return self.hivelet("stack", "deploy", *options, *self.words, status=status, timeout=120)

    def plan(self, *options: str) -> dict[str, Any]:
        done = self.hivelet("stack", "plan", "--format", "json", *options, *self.words)
        return json.loads(done.out)

    def changes(self, *options: str) -> list[tuple[str, str]]:
        return [
            (step["Action"], step["Name"])
            for step in self.plan(*options)["Steps"]
            if step["Action"] != "keep"
        ]


@pytest.fixture
def stack(
    hivelet: Cli, engine: Swarm, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Stack]:
    name = request.node.originalname.removeprefix("test_").replace("_", "")[:18]
    yield Stack(name, tmp_path, hivelet)
    hivelet("stack", "rm", name, timeout=120)
    assert not engine.cli("service", "ls", "-q", "--filter", f"name={name}").out
    for kind in ("secret", "config", "network"):
        assert name not in engine.cli(kind, "ls").out


def file_of(engine: Swarm, service: str, path: str) -> str:
    (task,) = engine.tasks(service, running=True)
    return Path(f"{engine.machine.proc}/{engine.process(task)}/root{path}").read_text()


def test_the_plan_is_what_happens(engine: Swarm, stack: Stack) -> None:
    stack.service("a", deploy={**QUICK, "replicas": 2})
    stack.service("b", depends_on=["a"])
    before = stack.plan()
    assert before["Changes"] == 3
    said = stack.deploy()
    assert f"+ service {stack.name}_a, starts 2 tasks" in said.out
    assert f"{stack.name}_b: 1/1 converged" in said.out
    assert stack.changes() == []
    assert stack.hivelet("stack", "plan", "--exit-code", *stack.words).status == 0
    a, b = (engine.task_ids(f"{stack.name}_{name}") for name in "ab")
    quiet = stack.deploy()
    assert "nothing to do" in quiet.out
    assert (a, b) == tuple(engine.task_ids(f"{stack.name}_{name}") for name in "ab")

    # Labels of the service and a larger number of replicas restart nothing; an environment does.
    stack.data["services"]["a"]["deploy"] = {**QUICK, "replicas": 3, "labels": {"x": "y"}}
    stack.data["services"]["b"]["environment"] = {"A": "1"}
    plan = stack.plan()
    steps = {step["Name"]: step for step in plan["Steps"]}
    assert (plan["TasksToRestart"], steps[f"{stack.name}_a"]["Starts"]) == (1, 1)
    assert "Restart" not in steps[f"{stack.name}_a"]
    assert steps[f"{stack.name}_b"]["Restart"]["Why"] == ["environment.A"]
    stack.hivelet("stack", "plan", "--exit-code", *stack.words, status=3)
    stack.deploy()
    assert a < engine.task_ids(f"{stack.name}_a")
    assert not (b & engine.task_ids(f"{stack.name}_b"))
    assert stack.changes() == []


def test_a_changed_secret_restarts_its_service_alone(engine: Swarm, stack: Stack) -> None:
    (stack.folder / "s").write_text("first")
    stack.data |= {"secrets": {"s": {"file": "./s"}}, "configs": {"c": {"content": "one"}}}
    stack.service("a", secrets=["s"], configs=[{"source": "c", "target": "/c"}])
    stack.service("b")
    stack.deploy()
    b = engine.task_ids(f"{stack.name}_b")
    assert engine.cli("secret", "ls", "--format", "{{.Name}}").lines == [f"{stack.name}_s"]
    for round_, text in enumerate(("second", "third", "second")):
        (stack.folder / "s").write_text(text)
        stack.data["configs"]["c"]["content"] = text
        stack.deploy()
        assert file_of(engine, f"{stack.name}_a", "/run/secrets/s") == text
        assert file_of(engine, f"{stack.name}_a", "/c") == text
        assert stack.changes() == []
        names = engine.cli("secret", "ls", "--format", "{{.Name}}").lines
        # The one before is kept, for the service may be rolled back to it.
        assert len(names) == 2, (round_, names)
        assert all(name.startswith(f"{stack.name}_s") for name in names)
    assert engine.task_ids(f"{stack.name}_b") == b


def test_what_docker_deployed_is_taken_as_it_is(
    engine: Swarm, stack: Stack, tmp_path: Path
) -> None:
    (stack.folder / "s").write_text("first")
    stack.data |= {"version": "3.8", "secrets": {"s": {"file": "./s"}}}
    ports = {"image": "web:latest", "ports": ["8123:8000"]}
    del stack.service("a", secrets=["s"], labels={"x": "y"}, **ports)["command"]
    words = stack.words
    engine.cli("stack", "deploy", *words[:2], stack.name, timeout=120)
    engine.until_running(f"{stack.name}_a", 1)
    assert stack.changes("--resolve-image", "never") == []
    (stack.folder / "s").write_text("second")
    changes = stack.changes("--resolve-image", "never")
    assert [action for action, _ in changes] == ["create", "update"]
    assert changes[0][1].startswith(f"{stack.name}_s-")


def test_prune(engine: Swarm, stack: Stack) -> None:
    stack.data["configs"] = {"c": {"content": "x"}}
    stack.data["networks"] = {"n": {}}
    stack.service("a")
    stack.service("b", networks=["n"], configs=["c"])
    stack.deploy()
    stack.data = {"services": {"a": stack.data["services"]["a"]}}
    assert stack.changes() == []
    said = stack.deploy("--prune")
    assert said.err == "", said
    assert engine.cli("service", "ls", "--format", "{{.Name}}").lines == [f"{stack.name}_a"]
    assert f"Removing network {stack.name}_n" in said.out
    assert not engine.cli("config", "ls", "-q").out
    # A Docker engine forgets its node's part of the network when the last task has left it.
    wait_until(
        lambda: f"{stack.name}_n" not in engine.cli("network", "ls").out,
        timeout=30,
        what="the network is gone",
    )


def test_a_task_that_fails_is_told_with_its_last_words(engine: Swarm, stack: Stack) -> None:
    stack.service("a", command="sh -c 'echo no database; exit 3'")
    stack.service("b")
    failed = stack.deploy("--timeout", "25s", status=1)
    assert f"service {stack.name}_a: it has not converged within 25 s" in failed.err
    assert "task: non-zero exit (3)" in failed.err
    assert "| no database" in failed.err


@pytest.mark.parametrize("action", ["pause", "rollback"])
def test_an_update_that_fails(engine: Swarm, stack: Stack, action: str) -> None:
    update = {"monitor": "2s", "failure_action": action}
    stack.service("a", deploy={**QUICK, "replicas": 2, "update_config": update})
    stack.deploy()
    stack.data["services"]["a"]["command"] = "sh -c 'echo broken; exit 4'"
    failed = stack.deploy("--timeout", "90s", status=1)
    said = {"pause": "service update paused", "rollback": "service rolled back"}[action]
    assert said in failed.err
    assert "| broken" in failed.err


def test_a_one_off_task_ends_well(engine: Swarm, stack: Stack) -> None:
    once = {**QUICK, "restart_policy": {"condition": "on-failure"}}
    stack.service("migrate", command="true", deploy=once)
    stack.service("a")
    assert f"{stack.name}_migrate: 0/1 converged" in stack.deploy("--timeout", "60s").out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_consistent_state(
    engine: Swarm, stack: Stack, number: signal.Signals
) -> None:
    stack.service("a", command="sh -c 'exit 1'")
    stack.service("b")
    child = subprocess.Popen(
        [*stack.hivelet.argv, "stack", "deploy", *stack.words],
        env=stack.hivelet.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    try:
        wait_until(
            lambda: engine.cli("service", "ls", "-q", "--filter", f"name={stack.name}_").lines,
            timeout=60,
            what="a service is there",
        )
        os.kill(child.pid, number)
        _, err = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert "steps of the plan are done" in err or "continues in the background" in err
    assert "Traceback" not in err
    stack.data["services"]["a"]["command"] = "sleep 1000"
    stack.deploy()
    assert stack.changes() == []


def test_names_and_settings_of_the_file(engine: Swarm, stack: Stack) -> None:
    """Without STACK the file's name is taken; without both that is said."""
    stack.service("a")
    nameless = stack.hivelet.fails("stack", "deploy", *stack.words[:2])
    assert "the stack has no name" in nameless.err
    new_docker = make_cli("docker-28", engine.daemon.host, engine.machine.dir)
    stack.data["name"] = stack.name
    stack.hivelet("stack", "deploy", "--quiet", *stack.words[:2], timeout=120)
    listed = stack.hivelet("stack", "ls", "--format", "{{.Name}}").lines
    assert stack.name in listed
    for words in (("stack", "ls"), ("stack", "services", stack.name), ("stack", "ps", stack.name)):
        theirs, ours = new_docker(*words).out, stack.hivelet(*words).out
        assert without_times(ours) == without_times(theirs)


# ---- looking at a stack


def test_logs_of_all_services_in_the_order_of_time(engine: Swarm, stack: Stack) -> None:
    for name, shift in (("a", "0"), ("b", "0.3")):
        say = f"sleep {shift}; for i in 1 2 3; do echo {name}$$i; sleep 0.6; done; sleep 1000"
        stack.service(name, command=["sh", "-c", say])
    stack.service("quiet")
    stack.service("terminal", command="sh -c 'echo on a terminal; sleep 1000'", tty=True)
    stack.deploy("--detach")
    # A task whose image is missing has no container: its log must hold up nobody.
    stack.hivelet(
        *("service", "create", "--detach", "--no-resolve-image", "--name", f"{stack.name}_never"),
        *("--label", f"com.docker.stack.namespace={stack.name}", "nowhere.test/never:1"),
    )
    words = ("stack", "logs", "--timestamps", stack.name)

    def all_said() -> bool:
        said = stack.hivelet(*words, timeout=30).out
        return all(word in said for word in ("a3", "b3", "on a terminal"))

    wait_until(all_said, timeout=60, what="both have said all")
    lines = [line.split(" | ") for line in stack.hivelet(*words, timeout=30).lines]
    moments = [rest.split()[0] for _, rest in lines]
    assert moments == sorted(moments)
    texts = [rest.split(" ", 1)[1] for _, rest in lines if "terminal" not in rest]
    assert sorted(texts) == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert {prefix.strip() for prefix, _ in lines} == {"a.1", "b.1", "terminal.1"}
    last = stack.hivelet("stack", "logs", "--tail", "1", "--no-log-prefix", stack.name, "a", "b")
    assert sorted(last.lines) == ["a3", "b3"]
    assert stack.hivelet("stack", "logs", "--since", "1ns", stack.name, "a").out == ""
    assert "no service" in stack.hivelet.fails("stack", "logs", stack.name, "nope").err


def test_logs_are_followed_until_the_stack_is_gone(
    engine: Swarm, stack: Stack, tmp_path: Path
) -> None:
    beat = "i=0; while true; do i=$$((i+1)); echo beat $$i; sleep 0.2; done"
    stack.service("a", command=["sh", "-c", beat])
    stack.deploy("--detach")
    path = tmp_path / "followed"
    with path.open("w") as out:
        child = subprocess.Popen(
            [*stack.hivelet.argv, "stack", "logs", "-f", stack.name],
            env={**stack.hivelet.env, "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(lambda: "beat 3" in path.read_text(), timeout=60, what="beats are followed")
        stack.service("late", command="sh -c 'echo here I am; sleep 1000'")
        stack.deploy("--detach")
        wait_until(
            lambda: "here I am" in path.read_text(), timeout=60, what="a new service joins in"
        )
        stack.hivelet("stack", "rm", stack.name, timeout=120)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
    beats = [line for line in path.read_text().splitlines() if "beat" in line]
    assert beats == list(dict.fromkeys(beats)), "a line was shown twice"


def test_why(engine: Swarm, stack: Stack) -> None:
    stack.service("well")
    stack.service("dies", command="sh -c 'echo no database; exit 3'")
    stack.service("homeless", deploy={"placement": {"constraints": ["node.labels.x==y"]}})
    stack.service("huge", deploy={"resources": {"reservations": {"memory": "900g"}}})
    stack.service("none", deploy={"replicas": 0})
    stack.deploy("--detach")

    def explained() -> dict[str, Any]:
        found = json.loads(stack.hivelet("stack", "why", "--format", "json", stack.name).out)
        return {each["Service"].removeprefix(f"{stack.name}_"): each for each in found}

    def kinds(name: str) -> set[str]:
        return {cause["Kind"] for cause in explained()[name]["Causes"]}

    wait_until(
        lambda: (
            explained()["well"]["Well"]
            and kinds("dies") & {"failed", "crash-loop"}
            and kinds("homeless") == kinds("huge") == {"no-node"}
        ),
        timeout=60,
        what="every service is explained",
        evidence=lambda: stack.hivelet("stack", "why", stack.name).out,
    )
    assert kinds("none") == {"scaled-to-0"}
    said = stack.hivelet("service", "why", f"{stack.name}_dies").out
    assert "task: non-zero exit (3)" in said
    assert "| no database" in said
    assert f"-> hivelet service logs --tail 50 {stack.name}_dies" in said
    said = stack.hivelet("stack", "why", f"{stack.name}_homeless", f"{stack.name}_huge").out
    assert "scheduling constraints not satisfied" in said
    assert "insufficient resources" in said


def test_top(engine: Swarm, stack: Stack) -> None:
    stack.service("busy", command="sh -c 'while true; do true; done'")
    stack.service("idle", deploy={**QUICK, "replicas": 2})
    stack.deploy("--timeout", "60s")
    rows = json.loads(stack.hivelet("stack", "top", "--format", "json", stack.name).out)
    busy, idle = rows
    assert busy["CPUPercent"] > idle["CPUPercent"]
    assert [len(row["Tasks"]) for row in rows] == [1, 2]
    assert all(task["MemoryBytes"] > 0 for row in rows for task in row["Tasks"])
    # Who is connected is told by hivelet's balancer; a Docker engine does not know.
    assert (idle["Connections"] is None) == isinstance(engine.daemon, Dockerd)
    plain = stack.hivelet("stack", "top", "--once", "--sort", "cpu", stack.name).lines
    assert plain[0].split() == ["NAME", "TASKS", "CPU", "%", "MEMORY", "CONNECTIONS", "STATE"]
    assert plain[1].split()[:2] == [f"{stack.name}_busy", "1/1"]


def without_times(table: str) -> list[list[str]]:
    ageless = re.sub(r"(\d+|About an?|Less than a) (second|minute)s?( ago)?", "a while", table)
    return [line.split() for line in ageless.splitlines()]
