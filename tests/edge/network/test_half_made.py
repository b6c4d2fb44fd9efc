"""A process that dies while it makes a sandbox: the next one finds the whole of it or nothing, never links without addresses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from network_lab import INGRESS, WEBNET, Lab, sh

from hivelet.kit.failpoints import ENVIRONMENT
from hivelet.network.netns import inside
from hivelet.network.sandbox import Sandbox

LEGS = ((WEBNET, "10.0.1.3/24"), (INGRESS, "10.0.0.3/24"))
CONTAINER = "web1".ljust(64, "0")
MAKER = """
import asyncio, sys
from pathlib import Path
from network_lab import Lab
from test_half_made import LEGS

async def make():
    lab = Lab(Path(sys.argv[1]))
    await lab.plane.start()
    await lab.plane.resume()
    await lab.task("web1", *LEGS, serve=False)
    await lab.plane.stop()

asyncio.run(make())
"""


def make_and_die(home: Path, where: str) -> bool:
    """Have another process make a sandbox; False where it got to its end without passing that point."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), ENVIRONMENT: where}
    done = subprocess.run(
        [sys.executable, "-c", MAKER, str(home)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def what_is_missing(sandbox: Sandbox) -> list[str]:
    """Of the addresses that it should have, of links that should be up, and of its way out."""
    with inside(sandbox.netns):
        links = json.loads(subprocess.check_output(["ip", "-json", "address"]))
        routes = json.loads(subprocess.check_output(["ip", "-json", "route"]))
    there = {one["local"] for link in links for one in link["addr_info"]}
    wanted = {*sandbox.addresses.values(), *sandbox.addresses6.values(), "127.0.0.1"}
    down = [link["ifname"] for link in links if "UP" not in link["flags"]]
    ways = [] if any(route["dst"] == "default" for route in routes) else ["the way out"]
    return [*sorted(wanted - there), *down, *ways]


@pytest.mark.parametrize("point", ["links.changed", "namespace.pinned"])
async def test_what_is_adopted_is_whole(home: Path, point: str) -> None:
    sh("ip link set lo up")
    seen = []
    for passage in range(1, 40):
        died = make_and_die(home, f"{point}:{passage}")
        lab = Lab(home)
        try:
            await lab.plane.start()
            sandbox = lab.plane.sandbox(CONTAINER)
            seen.append("" if sandbox is None else f"whole, without {what_is_missing(sandbox)}")
        finally:
            await lab.plane.tear_down()
            await lab.plane.stop()
        if not died:
            break
    *deaths, end = seen
    assert end == "whole, without []"
    assert len(deaths) >= (1 if point == "namespace.pinned" else 3)
    assert set(deaths) <= {"", "whole, without []"}
