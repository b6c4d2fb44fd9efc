"""Removal without a trace: links, rules, mounts, cgroups, processes and namespaces are as they were before."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.machine import Machine
from harness.swarm import Swarm
from harness.traces import Traces
from harness.waiting import wait_until

STACK = """
version: "3.8"
services:
  web:
    image: web:latest
    ports: ["8080:8000"]
    networks: [front, back]
    deploy: {replicas: 3}
  store:
    image: bb:latest
    command: /bin/sleep 10000
    stop_grace_period: 1s
    networks: [back]
    volumes: ["kept:/kept"]
networks:
  front:
  back:
volumes:
  kept:
"""


def in_use(swarm: Swarm) -> Traces:
    """The machine of a swarm that has run something: what it keeps for good (the ingress network, …) is there by then."""
    swarm.create("first", 1, "--publish", "9090:8000")
    swarm.cli("service", "rm", "first")
    swarm.until_gone("first")
    return swarm.machine.traces()


def as_before(machine: Machine, before: Traces) -> None:
    """Wait, for removal goes on after the answer, then show whatever is left."""
    wait_until(
        lambda: not machine.traces().since(before),
        timeout=30,
        what="the machine is as it was before",
        evidence=lambda: repr(machine.traces().since(before)),
    )


def test_a_removed_stack_leaves_nothing(swarm: Swarm, tmp_path: Path) -> None:
    file = tmp_path / "stack.yml"
    file.write_text(STACK)
    before = in_use(swarm)
    for _ in range(2):  # what is left of the first would be in the way of the second
        swarm.cli("stack", "deploy", "-c", str(file), "gone")
        swarm.until_running("gone_web", 3)
        swarm.until_running("gone_store", 1)
        assert swarm.machine.traces().since(before)
        swarm.cli("stack", "rm", "gone")
        swarm.until_gone("gone_web", "gone_store")
        as_before(swarm.machine, before)
    assert "gone" not in swarm.cli("network", "ls").out
    assert swarm.cli("ps", "-aq").out == ""


def test_leaving_the_swarm_leaves_nothing(swarm: Swarm) -> None:
    """`swarm leave --force` with services still running ends them; what `swarm init` made is gone as well."""
    swarm.cli("swarm", "leave", "--force")
    before = swarm.machine.traces()
    swarm.cli("swarm", "init")
    swarm.create("web", 3, "--publish", "8080:8000")
    swarm.cli("swarm", "leave", "--force")
    as_before(swarm.machine, before)
    assert swarm.cli("ps", "-aq").out == ""
    assert "ingress" not in swarm.cli("network", "ls").out


def test_failed_tasks_leave_nothing_but_their_history(swarm: Swarm) -> None:
    """A service that dies again and again piles nothing up."""
    before = in_use(swarm)
    words = (
        "--detach",
        "--no-resolve-image",
        "--name",
        "dies",
        "--restart-delay",
        "0s",
        "--restart-max-attempts",
        "8",
    )
    swarm.cli("service", "create", *words, "bb:latest", "/bin/false")
    wait_until(
        lambda: len(swarm.tasks("dies")) >= 5 and not swarm.tasks("dies", running=True),
        timeout=30,
        what="it has died often enough",
        evidence=swarm.story,
    )
    swarm.cli("service", "rm", "dies")
    swarm.until_gone("dies")
    as_before(swarm.machine, before)


@pytest.mark.parametrize("wrong", ["missing-image", "missing-program"])
def test_what_never_ran_leaves_nothing(swarm: Swarm, wrong: str) -> None:
    before = in_use(swarm)
    image, command = (
        ("nowhere.test/missing:1", ())
        if wrong == "missing-image"
        else ("bb:latest", ("/bin/missing",))
    )
    words = ("--detach", "--no-resolve-image", "--name", "never", "--restart-condition", "none")
    swarm.cli("service", "create", *words, image, *command)
    wait_until(
        lambda: any(
            task["Status"]["State"] in ("rejected", "failed") for task in swarm.tasks("never")
        ),
        timeout=30,
        what="its task has failed",
        evidence=swarm.story,
    )
    swarm.cli("service", "rm", "never")
    swarm.until_gone("never")
    as_before(swarm.machine, before)
