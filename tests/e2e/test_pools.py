"""Addresses that a user asks for, pools that are occupied, subnets that run out: what is said, and that the way out works."""

from __future__ import annotations

import docker.errors
import pytest
from harness.cli import Cli
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import OUTSIDE_ADDRESS, Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow]

EXHAUSTED = (
    "could not find an available, non-overlapping IPv4 address pool among the defaults "
    "to assign to the network"
)
SEEDS_REPAIR = [
    *["--subnet", "172.20.0.0/20", "--gateway", "172.20.0.1"],
    *["-o", "com.docker.network.bridge.enable_icc=false"],
    *["-o", "com.docker.network.bridge.name=docker_gwbridge", "docker_gwbridge"],
]


def why(swarm: Swarm, service: str) -> str:
    """What `service ps --no-trunc` says about the newest task."""
    lines = swarm.cli(
        *["service", "ps", "--no-trunc", "--format", "{{.Error}} {{.CurrentState}}", service]
    ).lines
    return lines[0] if lines else ""


def test_occupied_pools_are_told_and_the_repair_needs_no_restart(
    machine: Machine, hiveletd: Daemon, docker: Cli
) -> None:
    """The seed's failure: no pool is left for `docker_gwbridge`; then for `ingress` as well."""
    for subnet in ("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8"):
        machine.run(["ip", "route", "add", subnet, "via", OUTSIDE_ADDRESS])
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    swarm = Swarm(machine, hiveletd, docker)

    docker("service", "create", "--detach", "--name", "alone", "bb:latest", "/bin/sleep", "10000")
    docker(
        *["service", "create", "--detach", "--name", "web", "--publish", "8080:8000", "web:latest"]
    )
    for service, pool in (("alone", "192.168.0.0/16"), ("web", "10.0.0.0/8")):
        wait_until(
            lambda service=service: EXHAUSTED in why(swarm, service),
            timeout=30,
            what=f"{service} tells the reason",
            evidence=lambda service=service: why(swarm, service),
        )
        said = why(swarm, service)
        assert f"{pool} (route through uplink0)" in said
        assert "--subnet" in said

    docker("network", "create", *SEEDS_REPAIR)
    swarm.until_running("alone", 1)
    assert "172.20.0.1/20" in machine.run(["ip", "addr", "show", "docker_gwbridge"]).stdout

    machine.run(["ip", "route", "del", "10.0.0.0/8"])
    swarm.until_running("web", 1)


@pytest.mark.parametrize("driver", ["overlay", "bridge"])
def test_a_clash_with_the_host_is_told_at_creation(swarm: Swarm, driver: str) -> None:
    pools = {"Driver": "default", "Config": [{"Subnet": "198.18.0.0/24"}]}
    with swarm.api() as api, pytest.raises(docker.errors.APIError) as raised:
        api.create_network("n", driver=driver, ipam=pools)
    assert raised.value.status_code == 403
    said = str(raised.value.explanation)
    assert "198.18.0.0/24 (network n) overlaps 198.18.0.0/30, in use by interface uplink0" in said
    said = swarm.cli.fails("network", "create", "-d", driver, "--subnet", "10.7.0.0/31", "n").err
    assert "subnet 10.7.0.0/31 is too small" in said


def test_a_route_that_has_just_come_is_avoided(swarm: Swarm) -> None:
    """As a VPN adds one: it covers what the pools would give next."""
    asked = ("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}")
    for number in range(3):
        first, second = 1 + 2 * number, 2 + 2 * number
        route = ["ip", "route", "add", f"10.0.{first}.0/24", "via", OUTSIDE_ADDRESS]
        swarm.machine.run(route)
        swarm.cli("network", "create", "--driver", "overlay", f"net{number}")
        wait_until(
            lambda number=number: swarm.cli(*asked, f"net{number}").lines,
            timeout=20,
            what="it has a subnet",
        )
        assert swarm.cli(*asked, f"net{number}").lines == [f"10.0.{second}.0/24"]


def test_a_swarms_own_pools_are_used(machine: Machine, hiveletd: Daemon, docker: Cli) -> None:
    import_busybox(docker, machine.dir)
    docker(
        *["swarm", "init", "--default-addr-pool", "10.44.0.0/16"],
        *["--default-addr-pool-mask-length", "26"],
    )
    swarm = Swarm(machine, hiveletd, docker)
    docker("network", "create", "-d", "overlay", "back")
    docker(
        *["network", "create", "-d", "overlay", "--subnet", "10.45.0.0/16"],
        *["--ip-range", "10.45.7.0/24", "--gateway", "10.45.9.9"],
        *["--aux-address", "printer=10.45.7.1", "asked"],
    )
    swarm.create("web", 2, "--network", "back", "--network", "asked")
    given = [
        address
        for task in swarm.tasks("web", running=True)
        for one in task["NetworksAttachments"]
        for address in one["Addresses"]
    ]
    assert len(given) == 4
    assert sum(a.startswith("10.44.") and a.endswith("/26") for a in given) == 2
    assert sum(a.startswith("10.45.7.") and a.endswith("/16") for a in given) == 2
    assert "10.45.7.1/16" not in given
    routes = machine.run(["ip", "route"], where=swarm.process(swarm.tasks("web", running=True)[0]))
    assert "10.45.0.0/16" in routes.stdout
