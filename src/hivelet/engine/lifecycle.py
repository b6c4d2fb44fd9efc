"""A container's life on this node: made, started, stopped, removed, adopted after a restart of the daemon.

What always holds: a container is in the registry before anything of it exists, and leaves it after everything of it is
gone, so nothing is ever left without an owner. What a running container needs (mounted file system, sandbox,
runtime state) is made by `hivelet.engine.provision` before it starts, and undone when its process ends.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM

import structlog

from hivelet.engine.create import (
    ContainerPaths,
    CreateContainer,
    build_record,
    check_limits,
)
from hivelet.engine.health.keeper import HealthKeeper
from hivelet.engine.health.policy import begin_health
from hivelet.engine.living import Living
from hivelet.engine.log_keeper import LogKeeper, policy_of
from hivelet.engine.networks.place import Place, shares_network
from hivelet.engine.plain.joins import Joins
from hivelet.engine.plain.links import linked_from
from hivelet.engine.plain.published import PublishedPorts
from hivelet.engine.provision import LifecycleParts, Provision
from hivelet.engine.registry import Record, running
from hivelet.engine.system import read_machine
from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound
from hivelet.kit.files import ensure_private
from hivelet.kit.ids import new_hex_id
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerState, HostConfig
from hivelet.objects.signals import parse_signal
from hivelet.runtime.cgroups import cgroup_path
from hivelet.runtime.commands import CreateOptions
from hivelet.runtime.conmon import Exited, ExitStatus, Gone, Running
from hivelet.runtime.failures import CreateFailed
from hivelet.runtime.log_files import begin_anew

Change = Callable[[Record], Awaitable[Record]]
"""Gives a container's record other networks."""

log = structlog.get_logger(__name__)

NEVER_RAN = 128
"""Exit code of a container that could not be started for a reason that is not its program's (Docker)."""

_KILL_PATIENCE = 10.0

GONE = 255
"""Exit code of a container whose end nobody saw: the machine went down, or its monitor was killed with it."""


