"""How quickly the API answers a crowd: so many clients at once, on hivelet and on Docker Engine, turn and turn about.

Each client has a connection of its own, lists and inspects in turn, and pauses for a second and a half on average after each answer;
a quarter of the crowd reads events and logs instead (`tests/e2e/harness/crowd.py`). Both engines run the same 20 tasks. Times are the client's,
from the sending of a request to the last byte of its answer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))

from harness import crowd as crowd_program
from harness.cli import make_cli
from harness.daemons import Daemon, Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm
from harness.weight import MIB, resident

CROWDS = (1, 50, 200)
TASKS = 20
CHATTER = ("sh", "-c", "while :; do echo some line or other; sleep 0.2; done")


def make_swarm(machine: Machine, kind: type[Daemon]) -> Swarm:
    """An engine with its tasks."""
    daemon = kind(machine)
    daemon.start()
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("swarm", "init", "--advertise-addr", "198.18.0.2")
    swarm = Swarm(machine, daemon, cli)
    swarm.create("chatter", 2, image="bb:latest", command=CHATTER)
    sleep = ("sleep", "100000")
    swarm.create("many", TASKS - 2, "--stop-signal", "SIGKILL", image="bb:latest", command=sleep)
    return swarm


def gather(swarm: Swarm, size: int, seconds: float) -> dict[str, Any]:
    """What a crowd sees."""
    streams = size // 8
    numbers = {
        "askers": size - 2 * streams,
        "watchers": streams,
        "followers": streams,
        "service": "chatter",
        "pause": 1.5,
    }
    words = [f"--{name}={value}" for name, value in numbers.items()]
    program = [sys.executable, str(Path(crowd_program.__file__)), str(swarm.daemon.socket), *words]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        said, _ = process.communicate(timeout=120)
    found: dict[str, Any] = json.loads(said)
    assert not found["errors"], found["errors"][:5]
    return found


def row(size: int, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """One line of the table."""

    def figures(found: dict[str, Any]) -> str:
        times = (1000 * found["all"][name] for name in ("p50", "p99", "slowest"))
        return " / ".join(f"{one:.1f}" for one in times) + " ms"

    ratio = ours["all"]["p99"] / theirs["all"]["p99"]
    return f"| {size} | {ours['requests']:,} | {figures(ours)} | {figures(theirs)} | {ratio:.1f} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="How quickly the API answers a crowd")
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds = parser.parse_args().seconds
    with Machine("ours") as here, Machine("theirs") as there:
        ours, theirs = make_swarm(here, Hiveletd), make_swarm(there, Dockerd)
        print(
            "| clients | requests | hivelet: p50 / p99 / slowest | Docker Engine | ratio of p99 |"
        )
        print("|---|---|---|---|---|")
        for size in CROWDS:
            print(row(size, gather(ours, size, seconds), gather(theirs, size, seconds)), flush=True)
        memory = resident(ours.daemon) / MIB
        print(f"\nhiveletd holds {memory:.1f} MiB after it.")
        for swarm in (ours, theirs):
            swarm.cli("service", "rm", "chatter", "many")
            swarm.until_gone("chatter", "many")
            swarm.daemon.stop()


if __name__ == "__main__":
    main()
