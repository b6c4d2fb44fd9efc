"""Docker Swarm and hivelet side by side: how long replicas take, how long healing takes, what the engine itself costs.

Both run at the same time on private machines of their own; each work is done on one, then on the other, `--runs` times, and
the medians are printed as one table with the goals of the project's design.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench import engines, table
from bench.engines import Engine, Usage
from bench.table import Goal, Row

HEADINGS = {"docker": "Docker Swarm 20.10", "hivelet": "hivelet"}
MAKERS: dict[str, Callable[[], Engine]] = {
    "docker": engines.docker_swarm,
    "hivelet": engines.hivelet,
}

TENFOLD = Goal("10 × faster", factor=10)
PROMPT = Goal("under 0.15 s", bound=0.15)
ROWS = {
    "create10": Row("create → 10/10 replicas", "s", TENFOLD),
    "create30": Row("create → 30/30 replicas", "s", TENFOLD),
    "scale": Row("scale 30 → 60", "s", TENFOLD),
    "kill": Row("SIGKILL → replacement running, defaults", "s", PROMPT),
    "kill0": Row("the same with restart delay 0", "s", PROMPT),
    "memory": Row(
        "memory (PSS) of all but the application, 70 tasks", "MiB", Goal("a fifth", factor=5)
    ),
    "rss": Row("the same as RSS", "MiB", Goal("a fifth", factor=5)),
}


class Bench:
    """The works, each leaving its engine as it found it."""

    def __init__(self, rows: dict[str, Row], say: Callable[[str], None]) -> None:
        self.rows = rows
        self.say = say
        self.programs: dict[str, dict[str, Usage]] = {}

    def note(self, key: str, engine: Engine, value: float) -> None:
        """Keep a figure, and show it while the rest is still running."""
        row = self.rows[key]
        row.add(engine.name, value)
        self.say(f"{engine.name:8} {row.work}: {table.number(value, row.unit)}")

    def replicas(self, engine: Engine) -> None:
        """create 10, create 30, scale to 60, and with ten more the memory at 70."""
        wanted = self.rows.keys()
        if "create10" in wanted:
            self.note("create10", engine, engine.create("ten", 10))
            engine.remove("ten")
        if not {"create30", "scale", "memory"} & wanted:
            return
        seconds = engine.create("many", 30)
        if "create30" in wanted:
            self.note("create30", engine, seconds)
        if {"scale", "memory"} & wanted:
            seconds = engine.scale("many", 60)
            if "scale" in wanted:
                self.note("scale", engine, seconds)
        if "memory" in wanted:
            engine.create("more", 10)
            self.programs[engine.name] = engine.overhead()
            usages = self.programs[engine.name].values()
            self.note("memory", engine, sum(usage.pss for usage in usages))
            self.note("rss", engine, sum(usage.rss for usage in usages))
            engine.remove("more")
        engine.remove("many")

    def healing(self, engine: Engine) -> None:
        """Kill one of three replicas, with the engine's defaults and with no delay."""
        for key, options in (("kill", ()), ("kill0", ("--restart-delay", "0s"))):
            if key in self.rows:
                engine.create("killed", 3, *options)
                self.note(key, engine, engine.kill_one("killed"))
                engine.remove("killed")


def measure(names: Sequence[str], keys: Sequence[str], runs: int) -> Bench:
    """Do all works on all engines, alternating run by run."""
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    bench = Bench({key: ROWS[key] for key in keys}, say)
    with ExitStack() as stack:
        running = []
        for name in names:
            engine = MAKERS[name]()
            stack.callback(engine.close)
            engine.start()
            running.append(engine)
            say(f"{name} is up")
        for _ in range(runs):
            for engine in running:
                bench.replicas(engine)
            for engine in running:
                bench.healing(engine)
    return bench


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.swarm", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=3, help="how often each work is done (default: %(default)s)"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[*MAKERS, *ROWS],
        help="only this engine or work; repeatable",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to FILE")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    only = set(options.only or ())
    names = [name for name in MAKERS if not only & MAKERS.keys() or name in only]
    keys = [
        key
        for key in ROWS
        if not only & ROWS.keys() or key in only or (key == "rss" and "memory" in only)
    ]
    bench = measure(names, keys, options.runs)
    print(table.render(list(bench.rows.values()), HEADINGS))
    for name, programs in bench.programs.items():
        parts = sorted(programs.items(), key=lambda item: -item[1].pss)
        words = ", ".join(
            f"{usage.processes} × {comm} {usage.pss:.0f} MiB" for comm, usage in parts
        )
        print(f"\nPSS on {HEADINGS[name]}: {words}")
    if options.json:
        memory = {
            name: {comm: asdict(usage) for comm, usage in of.items()}
            for name, of in bench.programs.items()
        }
        samples = {key: row.samples for key, row in bench.rows.items()}
        options.json.write_text(json.dumps({"samples": samples, "memory": memory}, indent=2) + "\n")


if __name__ == "__main__":
    main()
