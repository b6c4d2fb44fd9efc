"""Command lines under test: the unmodified docker (two ages of it) and hivelet, all spoken to in the same way."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import programs

CLIS = ("docker-28", "docker-20", "hivelet")


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, line by line."""
        return self.out.splitlines()


class CommandEnded(AssertionError):
    """A command of the test ended otherwise than the test expects."""


class Cli:
    """`cli("service", "ls")` runs one command against one daemon, in the host's namespaces."""

    def __init__(self, name: str, argv: Sequence[str], host: str, home: Path) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.host = host
        self.home = home / f"home-{name}"
        self.home.mkdir(exist_ok=True)

    @property
    def env(self) -> Mapping[str, str]:
        """DOCKER_HOST is all that tells the docker command line about hivelet."""
        config = {
            "DOCKER_HOST": self.host,
            "HIVELET_HOST": self.host,
            "DOCKER_CONFIG": str(self.home),
            "HOME": str(self.home),
        }
        kept = {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "COLUMNS": "200", **config, **kept}

    def __call__(
        self,
        *words: str,
        status: int | None = 0,
        timeout: float = 60,
        cwd: Path | None = None,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run one command and demand its exit status; `status=None` takes any."""
        argv = (*self.argv, *words)
        done = subprocess.run(
            argv,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=cwd,
            input=stdin if stdin is not None else "",
            check=False,
        )
        result = Result(argv, done.returncode, done.stdout, done.stderr)
        if status is not None and done.returncode != status:
            raise CommandEnded(
                f"{self.name} {' '.join(words)} ended with {done.returncode}, not {status}:\n{done.stderr}{done.stdout}"
            )
        return result

    def fails(self, *words: str, **options: Any) -> Result:
        """Run one command that must end with an error, and one that a user sees on standard error."""
        result = self(*words, status=None, **options)
        if result.status == 0:
            raise CommandEnded(
                f"{self.name} {' '.join(words)} should have failed, and said:\n{result.out}{result.err}"
            )
        if not result.err.strip():
            raise CommandEnded(
                f"{self.name} {' '.join(words)} failed without a word on standard error:\n{result.out}"
            )
        if "Traceback" in result.err:
            raise CommandEnded(f"{self.name} {' '.join(words)} died:\n{result.err}")
        return result

    def json(self, *words: str) -> Any:
        """What a command prints with --format '{{json .}}', one object a line."""
        return [json.loads(line) for line in self(*words, "--format", "{{json .}}").lines]

    def on_terminal(self, *words: str, timeout: float = 60) -> Result:
        """Run one command as in a terminal of 200 columns, with its progress bars."""
        leader, follower = pty.openpty()
        argv = (*self.argv, *words)
        try:
            child = subprocess.Popen(
                argv,
                env={**self.env, "TERM": "xterm", "LINES": "50"},
                stdin=follower,
                stdout=follower,
                stderr=follower,
            )
        finally:
            os.close(follower)
        said, limit = bytearray(), time.monotonic() + timeout
        try:
            while time.monotonic() < limit:
                if not select.select([leader], [], [], max(0.0, limit - time.monotonic()))[0]:
                    break
                try:
                    piece = os.read(leader, 65536)
                except OSError:  # EIO: the last writer has gone
                    break
                if not piece:
                    break
                said += piece
            left = max(0.1, limit - time.monotonic())
            status = child.wait(left)
        except subprocess.TimeoutExpired as error:
            child.kill()
            child.wait()
            raise CommandEnded(
                f"{' '.join(words)} did not end in {timeout} s: {said.decode()[-2000:]}"
            ) from error
        finally:
            os.close(leader)
        return Result(argv, status, said.decode(errors="replace"), "")


def make_cli(name: str, host: str, home: Path) -> Cli:
    """One of CLIS; skips the test where it is not on this machine."""
    if name == "hivelet":
        return Cli(name, programs.hivelet(), host, home)
    path = programs.NEW_DOCKER if name == "docker-28" else programs.old_docker()
    if not path.exists():
        pytest.skip(
            f"{path} is not there; HIVELET_TEST_DOCKER_CLI may name a docker command line 28 elsewhere"
        )
    return Cli(name, [str(path)], host, home)
