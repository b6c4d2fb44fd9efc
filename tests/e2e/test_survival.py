"""hiveletd dies, is stopped, comes back: what runs goes on running, and is the same afterwards."""

from __future__ import annotations

import pytest
from harness.daemons import Hiveletd
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"

pytestmark = [pytest.mark.slow]


def facts(swarm: Swarm) -> dict[str, tuple[str, int]]:
    """What must be the same after a restart: container and process by task."""
    tasks = swarm.tasks("web", running=True)
    return {
        task["ID"]: (task["Status"]["ContainerStatus"]["ContainerID"], swarm.process(task))
        for task in tasks
    }


def test_sigkill_loses_no_request_and_no_dns_answer(swarm: Swarm, hiveletd: Hiveletd) -> None:
    swarm.cli("network", "create", "--driver", "overlay", "back")
    swarm.create("web", 3, "--network", "back", "--publish", "8080:8000")
    before = facts(swarm)
    task = swarm.tasks("web", running=True)[0]
    server, process = swarm.name_server(task), swarm.process(task)
    requests = Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE)
    questions = Traffic.questions(swarm.machine, server, "tasks.web", where=process)
    with requests, questions:
        hiveletd.kill()
        requests.go_on(100)
        questions.go_on(200)
        hiveletd.start()
        assert facts(swarm) == before
        requests.go_on(50)
        questions.go_on(100)
    assert requests.failures == []
    assert questions.failures == []
    assert {record.body for record in questions.records} == {"3"}
    assert len(requests.tally()) == 3


def test_a_replica_that_died_meanwhile_is_replaced(swarm: Swarm, hiveletd: Hiveletd) -> None:
    swarm.create("web", 3, "--publish", "8080:8000")
    before = facts(swarm)
    dead, (_, process) = sorted(before.items())[0]
    hiveletd.kill()
    swarm.machine.run(["kill", "-KILL", str(process)])
    hiveletd.start()
    # The store still calls the dead one running until the agent has looked at its container.
    wait_until(
        lambda: dead not in swarm.task_ids("web"),
        timeout=10,
        what="the death is noticed",
        evidence=swarm.story,
    )
    swarm.until_running("web", 3)
    after = facts(swarm)
    assert {task: after.get(task) for task in before if task != dead} == {
        t: v for t, v in before.items() if t != dead
    }
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        requests.go_on(60)
    assert requests.failures == []
    assert len(requests.tally()) == 3


def test_sigterm_leaves_all_running(swarm: Swarm, hiveletd: Hiveletd) -> None:
    swarm.create("web", 3, "--publish", "8080:8000")
    before = facts(swarm)
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        assert hiveletd.stop() == 0
        requests.go_on(50)
        hiveletd.start()
        requests.go_on(50)
    assert facts(swarm) == before
    assert requests.failures == []
    # And it is in charge again: it scales, and it notices a death.
    swarm.cli("service", "scale", "--detach", "web=4")
    swarm.until_running("web", 4)
    victim = swarm.tasks("web", running=True)[0]
    swarm.machine.run(["kill", "-KILL", str(swarm.process(victim))])
    wait_until(
        lambda: victim["ID"] not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 4,
        timeout=10,
        what="the dead replica is replaced",
        evidence=swarm.story,
    )


def test_what_was_acknowledged_is_kept(swarm: Swarm, hiveletd: Hiveletd) -> None:
    """A write is acknowledged, the daemon is killed in the same moment, the write is there."""
    for number in range(3):
        name = f"kept{number}"
        swarm.cli(
            "service",
            "create",
            "--detach",
            "--no-resolve-image",
            "--name",
            name,
            "bb:latest",
            "/bin/sleep",
            "10000",
        )
        hiveletd.kill()
        hiveletd.start()
        swarm.until_running(name, 1)


def test_one_instance_per_root(hiveletd: Hiveletd) -> None:
    """A second daemon on the same root is refused with one clear error."""
    second = hiveletd.machine.run(hiveletd.argv(), check=False, timeout=20)
    assert second.returncode == 1
    assert len(second.stderr.strip().splitlines()) == 1
    assert str(hiveletd.root) in second.stderr
