"""What a change of the rules costs with 10, 100 and 500 services: a backend withdrawn and admitted again.

One network plane in namespaces of its own, with real bridges, nftables and a resolver; backends are addresses only, since
nothing is sent to them. Each service has a VIP, a published port and three backends. What is timed is what the agent waits
for: `withdraw` and `admit` return when rules and names are in effect. Processor time is counted as well, the kernel's on
our behalf included: of the thread that carries out transactions, and of the whole process, whose looks by the clock are in it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from hivelet.kit.clock import SystemClock
from hivelet.network.plane import NetworkPlane
from hivelet.network.sandbox import Leg, SandboxRequest
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

_NEW_NET, _NEW_MOUNT, _PRIVATE = 0x40000000, 0x00020000, 0x4000 | 0x40000
INGRESS = BridgeNetwork(
    id="ingress".ljust(25, "0"),
    name="ingress",
    kind="ingress",
    subnet="10.0.0.0/16",
    gateway="10.0.0.1",
)
BACK = BridgeNetwork(
    id="back".ljust(25, "0"), name="back", subnet="10.1.0.0/16", gateway="10.1.0.1"
)
REPLICAS = 3


def unshare() -> None:
    """Leave the host's network and mounts for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    for failed in (
        libc.unshare(_NEW_NET | _NEW_MOUNT),
        libc.mount(None, b"/", None, _PRIVATE, None),
    ):
        if failed:
            raise OSError(ctypes.get_errno(), "this needs root")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _address(network: int, number: int) -> str:
    return f"10.{network}.{number // 200 + 1}.{number % 200 + 2}"


def service(number: int) -> ServiceEntry:
    """One of the services."""
    return ServiceEntry(
        service_id=f"service{number}",
        name=f"service{number}",
        vips={BACK.id: f"10.1.{200 + number // 200}.{number % 200 + 2}"},
        ports=[PortConfig(target_port=80, published_port=10000 + number)],
    )


def backend(number: int, replica: int) -> Backend:
    """One of its tasks."""
    place = number * REPLICAS + replica
    return Backend(
        task_id=f"task{number}-{replica}",
        service_id=f"service{number}",
        service_name=f"service{number}",
        addresses={INGRESS.id: _address(0, place), BACK.id: _address(1, place)},
    )


def processor_time_of_transactions() -> float:
    """Seconds that the thread of the door to nftables has used."""
    threads = [t for t in threading.enumerate() if t.name.startswith("network-rules")]
    stats = (Path(f"/proc/self/task/{t.native_id}/schedstat").read_text() for t in threads)
    return sum(int(one.split()[0]) for one in stats) / 1e9


async def run(home: Path, sizes: list[int], changes: int) -> dict[int, dict[str, list[float]]]:
    """Seconds of each change, by number of services; the services of a size stay for the next one."""
    (home / "run").mkdir()
    plane = NetworkPlane(run=home / "run", root=home / "root", clock=SystemClock())
    await plane.start()
    await plane.resume()
    await plane.create_sandbox(
        SandboxRequest(
            container_id="caller".ljust(64, "0"),
            task_id="caller",
            legs=(Leg(network=BACK, address="10.1.250.250/16"), Leg(network=INGRESS, address=None)),
            hostname="caller",
            names=("caller",),
        )
    )
    found: dict[int, dict[str, list[float]]] = {}
    done = 0
    for size in sizes:
        plane.set_services({f"service{n}": service(n) for n in range(size)})
        await asyncio.gather(
            *(plane.admit(backend(n, r)) for n in range(done, size) for r in range(REPLICAS))
        )
        done = size
        times = found[size] = {"withdraw": [], "admit": []}
        worked, worked_in_all = processor_time_of_transactions(), time.process_time()
        for number in range(changes):
            one = backend(number * 7 % size, number % REPLICAS)
            begun = time.perf_counter()
            await plane.withdraw(one.task_id)
            gone = time.perf_counter()
            await plane.admit(one)
            times["withdraw"].append(gone - begun)
            times["admit"].append(time.perf_counter() - gone)
        times["transaction"] = [(processor_time_of_transactions() - worked) / changes / 2]
        times["process"] = [(time.process_time() - worked_in_all) / changes / 2]
    await plane.tear_down()
    await plane.stop()
    return found


def render(found: dict[int, dict[str, list[float]]]) -> str:
    """The table, in Markdown."""
    lines = [
        "| services | withdraw p50 | p99 | admit p50 | p99 | work: transaction | in all |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, times in found.items():
        cells = [str(size)]
        for kind in ("withdraw", "admit"):
            cuts = statistics.quantiles(times[kind], n=100, method="inclusive")
            cells += [f"{one * 1e3:.1f} ms" for one in (cuts[49], cuts[98])]
        cells += [f"{times[kind][0] * 1e3:.2f} ms" for kind in ("transaction", "process")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 500])
    parser.add_argument("--changes", type=int, default=300, help="of each kind and size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every time to FILE")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("namespaces of its own need root")
    unshare()
    home = Path(tempfile.mkdtemp(prefix="hivelet-rules."))
    home.chmod(0o755)
    try:
        found = asyncio.run(run(home, sorted(options.sizes), options.changes))
    finally:
        shutil.rmtree(home)
    print(render(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
