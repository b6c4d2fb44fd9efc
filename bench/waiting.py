"""The seed's claim: with three replicas instead of one uWSGI container, "some requests' response time improved 10 times".

Before: one container of myweb:latest running uWSGI as it comes. After: the seed's stack on hivelet, its three replicas behind
the published port. Both run on one private machine; so many users at once ask from outside it, each over a connection of
its own per request, first the one and then the other, `--runs` times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import programs
from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Record, Traffic, burst
from harness.waiting import wait_until

COMPOSE = programs.SOURCES / "examples" / "annotation" / "docker-compose.yml"
IMAGES = [programs.CACHE / "images" / name for name in ("rabbitmq_3.tar", "myweb_latest.tar")]
BEFORE, AFTER = "one container, uWSGI as it comes", "three replicas on hivelet"
PORTS = {BEFORE: 8001, AFTER: 8000}
PATHS = {"waits 0.1 s on I/O": "/wait?seconds=0.1", "answers at once": "/healthz"}
UWSGI = ("uwsgi", "--http", ":8000", "--module", "bd_annotation_proj.wsgi")
SETTINGS = "DJANGO_SETTINGS_MODULE=bd_annotation_proj.settings.staging"


@dataclass(frozen=True)
class Times:
    """What the users of one run met, in seconds; failed requests are counted, not timed."""

    p50: float
    p95: float
    p99: float
    per_second: float
    failed: int


def summarise(records: Sequence[Record]) -> Times:
    """Percentiles and rate of one run."""
    good = sorted(record.took for record in records if not record.error)
    if len(good) < 2:
        raise SystemExit(
            f"there were only {len(good)} answers; errors: {[r.error for r in records[:3]]}"
        )
    cuts = statistics.quantiles(good, n=100, method="inclusive")
    lasted = max(record.ended for record in records) - min(record.at for record in records)
    return Times(cuts[49], cuts[94], cuts[98], len(good) / lasted, len(records) - len(good))


def typical(runs: Sequence[Times]) -> Times:
    """The median of each figure; failures are added up."""
    p50, p95, p99, rate = (
        statistics.median(getattr(run, name) for run in runs)
        for name in ("p50", "p95", "p99", "per_second")
    )
    return Times(p50, p95, p99, rate, sum(run.failed for run in runs))


def deploy(machine: Machine, daemon: Hiveletd, cli: Cli) -> None:
    """Both systems, up and answering."""
    for path in IMAGES:
        if not path.exists():
            raise SystemExit(f"{path} is not there; build it with examples/annotation/build-images")
        cli("load", "--input", str(path), timeout=300)
    cli("swarm", "init")
    swarm = Swarm(machine, daemon, cli)
    words = (
        "--detach",
        "--no-resolve-image",
        "--name",
        "before",
        "--publish",
        f"{PORTS[BEFORE]}:8000",
        "--env",
        SETTINGS,
    )
    cli("service", "create", *words, "myweb:latest", *UWSGI)
    cli("stack", "deploy", "-c", str(COMPOSE), "myapp", timeout=120)
    for name, replicas in (
        ("before", 1),
        ("myapp_web", 3),
        ("myapp_rabbit", 1),
        ("myapp_celery-worker", 2),
    ):
        swarm.until_running(name, replicas, timeout=120)
    for port in PORTS.values():
        page = f"http://{ADDRESS}:{port}/healthz"
        wait_until(
            lambda page=page: not burst(machine, page, 6, OUTSIDE).failures,  # type: ignore[misc]
            timeout=60,
            what=f"{page} answers",
            evidence=swarm.story,
        )


def measure(machine: Machine, port: int, path: str, options: argparse.Namespace) -> Times:
    """One run of so many users."""
    words = ("--users", str(options.users), "--seconds", str(options.seconds), "--timeout", "30")
    traffic = Traffic.requests(machine, f"http://{ADDRESS}:{port}{path}", *words, where=OUTSIDE)
    traffic.start()
    traffic.wait(options.seconds + 60)
    return summarise(traffic.records)


def render(results: dict[str, dict[str, Times]], users: int) -> str:
    """The table, in Markdown."""
    lines = [
        f"| {users} users at once | | p50 | p95 | p99 | requests/s | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for what, by_system in results.items():
        for system, times in by_system.items():
            figures = " | ".join(
                f"{value * 1000:.0f} ms" for value in (times.p50, times.p95, times.p99)
            )
            lines.append(
                f"| {what} | {system} | {figures} | {times.per_second:.0f} | {times.failed} |"
            )
        one, other = by_system[BEFORE], by_system[AFTER]
        ratios = " | ".join(
            f"{getattr(one, name) / getattr(other, name):.1f} ×" for name in ("p50", "p95", "p99")
        )
        lines.append(
            f"| | **quicker by** | {ratios} | {other.per_second / one.per_second:.1f} × | |"
        )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.waiting", description=__doc__)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument(
        "--seconds", type=float, default=10, help="how long a run lasts (default: %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write every run's figures to FILE"
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    runs: dict[str, dict[str, list[Times]]] = {what: {BEFORE: [], AFTER: []} for what in PATHS}
    with Machine("bench-waiting") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        deploy(machine, daemon, make_cli("docker-20", daemon.host, machine.dir))
        for number in range(options.runs):
            for what, path in PATHS.items():
                for system, port in PORTS.items():
                    times = measure(machine, port, path, options)
                    runs[what][system].append(times)
                    print(
                        f"run {number + 1}: {what}, {system}: p50 {times.p50 * 1000:.0f} ms",
                        file=sys.stderr,
                    )
        daemon.stop()
    results = {
        what: {system: typical(all_) for system, all_ in by.items()} for what, by in runs.items()
    }
    print(render(results, options.users))
    if options.json:
        every = {
            what: {system: [asdict(run) for run in all_] for system, all_ in by.items()}
            for what, by in runs.items()
        }
        options.json.write_text(json.dumps(every, indent=2) + "\n")


if __name__ == "__main__":
    main()
