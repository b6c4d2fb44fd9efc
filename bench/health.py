"""What health checks cost: processor time of the same containers with and without them, under Docker Swarm and hivelet.

The kernel does the sums: everything on an engine's private machine, from the daemon to the probes' own processes, is in control
groups below one of its own, whose usage is read before and after a while in which nothing but the probes happens. The first
window runs the containers without a check, the second with one; the difference is what the probes cost.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.machine import CGROUPS
from harness.waiting import wait_until

from bench import table
from bench.engines import Engine
from bench.swarm import HEADINGS, MAKERS
from bench.table import Goal, Row

OWN = "bench-engine"
"""The group of all that is not in a container."""

NO_DEARER = Goal("no dearer", factor=1)
ROWS = {
    "none": Row("no health checks", "s/min", Goal("–")),
    "probed": Row("with health checks", "s/min", Goal("–")),
    "probes": Row("the probes alone", "s/min", NO_DEARER),
    "each": Row("one probe", "ms", NO_DEARER),
}


class ProcessorTime:
    """The processor time of one engine and all that it runs."""

    def __init__(self, engine: Engine) -> None:
        below = Path(engine.machine.cgroup_parent)
        # Version 1 accounts in a hierarchy of its own, version 2 in the only one.
        hierarchy = CGROUPS / "cpuacct"
        self._version = 1 if hierarchy.is_dir() else 2
        self._group = (hierarchy if self._version == 1 else CGROUPS) / below
        own = self._group / OWN
        own.mkdir(parents=True)
        for inner, _ in engine.machine.processes():
            (own / "cgroup.procs").write_text(str(engine.machine.host_pid(inner)))

    def seconds(self) -> float:
        """Since the machine was made."""
        if self._version == 1:
            return int((self._group / "cpuacct.usage").read_text()) / 1e9
        lines = (self._group / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6


def per_minute(used: ProcessorTime, seconds: float) -> float:
    """Processor seconds a minute, over a window of so many seconds that begins now."""
    begun, before = time.monotonic(), used.seconds()
    time.sleep(seconds)  # the window is the measurement
    return (used.seconds() - before) * 60 / (time.monotonic() - begun)


def probed(engine: Engine, count: int) -> None:
    """Return when every container has been found healthy."""

    def healthy() -> bool:
        return len(engine.api.containers(quiet=True, filters={"health": "healthy"})) == count

    wait_until(healthy, timeout=180, what=f"{count} healthy containers", interval=0.5)


def measure_engine(
    engine: Engine, options: argparse.Namespace, say: Callable[[str], None]
) -> dict[str, float]:
    """The four figures of one engine, in one run."""
    used = ProcessorTime(engine)
    check = ("--health-cmd", "true", "--health-interval", f"{options.interval}s")
    figures: dict[str, float] = {}
    for key, words in (("none", ("--no-healthcheck",)), ("probed", check)):
        engine.create(key, options.containers, *words)
        if key == "probed":
            probed(engine, options.containers)
        time.sleep(options.rest)  # what follows a start is not what is measured
        figures[key] = per_minute(used, options.seconds)
        say(f"{engine.name:8} {ROWS[key].work}: {figures[key]:.2f} s/min")
        engine.remove(key)
    figures["probes"] = figures["probed"] - figures["none"]
    figures["each"] = figures["probes"] / (options.containers * 60 / options.interval) * 1000
    return figures


def measure(names: Sequence[str], options: argparse.Namespace) -> None:
    """Measure one engine after the other, so that neither disturbs the other's caches, and fill the rows."""
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    for _ in range(options.runs):
        for name in names:
            with ExitStack() as stack:
                engine = MAKERS[name]()
                stack.callback(engine.close)
                engine.start()
                for key, value in measure_engine(engine, options, say).items():
                    ROWS[key].add(name, value)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.health", description=__doc__)
    parser.add_argument("--containers", type=int, default=60)
    parser.add_argument(
        "--interval", type=int, default=10, help="seconds between probes (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long a window is (default: %(default)s)"
    )
    parser.add_argument(
        "--rest", type=float, default=10, help="seconds before a window (default: %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--only", choices=list(MAKERS), help="only this engine; the ratio is then missing"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to FILE")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    names = [options.only] if options.only else list(MAKERS)
    measure(names, options)
    print(table.render(list(ROWS.values()), HEADINGS))
    if options.json:
        samples = {key: row.samples for key, row in ROWS.items()}
        options.json.write_text(json.dumps(samples, indent=2) + "\n")


if __name__ == "__main__":
    main()
