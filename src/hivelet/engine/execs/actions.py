"""Further processes in this node's containers: noted, started, forgotten.

Kept in memory only, as in Docker: after a restart of the daemon a process that was started goes on, and its exec is not
known any more. What always holds: an exec is gone when its container starts again or is removed; a container has at most `RUNNING_LIMIT`
execs that run and `KEPT` that do not, of which the oldest goes first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hivelet.engine.execs.further import FurtherProcesses
from hivelet.engine.execs.streams import Streams
from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.registry import Record, Registry
from hivelet.errors import Conflict, InvalidParameter, NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import ContainerId
from hivelet.objects.exec import Exec, ExecConfig, ExecStart
from hivelet.runtime.commands import ExecOptions
from hivelet.runtime.exec_process import ExecProcess
from hivelet.runtime.failures import CreateFailed

RUNNING_LIMIT = 1000
"""How many further processes one container may have at once."""

KEPT = 200
"""How many execs that do not run are remembered for one container."""


@dataclass(slots=True)
class _Known:
    """An exec and, while it runs, its process."""

    exec: Exec
    process: ExecProcess | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def let_go(self) -> None:
        """Nobody is attached to it, if it runs; it goes on."""
        if self.process is not None and self.process.attachment is not None:
            self.process.attachment.close()


class Execs:
    """All execs of this node."""

    def __init__(self, lifecycle: Lifecycle, registry: Registry, further: FurtherProcesses) -> None:
        self._registry = registry
        self._further = further
        self._publish = lifecycle.publish
        lifecycle.on_renewal.append(self.forget)
        self._known: dict[str, _Known] = {}
        self._supervisor = Supervisor("execs")

    async def close(self) -> None:
        """Watch no more; the processes run on."""
        await self._supervisor.stop()

    def of(self, container: ContainerId) -> list[str]:
        """The ids of a container's execs that have not ended, oldest first."""
        return [
            key
            for key, known in self._known.items()
            if known.exec.container_id == container and known.exec.exit_code is None
        ]

    def create(self, record: Record, config: ExecConfig, ref: str = "") -> str:
        """Note a further process.

        Raises:
            InvalidParameter: there is no command, or no such user.
            Conflict: the container does not run or is paused.
        """
        if not config.cmd:
            raise InvalidParameter("No exec command specified")
        _check_running(record, ref or record.id)
        if config.user:
            self._further.check_user(record, config.user)
        found = Exec(id=new_hex_id(), container_id=record.id, config=config)
        self._make_room(record.id)
        self._known[found.id] = _Known(found)
        self._publish(record, f"exec_create: {' '.join(config.cmd)}", execID=found.id)
        return found.id

    def get(self, exec_id: str) -> Exec:
        """What has become of an exec.

        Raises:
            NotFound: there is none of that id.
        """
        return self._find(exec_id).exec

    async def start(self, exec_id: str, start: ExecStart) -> Streams | None:
        """Start it. The streams are those of its config, which `start` can only let go of.

        Raises:
            Conflict: it was started before, or the container does not run.
            CreateFailed: it could not be started.
        """
        known = self._find(exec_id)
        self.check_startable(known.exec)
        record = self._registry.find(known.exec.container_id)
        config = known.exec.config
        known.exec = known.exec.replaced(started=True, running=True)
        self._publish(record, f"exec_start: {' '.join(config.cmd)}", execID=exec_id)
        options = ExecOptions(
            terminal=config.tty,
            stdin=config.attach_stdin and not start.detach,
            attach=not start.detach,
        )
        # A start that is under way is finished: a process that nobody knows of would be left otherwise.
        starting = self._supervisor.spawn(
            "start", self._start(known, record, start.console_size or config.console_size, options)
        )
        try:
            error = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The client has left: nobody reads, and whatever waits for input must learn that there is none.
            starting.add_done_callback(lambda _: known.let_go())
            raise
        if error is not None:
            raise error
        process = known.process
        if process is None or process.attachment is None:
            return None
        return Streams(
            attachment=process.attachment,
            tty=config.tty,
            takes_input=options.stdin,
            stdout=config.attach_stdout,
            stderr=config.attach_stderr,
            ended=known.ended,
            on_detach=lambda: self._publish(record, "exec_detach", execID=exec_id),
        )

    def check_startable(self, found: Exec) -> None:
        """Refuse what can't be started.

        Raises:
            Conflict: in Docker's words.
        """
        if found.running:
            raise Conflict(f"Error: Exec command {found.id} is already running")
        if found.started:
            raise Conflict(f"Error: Exec command {found.id} has already run")
        _check_running(self._registry.find(found.container_id), found.container_id)

    def resize(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal.

        Raises:
            Conflict: it does not run.
        """
        known = self._find(exec_id)
        if known.process is None:
            raise Conflict(f"exec {exec_id} is not running: its terminal can't be resized")
        known.process.resize(height, width)

    def forget(self, container: ContainerId) -> None:
        """A container starts again, or is removed."""
        for exec_id in [k for k, e in self._known.items() if e.exec.container_id == container]:
            del self._known[exec_id]

    async def _start(
        self, known: _Known, record: Record, size: list[int], options: ExecOptions
    ) -> CreateFailed | Conflict | None:
        try:
            process, end = await self._further.start(
                record, known.exec.config, known.exec.id, options, size
            )
        except (CreateFailed, Conflict) as error:
            code = error.code if isinstance(error, CreateFailed) else 126
            known.exec = known.exec.replaced(running=False, exit_code=code)
            self._publish(record, "exec_die", execID=known.exec.id, exitCode=str(code))
            return error
        known.process = process
        known.exec = known.exec.replaced(pid=process.pid)
        self._supervisor.spawn("end", self._until_end(known, record, process, end))
        return None

    async def _until_end(
        self, known: _Known, record: Record, process: ExecProcess, end: asyncio.Task[None]
    ) -> None:
        try:
            await end
        finally:
            end.cancel()
        code = process.ended.result()
        known.process = None
        known.exec = known.exec.replaced(running=False, exit_code=code)
        known.ended.set()
        self._publish(record, "exec_die", execID=known.exec.id, exitCode=str(code))

    def _make_room(self, container: ContainerId) -> None:
        own = [known.exec for known in self._known.values() if known.exec.container_id == container]
        idle = [found for found in own if not found.running]
        if len(own) - len(idle) >= RUNNING_LIMIT:
            raise Conflict(
                f"container {container[:12]} runs {RUNNING_LIMIT} further processes already: wait until some have ended"
            )
        for found in idle[: max(0, len(idle) + 1 - KEPT)]:
            del self._known[found.id]

    def _find(self, exec_id: str) -> _Known:
        known = self._known.get(exec_id)
        if known is None:
            raise NotFound(f"No such exec instance: {exec_id}")
        return known


def _check_running(record: Record, ref: str) -> None:
    state = record.container.state
    if not state.running:
        raise Conflict(f"Container {record.id} is not running")
    if state.paused:
        raise Conflict(f"Container {ref} is paused, unpause the container before exec")


class ExecActions:
    """The exec side of the engine."""

    def __init__(self, execs: Execs, registry: Registry) -> None:
        self._execs = execs
        self._exec_records = registry

    async def create_exec(self, ref: str, config: ExecConfig) -> str:
        """Note a further process for a running container; the answer is its id."""
        return self._execs.create(self._exec_records.find(ref), config, ref)

    async def get_exec(self, exec_id: str) -> Exec:
        """What has become of it."""
        return self._execs.get(exec_id)

    async def check_exec(self, exec_id: str) -> None:
        """Refuse one that can't be started."""
        self._execs.check_startable(self._execs.get(exec_id))

    async def start_exec(self, exec_id: str, start: ExecStart) -> Streams | None:
        """Start it; its streams, unless nobody attaches."""
        return await self._execs.start(exec_id, start)

    async def resize_exec(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal."""
        self._execs.resize(exec_id, height, width)
