"""Networks and sandboxes made and removed, again and again, leave the kernel and the process as they were.

Fifty rounds, or with HIVELET_TEST_LONG=1 a thousand.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
from pathlib import Path

import pytest
from network_lab import INGRESS, Lab, backend, sh, web_service

from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.task import PortConfig

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
ROUNDS = 1000 if LONG else 50
WARMING = 10
TASKS = 2

pytestmark = pytest.mark.timeout(1800 if LONG else 240)


def network(number: int) -> BridgeNetwork:
    return BridgeNetwork(
        id=f"round{number:020}"[::-1],
        name=f"round{number}",
        subnet="10.8.0.0/24",
        gateway="10.8.0.1",
    )


async def play_round(lab: Lab, number: int) -> None:
    """A service of two tasks in a network of its own, asked once by each way."""
    own = network(number)
    await lab.plane.ensure_network(INGRESS)
    await lab.plane.ensure_network(own)
    port = PortConfig(target_port=80, published_port=8000)
    lab.plane.set_services(web_service(vips={own.id: "10.8.0.2"}, aliases={}, ports=[port]))
    names = [f"task{number}x{place}" for place in range(TASKS)]
    for place, name in enumerate(names):
        legs = ((own, f"10.8.0.{place + 3}/24"), (INGRESS, f"10.0.0.{place + 3}/24"))
        sandbox = await lab.task(name, *legs, serve=False)
        await lab.plane.admit(backend(sandbox, name))
    assert await lab.dig(names[0], "tasks.myapp_web") == (0, ["10.8.0.3", "10.8.0.4"])
    for name in names:
        await lab.plane.withdraw(name)
        await lab.plane.remove_sandbox(name.ljust(64, "0"))
    lab.plane.set_services({})
    await lab.plane.remove_network(own.id)


def traces(lab: Lab) -> dict[str, list[str]]:
    """What the kernel and this process have, sorted; without handles and what the rules learn."""
    rules = re.sub(r"elements = \{[^}]*\}", "", sh("nft -s list ruleset"))
    files = [path for path in lab.run.rglob("*") if path.is_file()]
    return {
        "links": sorted(sh("ip -o link show | cut -d: -f2 | cut -d@ -f1").split()),
        "rules": rules.splitlines(),
        "mounts": sorted(
            line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "threads": sorted(
            Path(f"/proc/self/task/{one}/comm").read_text() for one in os.listdir("/proc/self/task")
        ),
        "children": sorted(sh(f"pgrep -f '{lab.run}' | wc -l").split()),
        "files": sorted(str(path) for path in files if path.suffix != ".log"),
        "neighbours": sorted(sh("ip -4 neigh show | cut -d' ' -f1-3").splitlines()),
    }


def objects() -> int:
    """How many Python objects there are that could hold others."""
    gc.collect()
    return len(gc.get_objects())


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def steady(lab: Lab) -> dict[str, list[str]]:
    """What is there once it no longer changes: the kernel removes a namespace's links a moment later."""
    now: dict[str, list[str]] = {}
    async with asyncio.timeout(20):
        while now != (now := traces(lab)):
            await asyncio.sleep(0.2)
    return now


async def settled(lab: Lab, before: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is there more than before, in the end."""
    left: dict[str, list[str]] = {}
    for _ in range(200):
        now = traces(lab)
        left = {
            k: sorted(set(now[k]) - set(before[k])) for k in now if len(now[k]) > len(before[k])
        }
        if not left:
            break
        await asyncio.sleep(0.05)
    return left


async def test_rounds_leave_nothing_behind(lab: Lab) -> None:
    for number in range(WARMING):
        await play_round(lab, number)
    lab.sandboxes.clear()
    before, count, weight = await steady(lab), objects(), resident()
    for number in range(WARMING, WARMING + ROUNDS):
        await play_round(lab, number)
        lab.sandboxes.clear()
    assert await settled(lab, before) == {}
    kept, grown = objects() - count, resident() - weight
    print(f"{ROUNDS} rounds: {kept} more objects, {grown / 1024:.0f} KiB more resident")
    assert kept < 500
    # Nothing of Python's grows; what is allowed is how nft's library and the allocator use their heap.
    assert grown < (8 if LONG else 3) << 20
