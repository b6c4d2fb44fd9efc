"""What is asked of a swarm under test, through docker-py: replicas, tasks, containers; and the waits made of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker

from harness.cli import Cli
from harness.daemons import Daemon
from harness.machine import Machine
from harness.waiting import wait_until

Task = dict[str, Any]


class Swarm:
    """One daemon's swarm. Services are named by their full names."""

    def __init__(self, machine: Machine, daemon: Daemon, cli: Cli) -> None:
        self.machine = machine
        self.daemon = daemon
        self.cli = cli

    @contextlib.contextmanager
    def api(self) -> Iterator[docker.APIClient]:
        """A fresh client: the daemon may have been restarted since the last one."""
        client = docker.APIClient(base_url=self.daemon.host, timeout=60, version="auto")
        try:
            yield client
        finally:
            client.close()

    def replicas(self, service: str) -> tuple[int, int]:
        """Running and wanted tasks, as `service ls` has them."""
        with self.api() as api:
            found = [
                one
                for one in api.services(filters={"name": service}, status=True)
                if one["Spec"]["Name"] == service
            ]
        assert found, f"there is no service {service}"
        status = found[0]["ServiceStatus"]
        return status["RunningTasks"], status["DesiredTasks"]

    def tasks(self, service: str, *, running: bool = False) -> list[Task]:
        """All tasks of a service, or only those that run and shall run; by slot."""
        filters: dict[str, Any] = {"service": service}
        if running:
            filters["desired-state"] = "running"
        with self.api() as api:
            tasks: list[Task] = api.tasks(filters)
        kept = [task for task in tasks if not running or task["Status"]["State"] == "running"]
        return sorted(kept, key=lambda task: (task.get("Slot", 0), task["ID"]))

    def task_ids(self, service: str) -> set[str]:
        """The running tasks' ids."""
        return {task["ID"] for task in self.tasks(service, running=True)}

    def container_ids(self, service: str) -> list[str]:
        """The running tasks' containers, by slot."""
        return [
            task["Status"]["ContainerStatus"]["ContainerID"]
            for task in self.tasks(service, running=True)
        ]

    def process(self, task: Task) -> int:
        """The number of a task's process 1, as the machine sees it."""
        number: int = task["Status"]["ContainerStatus"]["PID"]
        assert number > 0, f"task {task['ID']} has no process number"
        return number

    def name_server(self, task: Task) -> str:
        """The name server that a task's container is told to ask."""
        text = Path(f"{self.machine.proc}/{self.process(task)}/root/etc/resolv.conf").read_text()
        return next(line.split()[1] for line in text.splitlines() if line.startswith("nameserver"))

    def resolve(self, task: Task, name: str) -> set[str]:
        """The IPv4 addresses of a name, as a task's container sees them."""
        server = self.name_server(task)
        words = ["busybox", "nslookup", "-type=a", f"{name}.", server]
        answer = self.machine.run(words, where=self.process(task), check=False).stdout
        _, _, records = answer.partition("Name:")
        return set(re.findall(r"Address[^:]*:\s*([0-9.]+)", records))

    def address(self, task: Task, network: str) -> str:
        """A task's address on one of its networks."""
        for attachment in task.get("NetworksAttachments", []):
            if attachment["Network"]["Spec"]["Name"] == network:
                return str(attachment["Addresses"][0].partition("/")[0])
        raise AssertionError(f"task {task['ID']} has no address on {network}")

    def vip(self, service: str, network: str) -> str:
        """A service's virtual address on a network."""
        with self.api() as api:
            wanted = api.inspect_network(network)["Id"]
            found = api.inspect_service(service)["Endpoint"]["VirtualIPs"]
        return str(
            next(one["Addr"].partition("/")[0] for one in found if one["NetworkID"] == wanted)
        )

    def until_running(self, service: str, replicas: int, timeout: float = 60) -> None:
        """Wait for so many replicas, no more and no less."""
        wait_until(
            lambda: (
                self.replicas(service) == (replicas, replicas)
                and len(self.task_ids(service)) == replicas
            ),
            timeout=timeout,
            what=f"{service} is {replicas}/{replicas}",
            evidence=lambda: self.story(service),
        )

    def until_gone(self, *services: str, timeout: float = 60) -> None:
        """Wait until neither tasks nor containers of these services are there."""

        def gone() -> bool:
            with self.api() as api:
                left = [
                    c
                    for c in api.containers(all=True)
                    if c["Labels"].get("com.docker.swarm.service.name") in services
                ]
                names = {one["Spec"]["Name"] for one in api.services()}
            assert not left, f"containers are left: {[c['Names'] for c in left]}"
            return not names & set(services)

        wait_until(
            gone,
            timeout=timeout,
            what=f"{', '.join(services)} are gone",
            evidence=self.daemon.log_tail,
        )

    def create(
        self,
        name: str,
        replicas: int,
        *options: str,
        image: str = "web:latest",
        command: tuple[str, ...] = (),
    ) -> None:
        """`service create`, and wait for the replicas."""
        words = [
            "--detach",
            "--no-resolve-image",
            "--name",
            name,
            "--replicas",
            str(replicas),
            *options,
            image,
            *command,
        ]
        self.cli("service", "create", *words)
        self.until_running(name, replicas)

    def story(self, service: str | None = None) -> str:
        """For a failure's text: what the services and their tasks look like, and the end of the daemon's log."""
        names = (
            [service]
            if service
            else self.cli("service", "ls", "--format", "{{.Name}}", status=None).lines
        )
        services = self.cli("service", "ls", status=None).out
        tasks = [self.cli("service", "ps", "--no-trunc", name, status=None).out for name in names]
        return "\n".join([services, *tasks, self.daemon.log_tail()])
