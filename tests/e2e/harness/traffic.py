"""Traffic that runs while a test does something: requests or DNS questions at a steady rate, read back as they come."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.machine import ADDRESS, INSIDE, OUTSIDE, OUTSIDE_ADDRESS, Machine, Process, Where
from harness.waiting import wait_until


@dataclass(frozen=True)
class Record:
    """One request or question: when it began (CLOCK_MONOTONIC), how long it took, and what came of it."""

    at: float
    took: float
    status: int
    body: str
    error: str

    @property
    def ended(self) -> float:
        """When its answer was complete, or given up."""
        return self.at + self.took


def parse_records(text: str) -> list[Record]:
    """The lines that a load generator has written so far; a half-written last one is left out."""
    whole = text[: text.rfind("\n") + 1]
    return [
        Record(
            line["at"],
            line["took"],
            line.get("status", 0),
            line.get("body", ""),
            line.get("error", ""),
        )
        for line in map(json.loads, whole.splitlines())
    ]


class Traffic:
    """A generator (load.py or queries.py) in one of a machine's network namespaces.

    As a context manager: runs from the first answers until the end of the block, then waits for what is in flight.
    """

    _count = 0

    def __init__(self, machine: Machine, program: str, words: Sequence[str], where: Where) -> None:
        Traffic._count += 1
        self.machine = machine
        self.argv = [sys.executable, "-S", str(Path(__file__).with_name(program)), *words]
        self.where = where
        self.out = machine.dir / f"traffic-{Traffic._count}"
        self.process: Process | None = None

    @classmethod
    def requests(cls, machine: Machine, url: str, *words: str, where: Where = INSIDE) -> Self:
        """HTTP requests, as load.py's options say."""
        return cls(machine, "load.py", [url, *words], where)

    @classmethod
    def questions(cls, machine: Machine, server: str, name: str, *words: str, where: Where) -> Self:
        """DNS questions."""
        return cls(machine, "queries.py", [server, name, *words], where)

    @classmethod
    def datagrams(cls, machine: Machine, host: str, port: int, *words: str, where: Where) -> Self:
        """Datagrams that are answered, each from a socket of its own."""
        return cls(machine, "datagrams.py", [host, str(port), *words], where)

    def start(self) -> None:
        """Begin."""
        with self.out.open("w") as out:
            self.process = self.machine.popen(
                self.argv, where=self.where, stdin=subprocess.PIPE, stdout=out
            )

    def stop(self) -> None:
        """Let it end, with what is in flight."""
        assert self.process is not None
        status = self.process.reap(60)
        assert status == 0, f"{self.argv[2]} ended with {status}"

    def wait(self, timeout: float = 60) -> None:
        """Until it ends by itself."""
        assert self.process is not None
        self.process.popen.wait(timeout)
        self.stop()

    def __enter__(self) -> Self:
        self.start()
        self.go_on(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def records(self) -> list[Record]:
        """All that are answered so far."""
        return parse_records(self.out.read_text())

    @property
    def failures(self) -> list[Record]:
        """Those of them that went wrong."""
        return [record for record in self.records if record.error]

    def go_on(self, more: int) -> None:
        """Wait until `more` requests that began after now have been answered."""
        now = time.monotonic()
        wait_until(
            lambda: sum(record.at >= now for record in self.records) >= more,
            timeout=30,
            what=f"{more} more answers",
            evidence=lambda: f"{len(self.records)} answers, failures: {self.failures[-5:]}",
        )

    def go_on_until(self, predicate: Callable[[], object], what: str, timeout: float = 60) -> None:
        """Let it run until the world is in some state, and then for some more requests."""
        wait_until(predicate, timeout=timeout, what=what)
        self.go_on(20)

    def tally(self) -> collections.Counter[str]:
        """How many answers each body's first word had: the replica's name, with tests' images."""
        return collections.Counter(record.body.split()[0] for record in self.records if record.body)

    def clients(self) -> set[str]:
        """The callers' addresses that the replicas saw, from the tests' image; IPv4 written as such."""
        return {
            record.body.split()[-1].strip("[]").removeprefix("::ffff:")
            for record in self.records
            if record.body
        }


def burst(machine: Machine, url: str, number: int, where: Where = INSIDE) -> Traffic:
    """So many requests one after the other, all answered."""
    traffic = Traffic.requests(machine, url, "--requests", str(number), where=where)
    traffic.start()
    traffic.wait()
    return traffic


@dataclass(frozen=True)
class Way:
    """A way to a published port: from where a client asks which host, and which addresses of it the application may see."""

    name: str
    host: str
    where: Where
    seen_as: frozenset[str]


def ways_in(machine: Machine) -> list[Way]:
    """From localhost, from the host to its own address, and from outside.

    A container could not answer to 127.0.0.1, so for localhost any address of the host is the client's real one.
    """
    listing = json.loads(machine.run(["ip", "-json", "-4", "address"]).stdout)
    own = {info["local"] for link in listing for info in link["addr_info"]}
    return [
        Way("localhost", "127.0.0.1", INSIDE, frozenset(own)),
        Way("own address", ADDRESS, INSIDE, frozenset({ADDRESS})),
        Way("outside", ADDRESS, OUTSIDE, frozenset({OUTSIDE_ADDRESS})),
    ]
