"""Changes under a steady rate of requests, one connection each: none may be lost but those that a killed replica had in hand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

# Each request takes a fifth of a second, so that there are always some in hand when a replica has to go.
URL = f"http://{ADDRESS}:8080/cgi-bin/slow?0.2"
RATE = "40"

pytestmark = [pytest.mark.slow]


@pytest.fixture
def traffic(swarm: Swarm) -> Iterator[Traffic]:
    """Requests from outside to three replicas."""
    swarm.create("web", 3, "--publish", "8080:8000")
    with Traffic.requests(swarm.machine, URL, "--rate", RATE, where=OUTSIDE) as traffic:
        yield traffic


def ended_well(traffic: Traffic) -> None:
    """All requests were answered."""
    traffic.stop()
    assert traffic.failures == [], f"{len(traffic.failures)} of {len(traffic.records)} were lost"


def test_scaling_up_and_down_loses_no_request(swarm: Swarm, traffic: Traffic) -> None:
    for replicas in (6, 2):
        swarm.cli("service", "scale", "--detach", f"web={replicas}")
        swarm.until_running("web", replicas)
        traffic.go_on(40)
    # All of the leaving tasks' work is done too, not only hidden behind the new count.
    wait_until(
        lambda: len(swarm.cli("ps", "-q").lines) == 2,
        timeout=30,
        what="the leaving containers are gone",
    )
    traffic.go_on(20)
    ended_well(traffic)


def test_a_forced_update_loses_no_request(swarm: Swarm, traffic: Traffic) -> None:
    old = swarm.task_ids("web")
    swarm.cli("service", "update", "--detach", "--force", "--update-parallelism", "1", "web")
    wait_until(
        lambda: len(swarm.task_ids("web") - old) == 3 and not swarm.task_ids("web") & old,
        timeout=60,
        what="all three replicas are new ones",
        evidence=swarm.story,
    )
    traffic.go_on(40)
    ended_well(traffic)


def test_removing_a_replica_by_force_loses_only_what_it_had_in_hand(
    swarm: Swarm, traffic: Traffic
) -> None:
    victim = swarm.container_ids("web")[0]
    old = swarm.task_ids("web")
    begun = time.monotonic()
    swarm.cli("rm", "-f", victim)
    gone = time.monotonic()
    wait_until(
        lambda: len(swarm.task_ids("web")) == 3 and swarm.task_ids("web") != old,
        timeout=10,
        what="web is 3/3 again",
    )
    traffic.go_on(60)
    traffic.stop()
    in_hand = [record for record in traffic.failures if record.at < gone and record.ended > begun]
    assert traffic.failures == in_hand, "requests failed that did not meet the removal"
    refused = [record for record in traffic.failures if "Refused" in record.error]
    assert refused == [], "new connections were sent to a container that was gone"
    # A third of the requests of the last fifth of a second, and a margin for those that came while it was being killed.
    assert len(in_hand) <= 10


def test_a_killed_process_is_out_of_the_balancer_at_once(swarm: Swarm, traffic: Traffic) -> None:
    """Nobody is told of a SIGKILL beforehand: what fails is what the replica had in hand and what came within a moment."""
    victim = swarm.tasks("web", running=True)[0]
    killed = time.monotonic()
    swarm.machine.run(["kill", "-KILL", str(swarm.process(victim))])
    wait_until(
        lambda: victim["ID"] not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 3,
        timeout=10,
        what="web is 3/3 again",
        evidence=swarm.story,
    )
    traffic.go_on(60)
    traffic.stop()
    late = [record for record in traffic.failures if record.at > killed + 0.5]
    assert late == []
    assert len(traffic.failures) <= 15
