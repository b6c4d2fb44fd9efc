"""A container from its start to its end: watched, its end told to whoever waits, and what it had given back.

What always holds: an end is told once, and a dead task is out of the balancer before it is known how it ended.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

from hivelet.engine.create import ContainerPaths
from hivelet.engine.health.keeper import HealthKeeper
from hivelet.engine.health.policy import begin_health
from hivelet.engine.life.living import Living
from hivelet.engine.log_keeper import LogKeeper
from hivelet.engine.plain.published import PublishedPorts
from hivelet.engine.provision import LifecycleParts, Provision
from hivelet.engine.registry import Record
from hivelet.errors import HiveletError, NotFound
from hivelet.kit.backoff import Backoff
from hivelet.kit.failpoints import point
from hivelet.kit.host_faults import describe_fault, host_faults, is_host_fault
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerState, HostConfig
from hivelet.runtime.cgroups import cgroup_path
from hivelet.runtime.status import ExitStatus

log = structlog.get_logger(__name__)

_AGAIN = Backoff(first=1.0, ceiling=30.0, jitter=0.0)
"""Before what the machine has refused is tried again."""


class Watching(Living):
    """Sees containers run and end, and takes down those that are removed."""

    def __init__(self, parts: LifecycleParts) -> None:
        super().__init__(parts)
        self._provision = Provision(parts)
        self._ends: dict[ContainerId, asyncio.Future[ContainerState]] = {}
        self._removals: dict[ContainerId, asyncio.Event] = {}
        self._supervisor = Supervisor("engine")
        self.on_renewal: list[Callable[[ContainerId], None]] = []
        """Who is told that a container starts again, or is removed: what was of its last run is gone."""
        self.after_end: list[Callable[[Record], None]] = []
        """Who is told when all that its end brings about is done."""
        self.on_stop: list[Callable[[ContainerId], None]] = []
        """Who is told that a user has stopped or removed a container, whether it ran or not."""
        self._ports = PublishedPorts(parts.plane)
        self._logs = LogKeeper()
        self.health = HealthKeeper(parts.registry, parts.runtime, parts.clock, self.publish)

    async def wait(self, container_id: ContainerId) -> ContainerState:
        """The state at the container's end; at once if it does not run."""
        record = self._registry.get(container_id)
        if record is not None and not record.container.state.running:
            return record.container.state
        return await asyncio.shield(self._end(container_id))

    async def next_end(self, container_id: ContainerId) -> ContainerState:
        """The state at the container's next end, whether it runs now or not."""
        record, end = self._registry.get(container_id), self._ends.get(container_id)
        if end is not None and end.done() and record and not record.container.state.running:
            del self._ends[container_id]  # that was the one before
        return await asyncio.shield(self._end(container_id))

    async def removed(self, container_id: ContainerId) -> None:
        """Return once nothing of the container is left."""
        if self._registry.get(container_id) is not None:
            await self._removals.setdefault(container_id, asyncio.Event()).wait()

    async def settled(self, container_id: ContainerId) -> None:
        """Return when nothing is being done to the container: what a run of it needed is gone with its end."""
        async with self._locks[container_id]:
            return

    def paths(self, container_id: ContainerId) -> ContainerPaths:
        """Where the container's files are."""
        return self._provision.paths(container_id)

    def cgroups(self, container_id: ContainerId) -> tuple[Path, ...]:
        """The container's directory in each cgroup hierarchy."""
        return self._parts.cgroups.places(self._cgroup(container_id))

    def processes(self, container_id: ContainerId) -> frozenset[int]:
        """The container's processes."""
        return self._parts.cgroups.processes(self._cgroup(container_id))

    def _cgroup(self, container_id: ContainerId) -> str:
        record = self._parts.registry.get(container_id)
        host = record.container.host_config if record is not None else HostConfig()
        return cgroup_path(self._parts.cgroup_of(host), container_id)

    # ---- inside

    async def _runs(self, record: Record, pid: int) -> Record:
        """Its program runs: from now on it is known to, has its ports, and is watched."""
        state = ContainerState(
            status="running",
            pid=pid,
            started_at=self._parts.clock.now(),
            health=begin_health(record.container.config),
        )
        record = record.with_state(state)
        self._registry.write(record)
        await self._ports.open(record)
        await self._registry.written()
        # Last of all: from here on its end may be told, which must not come before its start.
        self._watch(record)
        return record

    def _end(self, container_id: ContainerId) -> asyncio.Future[ContainerState]:
        return self._ends.setdefault(container_id, asyncio.get_running_loop().create_future())

    def _watch(self, record: Record) -> None:
        self._end(record.id)
        work = self._watch_until_end(record.id)
        self._supervisor.spawn(f"watch {record.id[:12]}", work, about=record.log_fields)
        self._logs.begin(record.container)
        self.health.begin(record.id)

    async def _watch_until_end(self, container_id: ContainerId) -> None:
        await self._parts.runtime.died(container_id)
        # First of all, before it is known how it ended: no new connection may meet a dead backend.
        await self._take_out(container_id)
        await self._ended(container_id, await self._parts.runtime.wait(container_id))

    async def _take_out(self, container_id: ContainerId) -> None:
        """Take a dead task out of the balancer. Where that fails the plane tries on, and the end is told all the same."""
        record = self._registry.get(container_id)
        if record is None or not record.task_id:
            return
        try:
            with host_faults():
                await self._parts.plane.withdraw(record.task_id)
        except HiveletError as error:
            log.warning(
                "a dead task is in the balancer still",
                error=error.message,
                **record.log_fields,
            )

    async def _ended(self, container_id: ContainerId, status: ExitStatus) -> None:
        # Once more: it may have been let in while it died.
        await self._take_out(container_id)
        record = self._registry.get(container_id)
        if record is None:
            return
        state = record.container.state.replaced(
            status="exited",
            pid=0,
            paused=False,
            exit_code=status.code,
            oom_killed=status.oom_killed,
            error=status.error,
            finished_at=status.finished_at or self._parts.clock.now(),
        )
        self._registry.write(record.with_state(state))
        self._logs.end(record.container)
        if record.task_id:
            self._tell_end(container_id, state)
        if status.oom_killed:
            self.publish(record, "oom")
        self.publish(record, "die", exitCode=str(status.code))
        self.publish_networks(record, "disconnect")
        self.publish_volumes(record, "unmount")
        # At once: whoever sees that it has ended may start it again, and must find it let go.
        try:
            await self._let_go(container_id)
        except (HiveletError, OSError) as error:
            if not is_host_fault(error):
                raise
            log.warning(
                "not all of an ended container could be taken away; it is tried again",
                **{"container.id": container_id},
                error=describe_fault(error),
            )
            self._supervisor.spawn(f"let go {container_id[:12]}", self._let_go_later(container_id))
        finally:
            # Whoever waits for a plain container may remove its networks and volumes next; a task is replaced at once.
            if not record.task_id:
                self._tell_end(container_id, state)
        for done in self.after_end:
            if (current := self._registry.get(container_id)) is not None:
                done(current)

    async def _let_go(self, container_id: ContainerId) -> None:
        async with self._locks[container_id]:
            current = self._registry.get(container_id)
            if current is not None and not current.container.state.running:
                # How it ended is known to nobody else once the runtime has forgotten it.
                await self._registry.written()
                await self._ports.close(container_id)
                await self.health.end(container_id)
                await self._provision.release(container_id)
                if not current.task_id:
                    self._provision.idle(current)

    async def _let_go_later(self, container_id: ContainerId) -> None:
        for attempt in itertools.count(1):
            await self._parts.clock.sleep(_AGAIN.delay(attempt))
            try:
                await self._let_go(container_id)
            except (HiveletError, OSError) as error:
                if not is_host_fault(error):
                    raise
            else:
                return

    def _tell_end(self, container_id: ContainerId, state: ContainerState) -> None:
        # None: it was removed meanwhile, and whoever waited was told.
        end = self._ends.get(container_id)
        if end is not None and not end.done():
            end.set_result(state)
        self.health.tell(container_id, state)

    async def _take_down(self, record: Record, *, volumes: bool = True) -> None:
        record = record.replaced(removing=True)
        self._registry.write(record)
        await self._registry.written()
        for tell in (*self.on_stop, *self.on_renewal):
            tell(record.id)
        self._give_up(record.id, NotFound(f"No such container: {record.id}"))
        await self._ports.close(record.id)
        await self.health.end(record.id)
        await self._provision.release(record.id)
        await self._parts.storage.remove(record, volumes=volumes)
        paths = self.paths(record.id)
        point("container.tidy")
        for directory in (paths.run, paths.directory):
            if directory.exists():
                await asyncio.to_thread(shutil.rmtree, directory)
        self._registry.forget(record.id)
        end = self._ends.pop(record.id, None)
        if end is not None and not end.done():
            end.set_result(record.container.state)
        self.health.tell(record.id, record.container.state)
        self._removals.pop(record.id, asyncio.Event()).set()
        self.publish(record, "destroy")
        await self._registry.written()
