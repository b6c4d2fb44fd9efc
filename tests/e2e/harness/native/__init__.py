"""C programs of the tests: a server that ends well, one of datagrams, and a client that accounts for every request.

In C because both share two processors with what is tested. They are built when they are first asked for.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import programs
from harness.cli import Cli
from harness.machine import INSIDE, Machine, Process, Where

IMAGE = "http:latest"
DATAGRAMS = "datagrams:latest"
PORT = 8000


def build(name: str) -> Path:
    """A program of this folder, linked statically so that it runs in any image."""
    source = Path(__file__).with_name(f"{name}.c")
    folder = programs.CACHE / "native"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not program.exists():
        part = folder / f"{program.name}.{os.getpid()}"
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", part, source], check=True)
        part.rename(program)
    return program


def import_http(cli: Cli, folder: Path) -> None:
    """The image http:latest: the server, and nothing else."""
    command = json.dumps(["/server", str(PORT)])
    path = write_image(folder / "http.tar", "server")
    cli("import", "--change", f"CMD {command}", "--change", f"EXPOSE {PORT}", str(path), IMAGE)


def import_datagrams(cli: Cli, folder: Path) -> None:
    """The image datagrams:latest: a server of UDP, `/datagrams PORT [MILLISECONDS]`."""
    cli("import", str(write_image(folder / "datagrams.tar", "datagrams")), DATAGRAMS)


def write_image(path: Path, program: str) -> Path:
    """A root file system with one of our programs, and nothing else."""
    data = build(program).read_bytes()
    with tarfile.open(path, "w") as tar:
        for name in ("etc", "proc", "sys", "dev", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        entry = tarfile.TarInfo(program)
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
    return path


@dataclass(frozen=True)
class Request:
    """A request that was not answered, or late: its class, when it began and ended (CLOCK_MONOTONIC), the client's port."""

    kind: str
    begun: float
    ended: float
    port: int
    replica: str


@dataclass(frozen=True)
class Counts:
    """What became of a client's requests so far; `cpu` is the processor time that it took itself, in seconds."""

    cpu: float
    begun: int
    good: int
    failed: int
    reconnects: int
    seconds: float
    p50: float
    p99: float
    slowest: float
    classes: dict[str, int]
    replicas: dict[str, int]
    failures: list[Request]
    slow: list[Request]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.good / self.seconds if self.seconds else 0.0


def parse_counts(line: str) -> Counts:
    """A client's line of JSON."""
    said: dict[str, Any] = json.loads(line)
    failures, slow = (
        [Request(one.pop("class"), **one) for one in said.pop(kind)]
        for kind in ("failures", "slow")
    )
    return Counts(**said, failures=failures, slow=slow)


class Client:
    """One client at work in a network namespace of a machine; see `client.c` for what it can do."""

    def __init__(
        self, machine: Machine, address: str, mode: str, *, port: int, where: Where = INSIDE
    ) -> None:
        self.machine, self.where = machine, where
        self._words = [str(build("client")), address, str(port), mode]
        self._process: Process | None = None

    def start(self, *, connections: int, rate: float = 0, requests: int = 0) -> None:
        """Begin; goes on until `finish`, and until `requests` have been made."""
        self._process = self.machine.popen(
            [*self._words, str(connections), str(rate), str(requests), "0"],
            where=self.where,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def counts(self) -> Counts:
        """What there is so far."""
        stdin, stdout = self._pipes()
        stdin.write("\n")
        stdin.flush()
        return parse_counts(stdout.readline())

    def finish(self) -> Counts:
        """Let it make what is left of its requests, wait for the last answer, and say what came of all."""
        stdin, stdout = self._pipes()
        stdin.close()
        line = stdout.readline()
        assert self._process is not None
        assert self._process.popen.wait(10) == 0
        stdout.close()
        return parse_counts(line)

    def run(self, *, connections: int, seconds: float = 0, requests: int = 0) -> Counts:
        """As quick as it can for so long, or so many requests."""
        words = [*self._words, str(connections), "0", str(requests), str(seconds)]
        done = self.machine.run(
            words, where=self.where, timeout=seconds + 120, stdin=subprocess.DEVNULL
        )
        return parse_counts(done.stdout)

    def _pipes(self) -> tuple[Any, Any]:
        assert self._process is not None
        return self._process.popen.stdin, self._process.popen.stdout
