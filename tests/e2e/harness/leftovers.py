"""What a machine has of containers that are not there any more: anything that bears the id of one."""

from __future__ import annotations

import re

import docker

from harness.daemons import Hiveletd
from harness.swarm import Swarm
from harness.waiting import wait_until

_FULL_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def find_leftovers(swarm: Swarm, daemon: Hiveletd) -> list[str]:
    """Mounts, control groups, processes, namespaces and directories of containers that the daemon does not know."""
    client = docker.APIClient(base_url=daemon.host, timeout=30, version="1.41")
    try:
        known = {one["Id"] for one in client.containers(all=True)}
    finally:
        client.close()
    traces = swarm.machine.traces()
    places = [*traces.mounts, *traces.cgroups, *traces.processes, *traces.namespaces]
    for base in (daemon.run / "containers", daemon.root / "containers", daemon.root / "snapshots"):
        places += map(str, base.glob("*"))
    return [
        place
        for place in places
        if "/volumes/" not in place and any(one not in known for one in _FULL_ID.findall(place))
    ]


def until_nothing_is_left(swarm: Swarm, daemon: Hiveletd, timeout: float = 20) -> None:
    """Wait until there is nothing of the kind."""
    wait_until(
        lambda: not find_leftovers(swarm, daemon),
        timeout=timeout,
        what="nothing is left of containers that are gone",
        evidence=lambda: f"left: {find_leftovers(swarm, daemon)}\n{swarm.story()}",
    )
