"""What the table of the link layer costs a packet: one byte sent to and fro through a VIP and through a published port.

Slices with the table and without it take turns in one run, over the same connections; what is printed are round trips a
second and the ratio of with to without. The VIP's network is one whose members may talk to each other, so its ports meet
the rule for tagged frames alone; the published port leads to `ingress`, whose ports have chains of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.rules import BACK, INGRESS, unshare
from hivelet.kit.clock import SystemClock
from hivelet.network.family import FRAMES
from hivelet.network.netns import inside
from hivelet.network.plane import NetworkPlane
from hivelet.network.sandbox import Leg, Sandbox, SandboxRequest
from hivelet.objects.endpoint import Backend, ServiceEntry
from hivelet.objects.task import PortConfig

PORT, VIP = 80, "10.1.0.2"


def serve(netns: Path) -> int:
    """A process in a sandbox that sends back what it is sent; returns its id."""
    with inside(netns):
        door = socket.create_server(("0.0.0.0", PORT))
    if child := os.fork():
        door.close()
        return child
    while True:
        connection, _ = door.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if os.fork() == 0:
            while data := connection.recv(64):
                connection.sendall(data)
            os._exit(0)
        connection.close()


async def prepare(home: Path) -> tuple[NetworkPlane, Sandbox, Sandbox]:
    """A plane with a service of one task, and a caller."""
    plane = NetworkPlane(run=home, root=home / "root", clock=SystemClock())
    await plane.start()
    await plane.resume()
    server = await plane.create_sandbox(
        SandboxRequest(
            container_id="5" * 64,
            legs=(Leg(network=BACK, address="10.1.0.3/16"), Leg(network=INGRESS)),
        )
    )
    caller = await plane.create_sandbox(
        SandboxRequest(container_id="c" * 64, legs=(Leg(network=BACK, address="10.1.0.4/16"),))
    )
    port = PortConfig(target_port=PORT, published_port=8000)
    entry = ServiceEntry(service_id="web", name="web", vips={BACK.id: VIP}, ports=[port])
    plane.set_services({"web": entry})
    await plane.admit(
        Backend(task_id="t", service_id="web", service_name="web", addresses=server.addresses)
    )
    return plane, server, caller


def trips(connection: socket.socket, seconds: float) -> float:
    """Round trips a second."""
    count, begun = 0, time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        connection.sendall(b"x")
        connection.recv(64)
        count += 1
    return count / (now - begun)


def compare(caller: Sandbox, rounds: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """By way: round trips a second with the table and without it, for each round."""
    with inside(caller.netns):
        ways = {"a VIP": socket.create_connection((VIP, PORT))}
    subprocess.run(["ip", "addr", "add", "198.51.100.1/32", "dev", "lo"], check=True)
    ways["a published port"] = socket.create_connection(("198.51.100.1", 8000))
    table = subprocess.check_output(["nft", "list", "table", *FRAMES.table.split()])
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(rounds):
        slices: dict[tuple[str, bool], float] = {}
        for present in (True, False) if number % 2 else (False, True):
            subprocess.run(
                ["nft", f"add table {FRAMES.table}; delete table {FRAMES.table}"], check=True
            )
            if present:
                subprocess.run(["nft", "-f", "-"], input=table, check=True)
            for way, connection in ways.items():
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                slices[way, present] = trips(connection, seconds)
        for way in ways:
            found[way].append((slices[way, True], slices[way, False]))
    for connection in ways.values():
        connection.close()
    return found


def render(found: dict[str, list[tuple[float, float]]]) -> str:
    """The table, in Markdown."""
    lines = ["| way | with, a second | without | ratio (median of rounds) |", "|---|---|---|---|"]
    for way, rounds in found.items():
        present, absent = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(one / other for one, other in rounds)
        lines.append(f"| {way} | {present:,.0f} | {absent:,.0f} | {ratio:.3f} |")
    return "\n".join(lines)


async def run(home: Path, rounds: int, seconds: float) -> str:
    """Measure; the plane's guard rests meanwhile, so that it does not mend what is taken away."""
    plane, server, caller = await prepare(home)
    child = serve(server.netns)
    await plane.stop()
    try:
        return render(compare(caller, rounds, seconds))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        plane = NetworkPlane(run=home, root=home / "root", clock=SystemClock())
        await plane.start()
        await plane.tear_down()
        await plane.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.frames", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a slice")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("namespaces of its own need root")
    unshare()
    home = Path(tempfile.mkdtemp(prefix="hivelet-frames."))
    home.chmod(0o755)
    try:
        print(asyncio.run(run(home, options.rounds, options.seconds)))
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
