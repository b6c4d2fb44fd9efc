"""Runs containers: conmon holds each one's streams and reaps it, and we see every end by event.

Note the difference to `hivelet.runtime.oci`, which only calls the OCI runtime: this module knows what has become of a
container. What always holds:

- A container and its conmon are in no way tied to this process; killing the daemon stops neither, and `adopt` finds them.
- The end of a container is seen through pidfds of its first process and of its conmon, never by polling. The first process
  is what lives or dies; conmon, its parent, then writes the exit code and ends. Where conmon died first, the container is
  still watched, but its exit code is lost: it is reported as 137 with an error that says so.
- What belongs to a container is written to `record.json` in its bundle before its program starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import Conflict, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.failpoints import point
from hivelet.kit.files import write_atomic
from hivelet.objects.common import ContainerId
from hivelet.runtime import commands
from hivelet.runtime.attach import Attachment, open_attachment, resize_terminal
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.commands import BundlePaths, CreateOptions, ExecOptions, OciRuntime
from hivelet.runtime.conmon.creation import record_created, spawn_monitor
from hivelet.runtime.conmon.leftovers import Leftovers, remove_transient
from hivelet.runtime.conmon.probe import OUTPUT_LIMIT, run_probe
from hivelet.runtime.conmon.spec import cgroup_of, read_spec
from hivelet.runtime.exec_process import ExecProcess, start_exec
from hivelet.runtime.failures import CreateFailed
from hivelet.runtime.oci import RuntimeCallFailed, call_runtime
from hivelet.runtime.oci_spec import ExecInput, build_exec_process
from hivelet.runtime.processes import (
    ProcessRecord,
    open_process,
    read_record,
)
from hivelet.runtime.seccomp_filter import FilterCompiler
from hivelet.runtime.status import (
    KILLED,
    Adopted,
    CreatedContainer,
    ExecResult,
    Exited,
    ExitStatus,
    Gone,
    Running,
)
from hivelet.runtime.supervised import Belongings, Supervised


class ConmonRuntime:
    """The containers of this node. One instance per daemon; every method is for the event loop's thread."""

    def __init__(self, runtime: OciRuntime, conmon: str, cgroups: CgroupTree, clock: Clock) -> None:
        self.runtime = runtime
        self._conmon = conmon
        self._cgroups = cgroups
        self._clock = clock
        self._filters = FilterCompiler()
        self._leftovers = Leftovers(runtime, cgroups)
        self._containers: dict[ContainerId, Supervised] = {}

    async def create(
        self,
        container: ContainerId,
        spec: Mapping[str, Any],
        paths: BundlePaths,
        options: CreateOptions = CreateOptions(),  # noqa: B008 - frozen
    ) -> CreatedContainer:
        """Make the container and all of its namespaces; its program waits for `start`.

        `paths.bundle` and the directory of the log exist already. A failure leaves nothing behind.

        Raises:
            CreateFailed: the runtime refused; with Docker's words and exit code.
            Conflict: the container exists.
        """
        if container in self._containers:
            raise Conflict(f"container {container} exists already")
        if self.runtime.takes_filters:
            spec = self._filters.precompiled(spec)
        write_atomic(paths.config, msgspec.json.encode(spec), mode=0o600)
        own = Belongings(id=container, paths=paths, runtime=self.runtime, cgroup=cgroup_of(spec))
        monitor = spawn_monitor(
            commands.conmon_create(self._conmon, self.runtime, container, paths, options), paths
        )
        try:
            record = await record_created(monitor, self.runtime, spec, paths)
        except BaseException:
            await asyncio.shield(self._leftovers.abandon(own, monitor.pid, monitor.pidfd))
            raise
        finally:
            os.close(monitor.sync)
        self._supervise(own, record).watch(
            open_process(record.pid, record.pid_started), monitor.pidfd
        )
        return CreatedContainer(id=container, pid=record.pid, conmon_pid=monitor.pid)

    async def start(self, container: ContainerId) -> None:
        """Let the program of a created container run.

        Raises:
            CreateFailed: the runtime refused.
        """
        found = self._get(container)
        try:
            await self._order(found, commands.runtime_start)
        except RuntimeCallFailed as error:
            raise CreateFailed(f"failed to start container: {error.message}", KILLED) from error
        found.remember(started=True)

    async def died(self, container: ContainerId) -> None:
        """Return as soon as the container's first process is dead; how it ended is known only a little later."""
        await self._get(container).died.wait()

    async def wait(self, container: ContainerId) -> ExitStatus:
        """How the container ended, once it has; at once for one that has ended before."""
        return await asyncio.shield(self._get(container).ended)

    def kill(self, container: ContainerId, number: int) -> None:
        """Send signal `number` to the container's first process.

        Raises:
            Conflict: it has ended.
        """
        pidfd = self._get(container).alive()
        point("container.signal")
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError as error:
            raise Conflict(f"container {container} is not running") from error
        point("container.signalled")

    async def pause(self, container: ContainerId) -> None:
        """Freeze all processes of the container."""
        found = self._get(container)
        found.alive()
        await self._freeze(found, commands.runtime_pause, frozen=True)

    async def resume(self, container: ContainerId) -> None:
        """Let a frozen container go on."""
        found = self._get(container)
        found.alive()
        await self._freeze(found, commands.runtime_resume, frozen=False)

    async def update(self, container: ContainerId, resources: Mapping[str, Any]) -> None:
        """Set new limits; `resources` is an OCI `linux.resources` object with what shall change."""
        found = self._get(container)
        found.alive()
        await self._order(found, commands.runtime_update, stdin=msgspec.json.encode(resources))

    async def exec_(
        self,
        container: ContainerId,
        given: ExecInput,
        *,
        timeout: float | None = None,
        output_limit: int = OUTPUT_LIMIT,
    ) -> ExecResult:
        """Run another process in the container and wait for its end; past `timeout` seconds it is killed.

        Raises:
            Conflict: the container is not running.
            RuntimeCallFailed: the process could not be started, as its program is not there.
        """
        found = self._get(container)
        found.alive()
        return await run_probe(
            found.own,
            given,
            lambda: self._cgroups.processes(found.own.cgroup),
            timeout=timeout,
            output_limit=output_limit,
        )

    async def start_exec(
        self, container: ContainerId, given: ExecInput, name: str, options: ExecOptions
    ) -> tuple[ExecProcess, asyncio.Task[None]]:
        """Run another process in the container, with its streams attached; `name` is that of its directory.

        Raises:
            Conflict: the container is not running.
            CreateFailed: the process could not be started.
        """
        found = self._get(container)
        found.alive()
        process = build_exec_process(read_spec(found.own.paths.config)["process"], given)
        directory = found.own.paths.bundle / f"exec-{name}"
        return await start_exec(self._conmon, found.own, directory, process, options)

    def attach(self, container: ContainerId) -> Attachment:
        """Its first process's streams.

        Raises:
            Conflict: it has ended.
        """
        return open_attachment(self._get(container).own.paths.attach_socket)

    def resize(self, container: ContainerId, height: int, width: int) -> None:
        """Set the size of its terminal.

        Raises:
            Conflict: it has ended.
        """
        resize_terminal(self._get(container).own.paths.control_fifo, height, width)

    async def delete(self, container: ContainerId, *, force: bool = False) -> None:
        """Remove all that the container leaves: runtime state, control groups, and its files in the bundle.

        The log stays. A container that is not known here is removed by its id all the same.

        Raises:
            Conflict: it is running and `force` is not given.
        """
        found = self._containers.get(container)
        if found is None:
            if (Path(self.runtime.root) / container).exists():
                await call_runtime(self.runtime, commands.runtime_delete(self.runtime, container))
            return
        if not found.ended.done():
            if not force and found.record.started:
                raise Conflict(
                    f"container {container} is running: stop it before removal, or force it"
                )
            await self._end(found)
        await self._order(found, commands.runtime_delete)
        point("container.cleared")
        self._forget(found)
        remove_transient(found.own.paths)
        self._cgroups.remove(found.own.cgroup)

    async def adopt(self, container: ContainerId, paths: BundlePaths) -> Adopted:
        """Find out, after a restart of the daemon, what has become of a container, and watch it again if it lives."""
        if container in self._containers:
            raise Conflict(f"container {container} is watched already")
        record = read_record(paths.record)
        if record is None:
            await self._leftovers.discard_unrecorded(container, paths)
            return Gone()
        own = Belongings(
            id=container,
            paths=paths,
            runtime=self._runtime_of(record),
            cgroup=cgroup_of(read_spec(paths.config)),
        )
        pidfd = open_process(record.pid, record.pid_started)
        conmon = open_process(record.conmon_pid, record.conmon_started)
        if pidfd is None and conmon is None and not paths.exit_file.exists():
            await self._leftovers.discard(own)
            return Gone()
        found = self._supervise(own, record)
        found.watch(pidfd, conmon)
        if pidfd is None:
            return Exited(status=await asyncio.shield(found.ended))
        if not record.started and await self._has_started(found):
            found.remember(started=True)
        return Running(pid=record.pid, started=found.record.started, paused=record.paused)

    def pid(self, container: ContainerId) -> int:
        """The pid of the first process, 0 once it has ended."""
        found = self._get(container)
        return 0 if found.ended.done() else found.record.pid

    def close(self) -> None:
        """Stop watching. The containers go on."""
        for found in list(self._containers.values()):
            self._forget(found)

    # -- within -----------------------------------------------------------------------------------------------------

    async def _freeze(
        self,
        found: Supervised,
        command: Callable[[OciRuntime, ContainerId], list[str]],
        *,
        frozen: bool,
    ) -> None:
        try:
            await self._order(found, command)
        except RuntimeCallFailed:
            # It may have been at work when it failed, or was killed: the container is as it was before.
            self._cgroups.freeze(found.own.cgroup, frozen=not frozen)
            raise
        found.remember(paused=frozen)

    async def _has_started(self, found: Supervised) -> bool:
        state = json.loads(await self._order(found, commands.runtime_state))
        return str(state.get("status")) != "created"

    async def _order(
        self,
        found: Supervised,
        command: Callable[[OciRuntime, ContainerId], list[str]],
        *,
        stdin: bytes = b"",
    ) -> bytes:
        runtime = found.own.runtime
        return await call_runtime(runtime, command(runtime, found.own.id), stdin=stdin)

    def _runtime_of(self, record: ProcessRecord) -> OciRuntime:
        if record.runtime_root == self.runtime.root:
            return self.runtime
        return OciRuntime(
            name=record.runtime_name,
            path=record.runtime_path,
            root=record.runtime_root,
            version="unknown",
            patience=self.runtime.patience,
        )

    async def _end(self, found: Supervised) -> None:
        """SIGKILL the container and wait until it has ended."""
        with suppress(Conflict):
            self.kill(found.own.id, signal.SIGKILL)
        if found.record.paused:
            # On cgroup v1 a frozen process takes no signal before it thaws. Done here: a runtime may hang.
            self._cgroups.freeze(found.own.cgroup, frozen=False)
        await asyncio.shield(found.ended)

    def _supervise(self, own: Belongings, record: ProcessRecord) -> Supervised:
        found = Supervised(own, record, self._cgroups, self._clock)
        self._containers[own.id] = found
        return found

    def _forget(self, found: Supervised) -> None:
        found.close()
        self._containers.pop(found.own.id, None)

    def _get(self, container: ContainerId) -> Supervised:
        try:
            return self._containers[container]
        except KeyError:
            raise NotFound(f"No such container: {container}") from None
