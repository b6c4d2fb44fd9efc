"""Starts hiveletd again and again without loading its modules anew: each one is a fork of a process that has them.

    python preloaded.py

reads lines of JSON: {"argv": [...], "env": {...}, "log": FILE} starts a daemon, whose process number is written; {"wait": PID}
waits for its end, and writes its status as `waitpid` gives it. `Preloaded` is its other end, in the test's process.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from harness.machine import Machine, Process


class Fork:
    """A daemon that is a fork of another process, with what the harness uses of a `Popen`."""

    stdin = None

    def __init__(self, pid: int, status: Any) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._pidfd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, -N where signal N has ended it."""
        if self.returncode is None:
            if not select.select([self._pidfd], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("hiveletd", timeout or 0)
            os.close(self._pidfd)
            self.returncode = os.waitstatus_to_exitcode(self._status())
        return self.returncode


class Preloaded:
    """The process that is forked, in a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        environment = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        self._answers, theirs = os.pipe()
        try:
            self._process = machine.popen(
                [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=theirs
            )
        finally:
            os.close(theirs)

    def start(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Process:
        """Start a daemon."""
        from harness.machine import Process

        inner = self._ask({"argv": list(argv), "env": dict(env), "log": str(log)})
        fork = Fork(self._machine.host_pid(inner), lambda: self._ask({"wait": inner}))
        process = Process.__new__(Process)
        process.popen, process.pid = fork, fork.pid  # type: ignore[assignment]
        return process

    def _ask(self, order: Mapping[str, Any]) -> int:
        orders = self._process.popen.stdin
        assert orders is not None
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        # One answer to each order, of a few bytes: it comes whole.
        return int(os.read(self._answers, 64))


def become(order: Mapping[str, Any]) -> NoReturn:
    """Be the daemon."""
    from hivelet.daemon.main import main
    from hivelet.kit import failpoints

    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    failpoints.arm(os.environ.get(failpoints.ENVIRONMENT, ""))
    sys.argv = order["argv"]
    main()
    raise AssertionError("main() exits")


def serve() -> None:
    """Fork until nobody asks any more."""
    import hivelet.daemon.node
    import hivelet.daemon.swarm  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitpid(order["wait"], 0)[1]
        elif not (answer := os.fork()):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            become(order)
        print(answer, flush=True)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    serve()