class Lifecycle(Living):
    """Makes, starts, stops and removes this node's containers."""

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

    # ---- adoption and end of the daemon

    async def adopt(self) -> None:
        """Take over every container that an earlier daemon left, and finish removals that it began."""
        for base in (self._parts.root, self._parts.run):
            ensure_private(base / "containers")
        known = {record.id for record in self._registry.all()}
        await self._parts.storage.adopt(known)
        self._parts.files.adopt({record.id for record in running(self._registry.all())})
        for record in self._registry.all():
            if record.removing:
                await self._take_down(record)
            elif record.container.state.running:
                await self._adopt_running(record)
            else:
                await self._settle(record)
        for base in (self._parts.root, self._parts.run):
            for directory in (base / "containers").glob("*"):
                if directory.name not in known:
                    await asyncio.to_thread(shutil.rmtree, directory)

    async def close(self) -> None:
        """Stop watching; the containers run on."""
        await self.health.close()
        await self._logs.close()
        await self._supervisor.stop()

    async def _adopt_running(self, record: Record) -> None:
        found = await self._parts.runtime.adopt(record.id, self.paths(record.id).runtime)
        match found:
            case Exited(status=status):
                await self._ended(record.id, status)
            case Gone():
                await self._ended(record.id, self._lost())
            case _ if found.started:
                await self._ports.open(record)
                self._watch(record)
            case _:
                # We died between create and start: nobody has seen it run, so it may end here.
                await self._parts.runtime.delete(record.id, force=True)
                await self._ended(record.id, self._lost())

    async def _settle(self, record: Record) -> None:
        """A container that does not run as far as is known: we may have died while it was started or taken down."""
        paths = self.paths(record.id).runtime
        if not paths.config.exists():
            return
        if record.container.state.status == "exited":
            await self._provision.release(record.id)
            return
        match await self._parts.runtime.adopt(record.id, paths):
            case Running(pid=pid, started=True):
                record = record.with_state(self._begun(record, pid))
                self._registry.write(record)
                await self._ports.open(record)
                self._watch(record)
            case Exited(status=status):
                await self._ended(record.id, status)
            case Gone():
                return
            case _:
                await self._parts.runtime.delete(record.id, force=True)

    def _begun(self, record: Record, pid: int) -> ContainerState:
        return ContainerState(
            status="running",
            pid=pid,
            started_at=self._parts.clock.now(),
            health=begin_health(record.container.config),
        )

    def _lost(self) -> ExitStatus:
        return ExitStatus(
            code=GONE,
            oom_killed=False,
            finished_at=self._parts.clock.now(),
            error="its end was not seen: the machine was restarted, or all of its processes were killed",
        )

    # ---- the life

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

    async def create(self, request: CreateContainer) -> Record:
        """Make a container that could start at once.

        Raises:
            Conflict: the name is taken.
            InvalidParameter: the request cannot be a container.
        """
        check_limits(request.host, read_machine().cpus)
        container_id = ContainerId(new_hex_id())
        legs = await self._provision.legs(request)
        record = build_record(
            request, container_id, self.paths(container_id), self._parts.clock.now()
        )
        record = record.replaced(legs=legs)
        self._registry.add(record)
        async with self._locks[container_id]:
            try:
                if request.plain:
                    # It may start late or never: its network, and what it joins of others, comes with its start.
                    record = await self._provision.prepare(record)
                else:
                    record, _ = await self._provision.ensure(record)
            except HiveletError:
                # As it is known by now: with the names of the volumes that were made for it.
                await self._take_down(self._registry.get(container_id) or record)
                raise
        self.publish(record, "create")
        return record

    async def start(self, container_id: ContainerId, *, again: bool = False) -> bool:
        """Start the container; False where it runs already. `again` is a start by its restart policy.

        Raises:
            NotFound: it was removed in between.
            HiveletError: it could not be started; the state says so too.
        """
        async with self._locks[container_id]:
            record = self._current(container_id)
            if record.container.state.running:
                if record.container.state.paused:
                    raise Conflict("cannot start a paused container, try unpause instead")
                return False
            for tell in self.on_renewal:
                tell(container_id)
            count = record.container.restart_count + 1 if again else 0
            record = record.replaced(
                by_hand=False, container=record.container.replaced(restart_count=count)
            )
            try:
                record = await self._ports.choose(record)
                record, place = await self._provision.ensure(record)
                pid = await self._run(record, place)
            except HiveletError as error:
                await self._start_failed(record, error)
                if record.container.host_config.auto_remove and not record.task_id:
                    await self._take_down(record)
                raise
            record = record.with_state(self._begun(record, pid))
            self._registry.write(record)
            await self._ports.open(record)
            self._watch(record)
            self.publish_volumes(record, "mount")
            self.publish_networks(record, "connect")
            self.publish(record, "start")
        for other in linked_from(record, self._registry.all()):
            self._supervisor.spawn(f"link {other.id[:12]}", self.refresh(other.id))
        return True

    @property
    def joins(self) -> Joins:
        """Which networks containers may be in."""
        return self._provision.joins

    async def refresh(self, container_id: ContainerId) -> None:
        """Have a container's names, and what it knows of others, as they are now."""
        await self.rejoin(container_id, _as_it_is)

    async def rejoin(self, container_id: ContainerId, change: Change) -> None:
        """Change the networks of a container, at once where it runs.

        Raises:
            NotFound: there is no such container, or no such network.
            HiveletError: it can't be in these networks; nothing has changed.
        """
        async with self._locks[container_id]:
            before = self._current(container_id)
            record = await change(before)
            if not record.container.state.running or shares_network(record.container.host_config):
                if record is not before:
                    self._provision.idle(record)
                return
            try:
                record = await self._provision.rejoin(record)
            except BaseException:
                await self._provision.joins.left(record, before)
                raise
            await self._ports.open(record)
            await self._provision.joins.left(before, record)
            names = before.container.networks.keys(), record.container.networks.keys()
            self.publish_networks(record, "connect", names[1] - names[0])
            self.publish_networks(before, "disconnect", names[0] - names[1])

    async def stop(
        self, container_id: ContainerId, *, grace: float | None, signal: str = ""
    ) -> bool:
        """Stop signal, `grace` seconds (None: for ever), SIGKILL; returns when it has ended. False if it did not run.

        Raises:
            NotFound: there is no such container.
            InvalidParameter: there is no such signal; nothing has happened.
        """
        number = parse_signal(signal) if signal else None
        record = self._by_hand(self._current(container_id))
        if not record.container.state.running:
            return False
        if record.container.state.paused:
            await self.unpause(container_id)
        if record.task_id:
            # Whoever stops a task's container, also by force: no new connection may meet it once it is signalled.
            await self._parts.plane.withdraw(record.task_id)
        end = self._end(container_id)
        if grace is None or grace > 0:
            try:
                async with asyncio.timeout(grace):
                    await self._ask_to_stop(record, number or stop_signal(record))
                    await asyncio.shield(end)
            except TimeoutError:
                log.info(
                    "container did not stop in time and is killed",
                    container=container_id[:12],
                    grace=grace,
                )
        if not end.done():
            await self._signal_if_alive(record, SIGKILL)
            await asyncio.shield(end)
        self.publish(record, "stop")
        return True

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        """Send the first process a signal.

        Raises:
            Conflict: it does not run.
        """
        record = self._current(container_id)
        if not record.container.state.running:
            raise Conflict(f"Container {container_id} is not running")
        number = parse_signal(signal)
        if number in (SIGKILL, stop_signal(record)):
            self._by_hand(record)
        end = self._end(container_id)
        self._parts.runtime.kill(record.id, number)
        self.publish(record, "kill", signal=signal)
        if number == SIGKILL:
            # Nothing can outlive it but a process that the kernel holds: who kills may remove at once, as in Docker.
            with suppress(TimeoutError):
                async with asyncio.timeout(_KILL_PATIENCE):
                    await asyncio.shield(end)

    async def remove(self, container_id: ContainerId, *, force: bool, volumes: bool) -> None:
        """Remove the container and all that is its own.

        By force also means: where a removal is under way or was cut short, return when it is done.

        Raises:
            Conflict: it runs, and `force` is not given.
        """
        record = self._registry.get(container_id) if force else self._current(container_id)
        if record is None:
            raise NotFound(f"No such container: {container_id}")
        if record.container.state.running and not record.removing:
            if not force:
                raise Conflict(
                    f"You cannot remove a running container {container_id}. "
                    "Stop the container before attempting removal or force remove"
                )
            await self.stop(container_id, grace=0)
        async with self._locks[container_id]:
            current = self._registry.get(container_id)
            if current is not None:
                await self._take_down(current, volumes=volumes)
        self._locks.pop(container_id, None)

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

    def _by_hand(self, record: Record) -> Record:
        """The user has stopped it: no restart policy starts it again."""
        for tell in self.on_stop:
            tell(record.id)
        if record.task_id:
            return record
        state = record.container.state
        if state.restarting:
            record = record.with_state(state.replaced(status="exited", restarting=False))
        record = record.replaced(by_hand=True)
        self._registry.write(record)
        return record

    # ---- inside

    def _end(self, container_id: ContainerId) -> asyncio.Future[ContainerState]:
        return self._ends.setdefault(container_id, asyncio.get_running_loop().create_future())

    async def _run(self, record: Record, place: Place) -> int:
        if (end := self._ends.get(record.id)) is not None and end.done():
            del self._ends[
                record.id
            ]  # the end before this start; who waits for the next one waits on
        spec = self._provision.spec(record, place)
        kept = policy_of(record.container)
        options = CreateOptions(
            terminal=record.container.config.tty,
            stdin=record.container.config.open_stdin,
            stdin_once=record.container.config.stdin_once,
            log_size_max=kept.limit,
            log_kept=kept.kept,
        )
        paths = self.paths(record.id).runtime
        begin_anew(paths.log, kept.limit, kept.files)
        created = await self._parts.runtime.create(record.id, spec, paths, options)
        self._let_attach(record.id)
        await self._parts.runtime.start(record.id)
        return created.pid

    async def _start_failed(self, record: Record, error: HiveletError) -> None:
        code = error.code if isinstance(error, CreateFailed) else NEVER_RAN
        status = "exited" if record.task_id else "created"
        state = ContainerState(status=status, exit_code=code, error=error.message)
        self._give_up(record.id, error)
        await self._ports.close(record.id)
        await self._provision.release(record.id)
        if self._registry.get(record.id) is not None:
            ended = record.with_state(state.replaced(finished_at=self._parts.clock.now()))
            self._registry.write(ended)
            if not record.task_id:
                self._provision.idle(ended)

    async def _ask_to_stop(self, record: Record, number: int) -> None:
        """The first signal of a stop. Whatever comes of it, the grace period runs, and SIGKILL follows."""
        try:
            await self._signal_if_alive(record, number)
        except HiveletError as error:
            log.warning(
                "the stop signal could not be sent",
                container=record.id[:12],
                signal=number,
                error=error.message,
            )

    async def _signal_if_alive(self, record: Record, number: int) -> None:
        """Signal a process that may be ending at this very moment: then there is nobody to tell, and its end is on the way."""
        with suppress(Conflict):
            self._parts.runtime.kill(record.id, number)

    def _watch(self, record: Record) -> None:
        self._end(record.id)
        self._supervisor.spawn(f"watch {record.id[:12]}", self._watch_until_end(record.id))
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
            await self._parts.plane.withdraw(record.task_id)
        except HiveletError as error:
            log.warning(
                "a dead task is in the balancer still",
                container=container_id[:12],
                error=error.message,
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
        try:
            await self._let_go(container_id)
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
                await self._ports.close(container_id)
                await self.health.end(container_id)
                await self._provision.release(container_id)
                if not current.task_id:
                    self._provision.idle(current)

    def _tell_end(self, container_id: ContainerId, state: ContainerState) -> None:
        # None: it was removed meanwhile, and whoever waited was told.
        end = self._ends.get(container_id)
        if end is not None and not end.done():
            end.set_result(state)
        self.health.tell(container_id, state)

    async def settled(self, container_id: ContainerId) -> None:
        """Return when nothing is being done to the container: what a run of it needed is gone with its end."""
        async with self._locks[container_id]:
            return

    async def _take_down(self, record: Record, *, volumes: bool = True) -> None:
        record = record.replaced(removing=True)
        self._registry.write(record)
        for tell in (*self.on_stop, *self.on_renewal):
            tell(record.id)
        self._give_up(record.id, NotFound(f"No such container: {record.id}"))
        await self._ports.close(record.id)
        await self.health.end(record.id)
        await self._provision.release(record.id)
        await self._parts.storage.remove(record, volumes=volumes)
        paths = self.paths(record.id)
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


async def _as_it_is(record: Record) -> Record:
    """The same networks: what else its files say of others has changed."""
    return record


def stop_signal(record: Record) -> int:
    """What the container is asked to stop with; SIGTERM where its image names a signal that there is not, as in Docker."""
    try:
        return parse_signal(record.container.config.stop_signal or "SIGTERM")
    except InvalidParameter:
        return SIGTERM
