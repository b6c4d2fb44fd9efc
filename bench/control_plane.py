"""The control plane at scale: many tasks over many simulated nodes, created, updated and removed.

What runs is hivelet's own store, manager loops, dispatcher and one agent for each node, in virtual time; only the containers are
fake. So nothing waits for a kernel, and what is timed is what the control plane itself costs. Every size runs in a fresh process,
whose largest resident set is the memory.

Two shapes of the same number of tasks: services of a hundred tasks each, and one service of all. The update changes the image,
one task of a service at a time (`--parallelism`), which is what Docker does where nothing else is said.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from cProfile import Profile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from hivelet.kit.collector import collect_seldom
from hivelet.objects.service import UpdateConfig
from hivelet.testing.cluster import SimulatedCluster, overlay, replicated, with_image
from hivelet.testing.virtual_time import run_virtual

SIZES = (1_000, 3_000, 10_000)
SHAPES = ("services of 100 tasks", "one service of all tasks")
PHASES = ("create", "rolling update", "remove")
GOAL = 12.0
"""How many times as much ten times the tasks may cost; 10 would be exactly linear."""

FOREVER = 1e7
"""Virtual seconds; a rolling update of ten thousand tasks, one after the other, takes a simulated day."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one process measures."""

    shape: str
    tasks: int
    nodes: int
    parallelism: int

    @property
    def per_service(self) -> int:
        """How many tasks each service has."""
        return min(100, self.tasks) if self.shape == SHAPES[0] else self.tasks

    @property
    def services(self) -> list[str]:
        """The services' names."""
        return [f"s{number}" for number in range(self.tasks // self.per_service)]


@dataclass(frozen=True)
class Spent:
    """What a phase took: seconds of the wall, of the processor, and of simulated time."""

    wall: float
    cpu: float
    simulated: float


@dataclass(frozen=True)
class Figures:
    """One process's results."""

    phases: dict[str, Spent]
    mib: float
    idle_mib: float


class Run:
    """One cluster, taken through the phases."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        # Checking every commit would be most of the work.
        self.cluster = SimulatedCluster(checking=False)

    async def phases(self) -> Figures:
        """All of them, one after the other."""
        await self.cluster.start(nodes=self.setting.nodes)
        await self.cluster.api.create_network(overlay("net", "10.64.0.0/16"))
        idle = largest_resident_set()
        spent = {
            "create": await self._timed(self._create),
            "rolling update": await self._timed(self._update),
            "remove": await self._timed(self._remove),
        }
        await self.cluster.stop()
        return Figures(spent, largest_resident_set(), idle)

    async def _timed(self, phase: Callable[[], Awaitable[None]]) -> Spent:
        clock = self.cluster.clock
        wall, cpu, simulated = time.perf_counter(), time.process_time(), clock.steady()
        await phase()
        return Spent(
            time.perf_counter() - wall, time.process_time() - cpu, clock.steady() - simulated
        )

    async def _create(self) -> None:
        for name in self.setting.services:
            update = UpdateConfig(parallelism=self.setting.parallelism)
            spec = replicated(name, self.setting.per_service, update=update, networks=["net"])
            await self.cluster.create(spec)
        await self._until(lambda: self._all_run("web:1"))

    async def _update(self) -> None:
        for name in self.setting.services:
            await self.cluster.change(name, lambda spec: with_image(spec, "web:2"))
        await self._until(lambda: self._all_updated() and self._all_run("web:2"))

    async def _remove(self) -> None:
        for name in self.setting.services:
            await self.cluster.api.remove_service(self.cluster.service(name).id)
        await self._until(lambda: not self.cluster.tasks())
        left = self.cluster.containers()
        assert not left, f"{len(left)} containers are left"

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Look now and then: looking costs as much as there are tasks, and must not be what is measured."""
        began = self.cluster.clock.steady()
        pause = 0.05
        while not condition():
            waited = self.cluster.clock.steady() - began
            assert waited < FOREVER, self.cluster.describe()
            pause = max(pause, waited / 20)
            await self.cluster.settle(pause)

    def _all_run(self, image: str) -> bool:
        running = [
            task
            for task in self.cluster.running()
            if task.spec.container_spec is not None and task.spec.container_spec.image == image
        ]
        return len(running) == self.setting.tasks

    def _all_updated(self) -> bool:
        statuses = [self.cluster.service(name).update_status for name in self.setting.services]
        broken = [each for each in statuses if each is not None and "paused" in each.state]
        assert not broken, broken[0]
        return all(each is not None and each.state == "completed" for each in statuses)


def largest_resident_set() -> float:
    """This process's, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_here(setting: Setting, profile: Path | None = None) -> Figures:
    """Run in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # As hiveletd does.
    collect_seldom()
    profiler = Profile() if profile is not None else None
    watched: AbstractContextManager[Any] = profiler if profiler is not None else nullcontext()
    with watched:
        figures = run_virtual(Run(setting).phases())
    if profiler is not None:
        profiler.dump_stats(str(profile))
    return figures


def measure(setting: Setting) -> Figures:
    """Run in a process of its own."""
    words = [sys.executable, "-m", "bench.control_plane", "--one", json.dumps(asdict(setting))]
    top = Path(__file__).resolve().parents[1]
    done = subprocess.run(words, cwd=top, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    phases = {name: Spent(**spent) for name, spent in found.pop("phases").items()}
    return Figures(phases, **found)


def quickest(runs: Sequence[Figures]) -> Figures:
    """Of each phase the quickest run, of memory the least: whatever else the machine does can only add."""
    phases = {name: min((r.phases[name] for r in runs), key=lambda s: s.wall) for name in PHASES}
    return Figures(phases, min(run.mib for run in runs), min(run.idle_mib for run in runs))


def render(results: dict[str, dict[int, Figures]]) -> str:
    """All shapes and sizes as one Markdown table."""
    sizes = sorted({size for by_size in results.values() for size in by_size})
    lines = [
        ["", *(f"{size:,} tasks" for size in sizes), "a task, at most", "growth"],
        *(row for shape, by_size in results.items() for row in _rows(shape, by_size, sizes)),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    body = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    body.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(body)


def _rows(shape: str, by_size: dict[int, Figures], sizes: Sequence[int]) -> list[list[str]]:
    def row(name: str, unit: str, values: dict[int, float], each: float = 0.0) -> list[str]:
        cells = (f"{values[s]:,.{2 if values[s] < 10 else 1}f} {unit}" for s in sizes)
        most = max(value / size for size, value in values.items())
        text = f"{most * each:,.2f} {'ms' if unit == 's' else 'KiB'}" if each else ""
        return [name, *cells, text, f"{growth(values):.1f} ×"]

    rows = [[f"**{shape}**", *("" for _ in sizes), "", ""]]
    for phase in PHASES:
        wall = {size: figures.phases[phase].wall for size, figures in by_size.items()}
        rows.append(row(phase, "s", wall, 1000))
    wall = {size: sum(spent.wall for spent in f.phases.values()) for size, f in by_size.items()}
    cpu = processor_time(by_size)
    memory = {size: figures.mib - figures.idle_mib for size, figures in by_size.items()}
    rows.append(row("all three", "s", wall, 1000))
    rows.append(row("all three, processor time", "s", cpu, 1000))
    rows.append(row("memory, most, above idle", "MiB", memory, 1024))
    return rows


def processor_time(by_size: dict[int, Figures]) -> dict[int, float]:
    """Of all phases together, by size."""
    return {size: sum(spent.cpu for spent in f.phases.values()) for size, f in by_size.items()}


def verdict(shape: str, by_size: dict[int, Figures]) -> str:
    """Whether the goal is reached, by processor time, with which other work of the machine meddles least."""
    factor = growth(processor_time(by_size))
    word = "reached" if factor <= GOAL else "missed"
    return f"{shape}: processor time grows {factor:.1f} × for ten times the tasks; at most {GOAL:g}: {word}"


def growth(values: dict[int, float]) -> float:
    """How many times the smallest size's cost the largest has, as if it had ten times the tasks."""
    small, large = min(values), max(values)
    if small == large or values[small] <= 0:
        return math.nan
    return float((values[large] / values[small]) ** (1 / math.log10(large / small)))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.control_plane", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="TASKS")
    parser.add_argument(
        "--parallelism", type=int, default=1, help="tasks of a service updated at a time (0: all)"
    )
    parser.add_argument(
        "--runs", type=int, default=1, help="run everything so often, and keep the quickest"
    )
    parser.add_argument("--shape", choices=SHAPES, action="append", help="only this one")
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="profile the first shape and size, and no more"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    if options.one:
        print(json.dumps(asdict(measure_here(Setting(**json.loads(options.one))))))
        return
    shapes = options.shape or list(SHAPES)
    first = Setting(
        shape=shapes[0],
        tasks=options.sizes[0],
        nodes=options.nodes,
        parallelism=options.parallelism,
    )
    if options.profile is not None:
        print(measure_here(first, options.profile))
        return
    results: dict[str, dict[int, Figures]] = {shape: {} for shape in shapes}
    for shape in shapes:
        for size in options.sizes:
            setting = replace(first, shape=shape, tasks=size)
            found = quickest([measure(setting) for _ in range(options.runs)])
            results[shape][size] = found
            told = ", ".join(f"{name} {spent.wall:.1f} s" for name, spent in found.phases.items())
            print(f"{size:,} tasks, {shape}: {told}; {found.mib:.0f} MiB", file=sys.stderr)
    print(render(results))
    if len(options.sizes) > 1:
        print("", *(verdict(shape, by_size) for shape, by_size in results.items()), sep="\n")
    if options.json is not None:
        options.json.write_text(
            json.dumps(
                {shape: {n: asdict(f) for n, f in by.items()} for shape, by in results.items()},
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
