"""Plays all scenarios on one engine: several at a time, then those which need the node for themselves.

`cd tests/e2e; python -m scenarios.play` plays them on Debian's dockerd and writes `recorded/` anew; with names, only these. With
`--hiveletd` the same on hiveletd, and what differs is printed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.cli import make_cli
from harness.daemons import Daemon, Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine

from scenarios import changes, failures, jobs, placement, refusals
from scenarios.compare import differences
from scenarios.registry import SCENARIOS, Scenario
from scenarios.stage import Api, Stage

RECORDED = Path(__file__).parent / "recorded"
MODULES = (changes, failures, jobs, placement, refusals)
"""Imported for their scenarios."""

AT_ONCE = 6
"""Scenarios wait most of the time, so two processors carry several."""

Record = dict[str, Any]


def play_one(api: Api, scenario: Scenario) -> Record:
    """Play one scenario and clean up after it; what is kept of it, or `failed` with the reason."""
    stage = Stage(api, scenario.name.replace("_", "-"))
    try:
        scenario.play(stage)
        record = stage.record()
    except AssertionError as error:
        record = {"failed": str(error)}
    finally:
        stage.close()
    return {"about": scenario.about, **record}


def play(daemon: Daemon, scenarios: Iterable[Scenario]) -> Iterator[tuple[str, Record]]:
    """The record of each scenario by name, on a daemon that is a swarm of one."""
    scenarios = list(scenarios)
    together = [one for one in scenarios if not one.alone]
    api = Api(daemon.host)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            records = pool.map(lambda one: play_one(api, one), together)
            yield from zip((one.name for one in together), records, strict=True)
        for one in scenarios:
            if one.alone:
                yield one.name, play_one(api, one)
    finally:
        api.close()


def prepare(machine: Machine, daemon: Daemon) -> None:
    """The daemon runs, is a swarm and has the image bb:latest."""
    daemon.start()
    docker = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(docker, machine.dir)
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")


def recorded(name: str) -> Record:
    """What Docker Swarm did."""
    record: Record = json.loads((RECORDED / f"{name}.json").read_text())
    return record


def main() -> None:
    """Record, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--hiveletd", action="store_true")
    asked = parser.parse_args()
    chosen = [one for one in SCENARIOS if not asked.names or one.name in asked.names]
    begun = time.monotonic()
    with Machine("scenarios") as machine:
        daemon = (Hiveletd if asked.hiveletd else Dockerd)(machine)
        prepare(machine, daemon)
        for name, record in play(daemon, chosen):
            print(f"{time.monotonic() - begun:5.1f} s  {name}", flush=True)
            if asked.hiveletd:
                for difference in differences(name, recorded(name), record):
                    print(f"    {difference}")
            elif "failed" in record:
                print(record["failed"])
            else:
                text = json.dumps(record, indent=1, ensure_ascii=False)
                (RECORDED / f"{name}.json").write_text(text + "\n")
        make_cli("docker-20", daemon.host, machine.dir)("swarm", "leave", "--force")


if __name__ == "__main__":
    main()
