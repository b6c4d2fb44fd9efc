"""Published ports and service names: strict round robin, and the caller's own address at the application."""

from __future__ import annotations

import pytest
from harness.machine import ADDRESS, OUTSIDE, OUTSIDE_ADDRESS, OUTSIDE_NAME
from harness.swarm import Swarm
from harness.traffic import burst, ways_in
from harness.waiting import wait_until

WHOAMI = "/cgi-bin/whoami"


def names_of(swarm: Swarm, service: str) -> set[str]:
    """What the replicas call themselves: their containers' short ids."""
    return {container[:12] for container in swarm.container_ids(service)}


def test_a_published_port_goes_round(swarm: Swarm) -> None:
    """90 requests are 30/30/30, from localhost, from the host's own address, and from outside."""
    swarm.create("web", 3, "--publish", "8080:8000")
    for way in ways_in(swarm.machine):
        done = burst(swarm.machine, f"http://{way.host}:8080{WHOAMI}", 90, way.where)
        assert not done.failures, way.name
        assert done.tally() == dict.fromkeys(names_of(swarm, "web"), 30), way.name
        assert done.clients() <= way.seen_as, way.name


def test_services_reach_each_other_by_name(swarm: Swarm) -> None:
    """Names resolve as documented; the VIP goes round, and the callee sees the calling task's own address."""
    swarm.cli("network", "create", "--driver", "overlay", "back")
    swarm.create("web", 3, "--network", "back")
    swarm.create(
        "caller", 1, "--network", "back", image="bb:latest", command=("/bin/sleep", "10000")
    )
    (caller,) = swarm.tasks("caller", running=True)
    vip = swarm.vip("web", "back")
    assert swarm.resolve(caller, "web") == {vip}
    assert swarm.resolve(caller, "tasks.web") == {
        swarm.address(task, "back") for task in swarm.tasks("web", running=True)
    }
    assert swarm.resolve(caller, OUTSIDE_NAME) == {OUTSIDE_ADDRESS}
    assert swarm.resolve(caller, "nobody") == set()
    done = burst(swarm.machine, f"http://{vip}:8000{WHOAMI}", 90, swarm.process(caller))
    assert done.tally() == dict.fromkeys(names_of(swarm, "web"), 30)
    assert done.clients() == {swarm.address(caller, "back")}
    # A task that calls its own service may be given itself.
    web = swarm.tasks("web", running=True)[0]
    own = burst(swarm.machine, f"http://{vip}:8000{WHOAMI}", 9, swarm.process(web))
    assert own.tally() == dict.fromkeys(names_of(swarm, "web"), 3)


def test_networks_are_apart(swarm: Swarm) -> None:
    """A task on another network neither resolves a service's name nor reaches its address."""
    for network in ("one", "two"):
        swarm.cli("network", "create", "--driver", "overlay", network)
    swarm.create("web", 1, "--network", "one")
    swarm.create(
        "stranger", 1, "--network", "two", image="bb:latest", command=("/bin/sleep", "10000")
    )
    (stranger,) = swarm.tasks("stranger", running=True)
    (web,) = swarm.tasks("web", running=True)
    assert swarm.resolve(stranger, "web") == set()
    for address in (swarm.address(web, "one"), swarm.vip("web", "one")):
        words = ["busybox", "nc", "-w", "1", address, "8000"]
        assert swarm.machine.run(words, where=swarm.process(stranger), check=False).returncode != 0
        assert swarm.machine.run(words, where=OUTSIDE, check=False).returncode != 0


@pytest.mark.parametrize("replicas", [1, 5])
def test_scaling_changes_who_answers(swarm: Swarm, replicas: int) -> None:
    swarm.create("web", 3, "--publish", "8080:8000")
    swarm.cli("service", "scale", "--detach", f"web={replicas}")
    swarm.until_running("web", replicas)
    done = burst(swarm.machine, f"http://127.0.0.1:8080{WHOAMI}", 6 * replicas)
    assert done.tally() == dict.fromkeys(names_of(swarm, "web"), 6)


def test_a_clients_connections_stay_together_on_request(swarm: Swarm) -> None:
    """The label works at once and restarts nobody; without it, strictly in turn again."""
    swarm.create("web", 3, "--publish", "8080:8000")
    tasks = swarm.task_ids("web")

    def answered() -> int:
        return len(burst(swarm.machine, f"http://{ADDRESS}:8080{WHOAMI}", 12, OUTSIDE).tally())

    for change, replicas in (("add", 1), ("rm", 3)):
        label = "com.hivelet.affinity" + ("=client-ip" if change == "add" else "")
        swarm.cli("service", "update", "--detach", f"--label-{change}", label, "web")
        wait_until(
            lambda wanted=replicas: answered() == wanted,
            timeout=20,
            what=f"{replicas} tasks answer one client",
        )
    assert swarm.task_ids("web") == tasks
    refused = swarm.cli(
        "service", "update", "--label-add", "com.hivelet.affinity=cookie", "web", status=1
    )
    assert 'label com.hivelet.affinity: "cookie" is unknown: use none or client-ip' in refused.err
