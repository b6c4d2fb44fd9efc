"""How long a dead task stays in the balancer: from the SIGKILL of its process to the change of the rules, and what clients met.

`nft monitor` in the machine's network namespace says when the kernel has the new rules; a client outside asks with one
connection after the other all the while, and its refused connections are those that met the dead task. Each round kills one of
`--replicas` tasks and waits for its replacement.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"


@dataclass(frozen=True)
class Round:
    """One kill. Milliseconds, of CLOCK_MONOTONIC."""

    gone: float
    """From the signal until the balancer no longer leads there."""
    refused: int
    last_refused: float
    """How long after the signal the last connection was begun that was refused; 0 if none was."""


class Rules:
    """What `nft monitor` tells of a machine's rules, each line with the moment at which it came."""

    def __init__(self, machine: Machine) -> None:
        self.told: list[tuple[float, str]] = []
        words = ["stdbuf", "-oL", "nft", "monitor", "rules"]
        self._monitor = machine.popen(words, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        # It does not say when it is ready: it is once it tells of a rule made for it.
        words = [
            "nft",
            "add table ip bench; add chain ip bench heard; add rule ip bench heard accept",
        ]
        wait_until(
            lambda: machine.run(words) and self.since(0, "heard"),
            timeout=20,
            what="nft monitor listens",
        )

    def since(self, moment: float, word: str) -> float | None:
        """When a line with this word came first after that moment."""
        return next((at for at, line in self.told if at > moment and word in line), None)

    def close(self) -> None:
        """End it."""
        self._monitor.end(signal.SIGTERM)
        self._reader.join(5)

    def _read(self) -> None:
        with self._monitor.popen.stdout as lines:  # type: ignore[union-attr]
            for line in lines:
                self.told.append((time.monotonic(), line))


def kill_one(swarm: Swarm, traffic: Traffic, rules: Rules) -> Round:
    """Kill a task's process, and watch the rules."""
    victim = swarm.tasks("web", running=True)[0]
    process = swarm.machine.host_pid(swarm.process(victim))
    killed = time.monotonic()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: rules.since(killed, "port_"), timeout=20, what="the rules have changed")
    gone = rules.since(killed, "port_")
    assert gone is not None
    traffic.go_on(50)
    wait_until(
        lambda: victim["ID"] not in swarm.task_ids("web"), timeout=20, what="the task has failed"
    )
    late = [r.at - killed for r in traffic.failures if r.at > killed and "Refused" in r.error]
    return Round((gone - killed) * 1000, len(late), max(late, default=0) * 1000)


def report(rounds: Sequence[Round]) -> str:
    """The figures as text."""
    gone = sorted(r.gone for r in rounds)
    last = [r.last_refused for r in rounds]
    return "\n".join(
        (
            f"{len(rounds)} kills",
            f"signal -> out of the balancer: median {statistics.median(gone):.1f} ms, most {gone[-1]:.1f} ms",
            f"connections refused: {sum(r.refused for r in rounds)}, "
            f"the last one begun {max(last):.1f} ms after the signal",
        )
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.dead_backend", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--rate", type=int, default=200, help="requests a second")
    options = parser.parse_args()
    with Machine("bench-dead") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        cli = make_cli("docker-20", daemon.host, machine.dir)
        import_busybox(cli, machine.dir)
        cli("swarm", "init")
        swarm = Swarm(machine, daemon, cli)
        swarm.create("web", options.replicas, "--publish", "8080:8000", "--restart-delay", "50ms")
        rounds: list[Round] = []
        rules = Rules(machine)
        with Traffic.requests(machine, URL, "--rate", str(options.rate), where=OUTSIDE) as traffic:
            for _ in range(options.kills):
                rounds.append(kill_one(swarm, traffic, rules))
                swarm.until_running("web", options.replicas)
                print(rounds[-1], file=sys.stderr, flush=True)
        rules.close()
        daemon.stop()
    print(report(rounds))


if __name__ == "__main__":
    main()
