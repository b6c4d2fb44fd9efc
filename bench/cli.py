"""How long a command line takes: `hivelet service ls` beside `docker service ls` on the same daemon, turn and turn about.

A command of the shell is judged by its first 300 ms. Beside the two the import of docker-py alone is timed, the client library
that `hivelet` does without, and a completion by TAB, which a person waits for with a finger on the key.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))

from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

GOAL = 0.3
PEER = 0.23
"""What docker-py's import took where the goal was set: on a slower machine, both are longer by the same factor."""

SERVICES = 10
_PEER = "import docker (docker-py)"
_PYTHON = [sys.executable, "-c", "import docker"]


def timed(argv: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from its start to its end."""
    begun = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def works(docker: Cli, hivelet: Cli) -> dict[str, Callable[[], float]]:
    """What is timed, by its name."""
    known = {**os.environ, **docker.env}
    typed = {
        **known,
        **hivelet.env,
        "_HIVELET_COMPLETE": "bash_complete",
        "COMP_WORDS": "hivelet service ps b",
        "COMP_CWORD": "3",
    }
    listing = ("service", "ls")
    return {
        "hivelet service ls": lambda: timed([*hivelet.argv, *listing], {**known, **hivelet.env}),
        "docker service ls": lambda: timed([*docker.argv, *listing], known),
        _PEER: lambda: timed(_PYTHON, dict(os.environ)),
        "hivelet service ps b<TAB>": lambda: timed(hivelet.argv, typed),
        "hivelet --help": lambda: timed([*hivelet.argv, "--help"], known),
    }


def measure(runs: int) -> dict[str, list[float]]:
    """All of them in turn, `runs` times, after one that warms the caches."""
    with Machine("cli") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        docker = make_cli("docker-28", daemon.host, machine.dir)
        hivelet = make_cli("hivelet", daemon.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("swarm", "init")
        swarm = Swarm(machine, daemon, docker)
        for number in range(SERVICES):
            swarm.create(f"b{number}", 1, image="bb:latest", command=("sleep", "10000"))
        todo = works(docker, hivelet)
        samples: dict[str, list[float]] = {name: [] for name in todo}
        for turn in range(runs + 1):
            for name, work in todo.items():
                seconds = work()
                if turn:
                    samples[name].append(seconds)
        daemon.stop()
    return samples


def main() -> int:
    """Print the table; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    samples = measure(parser.parse_args().runs)
    print("| what | median | fastest | slowest |")
    print("|---|---|---|---|")
    for name, values in samples.items():
        shown = (statistics.median(values), min(values), max(values))
        print(f"| `{name}` | " + " | ".join(f"{value * 1000:.0f} ms" for value in shown) + " |")
    middle = {name: statistics.median(values) for name, values in samples.items()}
    ours, peer = middle["hivelet service ls"], middle[_PEER]
    print(f"\nhivelet service ls / docker service ls: {ours / middle['docker service ls']:.1f}")
    print(f"hivelet service ls / import of docker-py: {ours / peer:.2f}; goal: {GOAL / PEER:.2f}")
    return 0 if ours < GOAL or ours / peer < GOAL / PEER else 1


if __name__ == "__main__":
    sys.exit(main())
