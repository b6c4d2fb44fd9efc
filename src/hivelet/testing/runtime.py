"""A fake executor: containers that follow a script instead of running. Keeps the contract of `agent.exec.controller`.

The `FakeHost` is the machine: it outlives agents and daemons, as containers do. Scripts are looked up by the image's name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hivelet.agent.exec.controller import (
    Details,
    Exit,
    PermanentError,
    TaskExited,
    Tell,
    TemporaryError,
    tell_nobody,
)
from hivelet.kit.clock import Clock
from hivelet.objects.common import (
    ConfigId,
    ContainerId,
    NetworkId,
    Platform,
    SecretId,
    ServiceId,
    TaskId,
)
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import DRAINING, ContainerStatus, Resources, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How containers of an image behave. Times in seconds; None means never."""

    prepare: float = 0.0
    start: float = 0.05
    stop: float = 0.2
    drains: float = 0.0
    """How long its connections hold it up before it is stopped."""
    exits_after: float | None = None
    exit_code: int = 0
    missing: bool = False
    flaky_prepares: int = 0
    """So many preparations on this host fail in a way that passes."""
    failing_starts: int = 0
    """So many starts on this host end with exit code 1."""
    hangs_in_start: bool = False


@dataclass(slots=True)
class FakeContainer:
    """A container: created, running or exited."""

    task: Task
    script: Script
    running: bool = False
    how: Exit | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, how: Exit) -> None:
        """It stops, by itself or by force."""
        if self.how is None:
            self.running = False
            self.how = how
            self.ended.set()


class FakeHost:
    """A machine with its containers and its data plane, as far as anybody looks at them."""

    def __init__(self, hostname: str = "host", resources: Resources | None = None) -> None:
        self.hostname = hostname
        self.resources = resources or Resources(nano_cpus=64 * 10**9, memory_bytes=2**40)
        self.scripts: dict[str, Script] = {}
        self.containers: dict[TaskId, FakeContainer] = {}
        self.networks: Mapping[NetworkId, Network] = {}
        self.services: Mapping[ServiceId, ServiceEntry] = {}
        self.starts: dict[TaskId, int] = {}
        self.resumed = 0
        self.daemon_dead = False
        self._tries: dict[str, int] = {}

    def script(self, task: Task) -> Script:
        """How this task's container behaves."""
        container = task.spec.container_spec
        return self.scripts.get(container.image if container else "", Script())

    def attempt(self, what: str) -> int:
        """How often this was tried before."""
        before = self._tries.get(what, 0)
        self._tries[what] = before + 1
        return before

    def kill(self, task_id: TaskId, code: int = 137) -> None:
        """What `docker rm -f`, the OOM killer or a crash does."""
        self.containers[task_id].end(Exit(code=code))

    def turn_unhealthy(self, task_id: TaskId) -> None:
        """Its health check fails so often that the controller stops it."""
        self.containers[task_id].end(Exit(code=137, reason="unhealthy container"))

    def reboot(self) -> None:
        """Power off and on: nothing that ran runs any more, and nothing of it is left."""
        for container in self.containers.values():
            container.end(Exit(code=137))
        self.containers.clear()

    async def alive(self) -> None:
        """Return while the daemon on this host lives; what a dead one had in mind never happens."""
        if self.daemon_dead:
            await asyncio.Event().wait()

    def running(self) -> list[Task]:
        """The tasks whose container runs."""
        return [c.task for c in self.containers.values() if c.running]


