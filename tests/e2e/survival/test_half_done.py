"""hiveletd killed between the kernel's part of a change of networks and its own record of it; the next one undoes or finishes it."""

from __future__ import annotations

import json

import pytest
from harness.cli import Cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.waiting import wait_until

from hivelet.kit.failpoints import ENVIRONMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def told(cli: Cli) -> list[str]:
    """The container's networks, as inspect has them."""
    form = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    return cli("inspect", "--format", form, "box").out.split()


def seen(cli: Cli) -> int:
    """In how many networks the container finds itself."""
    lines = cli("exec", "box", "ip", "-4", "-o", "address").lines
    return len([line for line in lines if "127.0.0.1" not in line])


def links(machine: Machine) -> set[str]:
    """The host's links."""
    return {link["ifname"] for link in json.loads(machine.run(["ip", "-json", "link"]).stdout)}


def die_at(point: str, cli: Cli, daemon: Hiveletd, *words: str) -> None:
    """Run a command in which hiveletd dies, the first time that it passes this point, and start the next one."""
    daemon.stop()
    daemon.also = {ENVIRONMENT: f"{point}:1"}
    daemon.start()
    cli.fails(*words)
    wait_until(lambda: not daemon.running, timeout=10, what="hiveletd has died")
    daemon.also = {}
    daemon.start()


def test_a_change_of_networks_is_undone(machine: Machine, hiveletd: Hiveletd, docker: Cli) -> None:
    import_busybox(docker, machine.dir)
    docker("network", "create", "front")
    docker("run", "--detach", "--name", "box", "bb:latest", "sleep", "1000")

    die_at("engine.put", docker, hiveletd, "network", "connect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge"], 1)
    docker("network", "rm", "front")
    docker("network", "create", "front")

    docker("network", "connect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge", "front"], 2)
    die_at("engine.put", docker, hiveletd, "network", "disconnect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge", "front"], 2)
    docker("network", "disconnect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge"], 1)
    docker("network", "rm", "front")
    docker("rm", "--force", "box")


def test_a_place_in_a_network_of_the_swarm_is_given_back(
    machine: Machine, hiveletd: Hiveletd, docker: Cli
) -> None:
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    docker("network", "create", "--driver", "overlay", "--attachable", "back")
    docker("run", "--detach", "--name", "box", "bb:latest", "sleep", "1000")
    die_at("engine.put", docker, hiveletd, "network", "connect", "back", "box")
    assert (told(docker), seen(docker)) == (["bridge"], 1)
    docker("network", "rm", "back")


def test_networks_that_are_forgotten_are_taken_away(
    machine: Machine, hiveletd: Hiveletd, docker: Cli
) -> None:
    """Also `docker_gwbridge`, which the next swarm has under another id."""
    docker("swarm", "init")
    before = links(machine)
    docker("network", "create", "front")
    assert links(machine) > before
    die_at("engine.was-dropped", docker, hiveletd, "network", "rm", "front")
    assert links(machine) == before

    die_at("engine.was-dropped", docker, hiveletd, "swarm", "leave", "--force")
    docker("swarm", "leave", "--force")
    assert not {link for link in links(machine) if link.startswith(("hv", "docker"))}
    docker("swarm", "init")
    assert links(machine) == before
