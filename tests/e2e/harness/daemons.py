"""Real daemons in a private machine: start (readiness by sd_notify), stop, kill, restart in the same namespaces.

`Hiveletd` is what is tested; `Dockerd` is the real engine, the oracle and the benchmark's peer. Both offer `host`, the
address of their API on a unix socket that is reachable from every namespace.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Mapping

from harness import programs
from harness.machine import Machine, Process
from harness.preloaded import Preloaded


class Daemon:
    """One daemon in one machine. Its state is below `dir`, which outlives the process and dies with the machine."""

    name = "daemon"
    patience = 60.0

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.dir = machine.dir / self.name
        self.dir.mkdir()
        self.socket = self.dir / "api.sock"
        self.host = f"unix://{self.socket}"
        self.log_path = self.dir / "log"
        self.process: Process | None = None
        self.preloaded: Preloaded | None = None
        """Where a test starts it very often: whom to fork it from."""

    def argv(self) -> list[str]:
        """The command line."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """The environment, but for NOTIFY_SOCKET."""
        return {key: os.environ[key] for key in ("PATH", "LANG", "PYTHONPATH") if key in os.environ}

    @property
    def running(self) -> bool:
        """Whether the daemon's process is there."""
        return self.process is not None and self.process.popen.poll() is None

    @property
    def pid(self) -> int:
        """The daemon's process, as the host numbers it."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it and return when it has said READY=1.

        Raises:
            AssertionError: it ended first, or said nothing in time; with the last lines of its log.
        """
        assert not self.running, f"{self.name} runs already"
        address = self.dir / "notify"
        address.unlink(missing_ok=True)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
            self.log_path.open("a") as log,
        ):
            channel.bind(str(address))
            environment = {**self.environment(), "NOTIFY_SOCKET": str(address)}
            if self.preloaded is not None:
                self.process = self.preloaded.start(self.argv(), environment, self.log_path)
            else:
                self.process = self.machine.popen(
                    self.argv(), env=environment, stdout=log, stderr=log
                )
            self._await_ready(channel)

    def _await_ready(self, channel: socket.socket) -> None:
        assert self.process is not None
        ended: int = os.pidfd_open(self.process.popen.pid)
        limit = time.monotonic() + self.patience
        try:
            while time.monotonic() < limit:
                ready, _, _ = select.select(
                    [channel.fileno(), ended], [], [], limit - time.monotonic()
                )
                if channel.fileno() in ready and "READY=1" in channel.recv(4096).decode().split(
                    "\n"
                ):
                    return
                if ended in ready and channel.fileno() not in ready:
                    raise AssertionError(
                        f"{self.name} ended before it was ready\n{self.log_tail()}"
                    )
        finally:
            os.close(ended)
        self.kill()
        raise AssertionError(
            f"{self.name} was not ready after {self.patience:g} s\n{self.log_tail()}"
        )

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM, and its exit status."""
        assert self.process is not None
        return self.process.end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.end(signal.SIGKILL)

    def restart(self) -> None:
        """SIGTERM, then start again in the same namespaces."""
        self.stop()
        self.start()

    def log_tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"


class Hiveletd(Daemon):
    """hiveletd of this checkout."""

    name = "hiveletd"

    def __init__(self, machine: Machine, *options: str) -> None:
        super().__init__(machine)
        self.options = options
        self.also: dict[str, str] = {}
        """What the next start has in its environment beside the usual."""
        self.root = self.dir / "root"
        self.run = self.dir / "run"

    def argv(self) -> list[str]:
        """Everything it may write is below the machine's folder and cgroup."""
        own = ["-H", self.host, "--root", str(self.root), "--run", str(self.run)]
        return [
            *programs.hiveletd(),
            *own,
            "--cgroup-parent",
            self.machine.cgroup_parent,
            *self.options,
        ]

    def environment(self) -> Mapping[str, str]:
        """A PATH with the system's programs, as a service manager gives one."""
        system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {**super().environment(), "PATH": system, "PYTHONUNBUFFERED": "1", **self.also}


class Dockerd(Daemon):
    """Debian's dockerd 20.10 with a containerd of its own."""

    name = "dockerd"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.run = self.dir / "exec"

    def argv(self) -> list[str]:
        """Its folders and cgroups are the machine's; /run is private to the machine anyway."""
        dockerd = shutil.which("dockerd", path=programs.docker_engine_path())
        assert dockerd is not None, "Debian's docker.io is neither installed nor unpacked"
        own = [
            f"--data-root={self.dir}/data",
            f"--exec-root={self.run}",
            f"--pidfile={self.dir}/pid",
        ]
        return [
            dockerd,
            "-H",
            self.host,
            *own,
            f"--cgroup-parent=/{self.machine.cgroup_parent}",
            "--live-restore=false",
        ]

    def environment(self) -> Mapping[str, str]:
        """A PATH that has containerd, its shim, runc and docker-proxy."""
        return {"PATH": programs.docker_engine_path()}
