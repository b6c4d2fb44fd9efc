"""What can be seen of the data plane: a network's services in Docker's shape, a service's backends with their connections."""

from __future__ import annotations

import json

import pytest
from harness.cli import Cli, make_cli
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until


@pytest.mark.parametrize("name", ["docker-20", "docker-28", "hivelet"])
def test_a_networks_services(swarm: Swarm, name: str) -> None:
    cli = make_cli(name, swarm.daemon.host, swarm.machine.dir)
    swarm.cli("network", "create", "--driver", "overlay", "back")
    swarm.create("web", 2, "--network", "back", "--publish", "8080:8000")
    (network,) = json.loads(cli("network", "inspect", "--verbose", "back").out)
    shown = network["Services"]["web"]
    tasks = swarm.tasks("web", running=True)
    assert (shown["VIP"], shown["Ports"]) == (swarm.vip("web", "back"), [])
    assert {each["EndpointIP"] for each in shown["Tasks"]} == {
        swarm.address(task, "back") for task in tasks
    }
    endpoints = {each["EndpointID"] for each in network["Containers"].values()}
    assert {each["EndpointID"] for each in shown["Tasks"]} == endpoints
    (ingress,) = json.loads(cli("network", "inspect", "--verbose", "ingress").out)
    assert ingress["Services"]["web"]["Ports"] == ["Target: 8000, Publish: 8080"]


def test_backends_with_their_state_and_connections(swarm: Swarm, hivelet_cli: Cli) -> None:
    swarm.create("web", 1, "--publish", "8080:8000", "--stop-grace-period", "1m")
    url = f"http://{ADDRESS}:8080/cgi-bin/slow?8"
    traffic = Traffic.requests(
        swarm.machine, url, "--requests", "1", "--timeout", "60", where=OUTSIDE
    )
    traffic.start()

    def backends() -> dict[str, int]:
        (service,) = json.loads(hivelet_cli("service", "inspect", "web").out)
        return {each["State"]: each["Connections"]["Busy"] for each in service["Backends"]}

    wait_until(lambda: backends() == {"in": 1}, timeout=20, what="the request is seen")
    swarm.cli("service", "update", "--detach", "--force", "--update-order", "start-first", "web")
    wait_until(
        lambda: backends() == {"in": 0, "draining": 1},
        timeout=20,
        what="the new task is in, the old one drains",
        evidence=swarm.story,
    )
    (network,) = json.loads(hivelet_cli("network", "inspect", "--verbose", "ingress").out)
    shown = [each["Info"] for each in network["Services"]["web"]["Tasks"]]
    assert {each["State"]: each["Connections"] for each in shown} == {
        "in": "0 busy, 0 idle",
        "draining": "1 busy, 0 idle",
    }
    pretty = hivelet_cli("service", "inspect", "--pretty", "web").out
    assert "1 busy, 0 idle connections" in pretty
    assert "Virtual IPs:\n ingress" in pretty
    (plain,) = json.loads(swarm.cli("service", "inspect", "web").out)
    assert "Backends" not in plain
    traffic.wait()
    assert traffic.failures == []
