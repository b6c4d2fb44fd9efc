"""Datagrams through a published port and through a VIP, while the service is updated and scaled."""

from __future__ import annotations

import pytest
from harness.machine import ADDRESS, INSIDE, OUTSIDE
from harness.native import DATAGRAMS, import_datagrams
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until


@pytest.fixture
def server(swarm: Swarm) -> Swarm:
    """Three replicas of a server that needs its time until it listens, on UDP alone, and for each answer."""
    import_datagrams(swarm.cli, swarm.machine.dir)
    swarm.cli("network", "create", "--driver", "overlay", "back")
    ways = ("--network", "back", "--publish", "9000:9000/udp", "--update-parallelism", "0")
    command = ("/datagrams", "9000", "400", "100")
    swarm.create("udp", 3, *ways, image=DATAGRAMS, command=command)
    return swarm


def renew(server: Swarm, order: str) -> None:
    """Update every replica, to the end."""
    old = server.task_ids("udp")
    server.cli("service", "update", "--detach", "--force", "--update-order", order, "udp")
    wait_until(
        lambda: len(server.task_ids("udp")) == len(old) and not server.task_ids("udp") & old,
        timeout=60,
        what="all replicas are new ones",
        evidence=server.story,
    )


def test_no_datagram_is_lost(server: Swarm) -> None:
    """Neither to a task that does not listen yet, nor the answer of one that leaves."""
    bystander = ("/bin/sleep", "10000")
    server.create("caller", 1, "--network", "back", image="bb:latest", command=bystander)
    (caller,) = server.tasks("caller", running=True)
    vip = (server.vip("udp", "back"), server.process(caller))
    ways = [(ADDRESS, OUTSIDE), ("127.0.0.1", INSIDE), ("::1", INSIDE), vip]
    clients = [Traffic.datagrams(server.machine, host, 9000, where=where) for host, where in ways]
    with clients[0], clients[1], clients[2], clients[3]:
        renew(server, "start-first")
        server.cli("service", "scale", "--detach", "udp=5")
        server.until_running("udp", 5)
        renew(server, "start-first")
        server.cli("service", "scale", "--detach", "udp=2")
        server.until_running("udp", 2)
        for client in clients:
            client.go_on(20)
    for client, way in zip(clients, ways, strict=True):
        assert client.failures == [], way
        assert len(client.tally()) == 13, way


def test_where_it_must_listen_is_told(server: Swarm) -> None:
    words = ("--detach", "--no-resolve-image", "--name", "deaf", "--publish", "9001:9001/udp")
    server.cli("service", "create", *words, "bb:latest", "/bin/sleep", "1000")
    told = "not ready yet: its program must listen on UDP port 9001"
    wait_until(
        lambda: told in server.cli("service", "ps", "--no-trunc", "deaf").out,
        timeout=30,
        what="the task says why it does not run",
        evidence=server.story,
    )