class FakeController:
    """Runs one task on a fake host."""

    def __init__(self, host: FakeHost, task: Task, clock: Clock) -> None:
        self._host = host
        self._task = task
        self._clock = clock
        self._script = host.script(task)
        self._tell: Tell = tell_nobody

    @property
    def _container(self) -> FakeContainer | None:
        return self._host.containers.get(self._task.id)

    def listen(self, tell: Tell) -> None:
        """Remember whom to tell."""
        self._tell = tell

    async def adopt(self) -> bool:
        """Whether the host has a container of the task."""
        return self._container is not None

    async def prepare(self) -> None:
        """Pull and create, as the script says."""
        if self._container is not None:
            return
        container = self._task.spec.container_spec
        image = container.image if container else ""
        await self._clock.sleep(self._script.prepare)
        await self._host.alive()
        if self._host.attempt(f"prepare {image}") < self._script.flaky_prepares:
            raise TemporaryError("the registry did not answer", delay=0.5)
        if self._script.missing:
            raise PermanentError(f"No such image: {image}")
        self._host.containers[self._task.id] = FakeContainer(self._task, self._script)

    async def start(self) -> None:
        """Start, as the script says."""
        container = self._container
        if container is None:
            raise PermanentError("the container is gone")
        if container.running or container.how is not None:
            return
        if self._script.hangs_in_start:
            await asyncio.Event().wait()
        await self._clock.sleep(self._script.start)
        await self._host.alive()
        image = self._task.spec.container_spec.image if self._task.spec.container_spec else ""
        if self._host.attempt(f"start {image}") < self._script.failing_starts:
            container.end(Exit(code=1))
            raise TaskExited(Exit(code=1))
        container.running = True
        self._host.starts[self._task.id] = self._host.starts.get(self._task.id, 0) + 1
        if self._script.exits_after is not None:
            how = Exit(code=self._script.exit_code)
            asyncio.get_running_loop().call_later(self._script.exits_after, container.end, how)

    async def wait(self) -> Exit:
        """The container's end."""
        container = self._container
        if container is None:
            return Exit(code=137)
        await container.ended.wait()
        return container.how or Exit()

    async def shutdown(self) -> None:
        """Stop, as the script says."""
        container = self._container
        if container is not None and container.running:
            if self._script.drains:
                self._tell(f"{DRAINING}1 connection")
                await self._clock.sleep(self._script.drains)
            await self._clock.sleep(self._script.stop)
            await self._host.alive()
            container.end(Exit(code=143))

    async def terminate(self) -> None:
        """Stop at once."""
        await self._host.alive()
        if self._container is not None:
            self._container.end(Exit(code=137))

    async def remove(self) -> None:
        """Nothing is left."""
        await self._host.alive()
        self._host.containers.pop(self._task.id, None)

    async def update(self, task: Task) -> None:
        """Take the newer description."""
        self._task = task

    def details(self) -> Details:
        """A made-up container id, and the exit code."""
        container = self._container
        if container is None:
            return Details()
        code = container.how.code if container.how is not None else 0
        identity = ContainerId(f"c-{self._task.id}")
        return Details(container=ContainerStatus(container_id=identity, exit_code=code))

    async def close(self) -> None:
        """Nothing to let go of."""


class FakeExecutor:
    """A node's executor over a fake host."""

    def __init__(self, host: FakeHost, clock: Clock) -> None:
        self.host = host
        self._clock = clock
        self.node: Node | None = None

    async def describe(self) -> NodeDescription:
        """The host."""
        return NodeDescription(
            hostname=self.host.hostname,
            platform=Platform(architecture="amd64", os="linux"),
            resources=self.host.resources,
        )

    async def configure(self, node: Node) -> None:
        """Remember the node."""
        self.node = node

    async def configure_networks(
        self,
        networks: Mapping[NetworkId, Network],
        services: Mapping[ServiceId, ServiceEntry],
    ) -> None:
        """Remember the data plane."""
        self.host.networks = dict(networks)
        self.host.services = dict(services)

    async def configure_dependencies(
        self, secrets: Mapping[SecretId, Secret], configs: Mapping[ConfigId, Config]
    ) -> None:
        """Nobody reads them."""

    def controller(self, task: Task) -> FakeController:
        """A controller on the host."""
        return FakeController(self.host, task, self._clock)

    async def known_tasks(self) -> Collection[TaskId]:
        """Tasks with a container."""
        return list(self.host.containers)

    async def discard(self, task_id: TaskId) -> None:
        """Kill and remove."""
        await self.host.alive()
        container = self.host.containers.pop(task_id, None)
        if container is not None:
            container.end(Exit(code=137))

    async def resume(self) -> None:
        """Count it."""
        self.host.resumed += 1


__all__ = ["FakeController", "FakeExecutor", "FakeHost", "Script"]
