"""One engine to measure: a daemon in a private machine, driven through the Docker Engine API as a user would.

Both engines are driven by the same command line (Debian's docker 20.10) and asked by the same client (docker-py), so what
differs in a measurement is the engine alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import docker
from harness import programs
from harness.cli import Cli
from harness.daemons import Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.waiting import wait_until

NETWORK = "bench"
POLL = 0.03
PATIENCE = 180.0
# `sleep` as process 1 ignores SIGTERM; SIGKILL spares both engines the ten seconds of grace when a run is cleaned up.
QUICK_END = ("--stop-signal", "SIGKILL")


@dataclass(frozen=True)
class Usage:
    """Memory of so many processes, in MiB."""

    processes: int = 0
    pss: float = 0.0
    rss: float = 0.0

    def plus(self, rollup: str) -> Usage:
        """With one more, from its smaps_rollup."""
        kib = {
            key: int(value.split()[0])
            for key, _, value in (line.partition(":") for line in rollup.splitlines()[1:])
        }
        return Usage(self.processes + 1, self.pss + kib["Pss"] / 1024, self.rss + kib["Rss"] / 1024)


class Engine:
    """A swarm of one node with an overlay network and the image bb:latest."""

    def __init__(self, name: str, make: Callable[[Machine], Dockerd | Hiveletd]) -> None:
        self.name = name
        self.machine = Machine(f"bench-{name}")
        self.daemon = make(self.machine)

    def start(self) -> None:
        """Bring the swarm up. What a daemon has below /run by default is on a tmpfs here too, whatever /tmp is on."""
        self.machine.run(["mkdir", "-p", str(self.daemon.run)])
        self.machine.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(self.daemon.run)])
        self.daemon.start()
        self.docker = Cli(
            "docker", [str(programs.old_docker())], self.daemon.host, self.machine.dir
        )
        self.api = docker.APIClient(base_url=self.daemon.host, timeout=120, version="auto")
        import_busybox(self.docker, self.machine.dir)
        self.docker("swarm", "init")
        self.docker("network", "create", "--driver", "overlay", NETWORK)

    def close(self) -> None:
        """End it with all it runs."""
        if hasattr(self, "api"):
            self.api.close()
        self.machine.close()

    # What a user does

    def create(self, service: str, replicas: int, *options: str) -> float:
        """Seconds from `docker service create` to all replicas running."""
        begun = time.perf_counter()
        words = (
            "--detach",
            "--no-resolve-image",
            "--name",
            service,
            "--network",
            NETWORK,
            "--replicas",
            str(replicas),
        )
        self.docker(
            "service", "create", *words, *QUICK_END, *options, "bb:latest", "/bin/sleep", "10000"
        )
        self._until_running(service, replicas)
        return time.perf_counter() - begun

    def scale(self, service: str, replicas: int) -> float:
        """Seconds from `docker service scale` to all replicas running."""
        begun = time.perf_counter()
        self.docker("service", "scale", "--detach", f"{service}={replicas}")
        self._until_running(service, replicas)
        return time.perf_counter() - begun

    def kill_one(self, service: str) -> float:
        """Seconds from SIGKILL of one task's process to as many tasks running as before, that one not among them."""
        before = self.running_tasks(service)
        victim = sorted(before)[0]
        process = self.machine.host_pid(before[victim])
        begun = time.perf_counter()
        os.kill(process, 9)

        def replaced() -> bool:
            now = self.running_tasks(service)
            return victim not in now and len(now) == len(before)

        wait_until(
            replaced, timeout=PATIENCE, what="the killed task is replaced", interval=POLL / 6
        )
        return time.perf_counter() - begun

    def remove(self, service: str) -> None:
        """Remove a service and wait until its containers are gone."""
        self.docker("service", "rm", service)
        wait_until(
            lambda: (
                not self.api.containers(
                    all=True,
                    quiet=True,
                    filters={"label": f"com.docker.swarm.service.name={service}"},
                )
            ),
            timeout=PATIENCE,
            what=f"the containers of {service} are gone",
        )

    # What is asked of it

    def running_tasks(self, service: str) -> dict[str, int]:
        """Process number by task id, of the tasks that run and shall run."""
        tasks: list[dict[str, Any]] = self.api.tasks(
            {"service": service, "desired-state": "running"}
        )
        return {
            task["ID"]: task["Status"]["ContainerStatus"]["PID"]
            for task in tasks
            if task["Status"]["State"] == "running"
        }

    def _until_running(self, service: str, replicas: int) -> None:
        def count() -> bool:
            found = self.api.services(filters={"name": service}, status=True)
            status = found[0]["ServiceStatus"]
            return bool(status["RunningTasks"] == status["DesiredTasks"] == replicas)

        wait_until(
            count,
            timeout=PATIENCE,
            what=f"{service} has {replicas} replicas on {self.name}",
            interval=POLL,
            evidence=lambda: (
                self.docker("service", "ps", "--no-trunc", service).out + self.daemon.log_tail(20)
            ),
        )

    def overhead(self) -> dict[str, Usage]:
        """By program: what runs on the machine and is not in a container."""
        outer = os.readlink(self.machine.proc / "1/ns/pid")
        found: dict[str, Usage] = {}
        for _, folder in self.machine.processes():
            if os.readlink(folder / "ns/pid") == outer:
                name = (folder / "comm").read_text().strip()
                found[name] = found.get(name, Usage()).plus((folder / "smaps_rollup").read_text())
        return found


def docker_swarm() -> Engine:
    """The real one."""
    return Engine("docker", Dockerd)


def hivelet() -> Engine:
    """This checkout."""
    return Engine("hivelet", Hiveletd)
