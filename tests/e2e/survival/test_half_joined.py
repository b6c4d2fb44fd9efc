"""hiveletd killed between the kernel's part of `network connect` or `disconnect` and its own record of it."""

from __future__ import annotations

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


def die_at(cli: Cli, daemon: Hiveletd, *words: str) -> None:
    """Run a command of which hiveletd carries out all but the last thing, and start the next one."""
    daemon.stop()
    daemon.also = {ENVIRONMENT: "engine.put:1"}
    daemon.start()
    cli.fails(*words)
    wait_until(lambda: not daemon.running, timeout=10, what="hiveletd has died")
    daemon.also = {}
    daemon.start()


def test_a_change_of_networks_is_undone(machine: Machine, hiveletd: Hiveletd, docker: Cli) -> None:
    import_busybox(docker, machine.dir)
    docker("network", "create", "front")
    docker("run", "--detach", "--name", "box", "bb:latest", "sleep", "1000")

    die_at(docker, hiveletd, "network", "connect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge"], 1)
    docker("network", "rm", "front")
    docker("network", "create", "front")

    docker("network", "connect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge", "front"], 2)
    die_at(docker, hiveletd, "network", "disconnect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge", "front"], 2)
    docker("network", "disconnect", "front", "box")
    assert (told(docker), seen(docker)) == (["bridge"], 1)
    docker("network", "rm", "front")
    docker("rm", "--force", "box")
