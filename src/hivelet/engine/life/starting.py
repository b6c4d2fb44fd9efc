"""How a container comes to be and to run, and how its networks are changed while it does.

What always holds: a container is in the registry before anything of it exists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hivelet.engine.create import CreateContainer, build_record, check_limits
from hivelet.engine.life.watching import Watching
from hivelet.engine.log_keeper import policy_of
from hivelet.engine.networks.place import Place, shares_network
from hivelet.engine.plain.joins import Joins
from hivelet.engine.plain.links import linked_from
from hivelet.engine.registry import Record
from hivelet.engine.system import read_machine
from hivelet.errors import Conflict, HiveletError
from hivelet.kit.host_faults import host_faults
from hivelet.kit.ids import new_hex_id
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerState
from hivelet.runtime.commands import CreateOptions
from hivelet.runtime.failures import CreateFailed
from hivelet.runtime.log_files import begin_anew

Change = Callable[[Record], Awaitable[Record]]
"""Gives a container's record other networks."""

NEVER_RAN = 128
"""Exit code of a container that could not be started for a reason that is not its program's (Docker)."""


class Starting(Watching):
    """Makes and starts containers."""

    async def create(self, request: CreateContainer) -> Record:
        """Make a container that could start at once.

        Raises:
            Conflict: the name is taken.
            InvalidParameter: the request cannot be a container.
        """
        machine = read_machine()
        check_limits(request.host, machine.cpus)
        container_id = ContainerId(new_hex_id())
        legs = await self._provision.legs(request)
        record = build_record(
            request,
            container_id,
            self.paths(container_id),
            self._parts.clock.now(),
            machine=machine.hostname,
        )
        record = record.replaced(legs=legs)
        await self._registry.add(record)
        async with self._locks[container_id]:
            try:
                with host_faults("the container can't be made"):
                    if request.plain:
                        # It may start late or never: its network, and what it joins of others, comes with its start.
                        record = await self._provision.prepare(record)
                    else:
                        record, _ = await self._provision.ensure(record)
            except HiveletError:
                # As it is known by now: with the names of the volumes that were made for it.
                await self._take_down(self._registry.get(container_id) or record)
                raise
        await self._registry.written()
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
                with host_faults("the container can't be started"):
                    record = await self._ports.choose(record)
                    record, place = await self._provision.ensure(record)
                    pid = await self._run(record, place)
            except HiveletError as error:
                await self._start_failed(record, error)
                if record.container.host_config.auto_remove and not record.task_id:
                    await self._take_down(record)
                raise
            record = await self._runs(record, pid)
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
                    await self._registry.written()
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

    # ---- inside

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


async def _as_it_is(record: Record) -> Record:
    """The same networks: what else its files say of others has changed."""
    return record
