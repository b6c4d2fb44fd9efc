"""Making and removing, again and again, leaves everything flat: what the kernel has, what the daemon holds, memory, disk.

Sixty rounds, or with HIVELET_TEST_LONG=1 a thousand. Each deploys a service with a network of its own, a published port
and a config, lets it answer, and removes it all.
"""

from __future__ import annotations

import os
import time

import docker
import pytest
from docker.types import (
    ConfigReference,
    ContainerSpec,
    EndpointSpec,
    NetworkAttachmentConfig,
    ServiceMode,
    TaskTemplate,
)
from harness.daemons import Daemon
from harness.machine import Machine
from harness.native import IMAGE, PORT, Client, import_http
from harness.swarm import Swarm
from harness.traces import Traces
from harness.waiting import wait_until
from harness.weight import MIB, weigh

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
ROUNDS = 1000 if LONG else 60
WARMING = 15
"""Rounds before the first look: caches fill, pools of threads grow, the journal finds its size."""
PUBLISHED = 8080

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 400)]


def way_there(swarm: Swarm) -> str:
    """What a request meets on its way, for a failure's text: which of it was wrong is seen nowhere else afterwards."""
    looks = (
        ["conntrack", "-L", "-p", "tcp", "--orig-port-dst", str(PUBLISHED)],
        ["nft", "list", "map", "ip", "hivelet", "published"],
        ["nft", "list", "ruleset"],
        ["ip", "neigh"],
        ["ip", "-br", "link"],
        ["bridge", "fdb"],
    )
    said = [
        f"$ {' '.join(words)}\n{swarm.machine.run(words, check=False).stdout[:12000]}"
        for words in looks
    ]
    return "\n".join([*said, swarm.daemon.log_tail()])


def play_round(swarm: Swarm, api: docker.APIClient, number: int) -> None:
    """Deploy, ask, remove; returns when nothing is left."""
    network = api.create_network(f"net{number}", driver="overlay")["Id"]
    config = api.create_config(f"conf{number}", b"x")["ID"]
    template = TaskTemplate(
        ContainerSpec(IMAGE, configs=[ConfigReference(config, f"conf{number}")]),
        networks=[NetworkAttachmentConfig(network)],
    )
    service = api.create_service(
        template,
        name=f"web{number}",
        mode=ServiceMode("replicated", replicas=2),
        endpoint_spec=EndpointSpec(ports={PUBLISHED: PORT}),
    )["ID"]

    def states() -> list[str]:
        return [one["Status"]["State"] for one in api.tasks({"service": service})]

    wait_until(lambda: states() == ["running"] * 2, timeout=60, what="it runs", interval=0.02)
    answers = Client(swarm.machine, "127.0.0.1", "close", port=PUBLISHED).run(
        connections=2, requests=4
    )
    assert (answers.good, answers.failed) == (4, 0), f"{answers}\n{way_there(swarm)}"
    api.remove_service(service)
    wait_until(lambda: not api.containers(all=True), timeout=60, what="it is gone", interval=0.02)
    api.remove_config(config)

    def removed() -> bool:
        try:
            api.remove_network(network)
        except docker.errors.APIError as error:
            if "active endpoints" in str(error) or "in use" in str(error):
                return False
            raise
        return True

    wait_until(removed, timeout=30, what="its network is gone", interval=0.02)


def until_as_before(machine: Machine, before: Traces) -> None:
    """Wait, for removal goes on after the answer."""
    wait_until(
        lambda: not machine.traces().since(before),
        timeout=60,
        what="the machine is as it was",
        evidence=lambda: repr(machine.traces().since(before)),
    )


def test_rounds_leave_nothing_behind(swarm: Swarm, hiveletd: Daemon) -> None:
    import_http(swarm.cli, swarm.machine.dir)
    with swarm.api() as api:
        for number in range(WARMING):
            play_round(swarm, api, number)
        traces, first = swarm.machine.traces(), weigh(swarm)
        begun, middle = time.monotonic(), first
        for number in range(ROUNDS):
            if number == ROUNDS // 2:
                middle = weigh(swarm)
            play_round(swarm, api, WARMING + number)
            if number % 100 == 99:
                print(f"after {number + 1} rounds: {weigh(swarm)}", flush=True)
        took = time.monotonic() - begun
        until_as_before(swarm.machine, traces)
    last = weigh(swarm)
    story = f"{ROUNDS} rounds in {took:.0f} s\nbefore: {first}\nhalf:   {middle}\nafter:  {last}"
    print(story)
    assert last.descriptors <= first.descriptors + 2, story
    assert last.threads <= first.threads + 2, story
    # What is remembered is bounded, and fills in the first few hundred rounds: 8,192 moves of tasks and 4,096 commits, together
    # 5 MiB. Then it must be flat; what is allowed is the allocator's and the journal's noise.
    assert last.memory - middle.memory < (2 if LONG else 3) * MIB, story
    assert last.memory - first.memory < 8 * MIB, story
    assert last.disk - first.disk < 2 * MIB, story
