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
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import Conflict, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.files import write_atomic
from hivelet.objects.common import ContainerId
from hivelet.runtime import commands
from hivelet.runtime.attach import Attachment, open_attachment, resize_terminal
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.commands import BundlePaths, CreateOptions, ExecOptions, OciRuntime
from hivelet.runtime.exec_process import ExecProcess, start_exec
from hivelet.runtime.failures import CreateFailed, explain_create_failure
from hivelet.runtime.host import SEARCH_PATH
from hivelet.runtime.oci import ENVIRONMENT, RuntimeCallFailed, call_runtime
from hivelet.runtime.oci_spec import ExecInput, build_exec_process
from hivelet.runtime.processes import (
    ProcessRecord,
    boot_id,
    open_children,
    open_monitor,
    open_process,
    read_record,
    start_time,
    write_record,
)
from hivelet.runtime.seccomp_filter import FilterCompiler
from hivelet.runtime.spawn import readable, reap, run_quick, spawn_in
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
from hivelet.runtime.supervised import Belongings, Supervised, read_number

__all__ = [
    "Adopted",
    "ConmonRuntime",
    "CreatedContainer",
    "ExecResult",
    "ExitStatus",
    "Exited",
    "Gone",
    "Running",
]

EXEC_OUTPUT = 4096
_MESSAGE_LIMIT = 65536
_LOOK = 0.005
"""Seconds between looks for a file that a runtime is about to write."""

_FINISHES_WITHIN = 5.0
"""Seconds that a runtime gets to finish what nobody wants any more; it takes milliseconds."""


class ConmonRuntime:
    """The containers of this node. One instance per daemon; every method is for the event loop's thread."""

    def __init__(self, runtime: OciRuntime, conmon: str, cgroups: CgroupTree, clock: Clock) -> None:
        self.runtime = runtime
        self._conmon = conmon
        self._cgroups = cgroups
        self._clock = clock
        self._filters = FilterCompiler()
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
        argv = commands.conmon_create(self._conmon, self.runtime, container, paths, options)
        own = Belongings(id=container, paths=paths, runtime=self.runtime, cgroup=_cgroup_of(spec))
        sync, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            # In the bundle, as conmon also writes files to where it is.
            conmon_pid = spawn_in(
                paths.bundle,
                argv,
                env=commands.conmon_environment(SEARCH_PATH),
                fds={2: str(paths.conmon_log), commands.SYNC_FD: theirs},
            )
            conmon = os.pidfd_open(conmon_pid)
        except BaseException:
            os.close(sync)
            remove_transient(paths)
            raise
        finally:
            os.close(theirs)
        try:
            pid = await self._created(sync, conmon, spec, paths)
            record = ProcessRecord(
                boot=boot_id(),
                pid=pid,
                pid_started=start_time(pid) or 0,
                conmon_pid=conmon_pid,
                conmon_started=start_time(conmon_pid) or 0,
                runtime_name=self.runtime.name,
                runtime_path=self.runtime.path,
                runtime_root=self.runtime.root,
            )
            write_record(paths.record, record)
        except BaseException:
            await asyncio.shield(self._abandon(own, conmon_pid, conmon))
            raise
        finally:
            os.close(sync)
        self._supervise(own, record).watch(open_process(pid, record.pid_started), conmon)
        return CreatedContainer(id=container, pid=pid, conmon_pid=conmon_pid)

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
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError as error:
            raise Conflict(f"container {container} is not running") from error

    async def pause(self, container: ContainerId) -> None:
        """Freeze all processes of the container."""
        found = self._get(container)
        found.alive()
        await self._order(found, commands.runtime_pause)
        found.remember(paused=True)

    async def resume(self, container: ContainerId) -> None:
        """Let a frozen container go on."""
        found = self._get(container)
        found.alive()
        await self._order(found, commands.runtime_resume)
        found.remember(paused=False)

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
        output_limit: int = EXEC_OUTPUT,
    ) -> ExecResult:
        """Run another process in the container and wait for its end; past `timeout` seconds it is killed.

        Raises:
            Conflict: the container is not running.
            RuntimeCallFailed: the process could not be started, as its program is not there.
        """
        found = self._get(container)
        found.alive()
        paths = found.own.paths
        process = build_exec_process(_read_spec(paths.config)["process"], given)
        with tempfile.TemporaryDirectory(prefix="exec-", dir=paths.bundle) as directory:
            description, pid_file = Path(directory, "process.json"), Path(directory, "pid")
            write_atomic(description, msgspec.json.encode(process), mode=0o600)
            order = commands.runtime_exec(
                found.own.runtime, container, process=description, pid_file=pid_file
            )
            said = bytearray()
            try:
                async with asyncio.timeout(timeout):
                    ended = await run_quick(
                        order,
                        env=ENVIRONMENT,
                        output_limit=output_limit,
                        said=said,
                        before_kill=lambda runtime: self._kill_started(found, pid_file, runtime),
                    )
            except TimeoutError:
                return ExecResult(code=-1, output=bytes(said), timed_out=True)
            if ended.status != 0 and read_number(pid_file) is None:
                # The words are the runtime's, not the process's: there never was one.
                words = ended.output.decode(errors="replace").strip()
                raise RuntimeCallFailed(f"OCI runtime exec failed: exec failed: {words}")
        return ExecResult(code=ended.status, output=ended.output)

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
        process = build_exec_process(_read_spec(found.own.paths.config)["process"], given)
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
        self._forget(found)
        remove_transient(found.own.paths)
        self._cgroups.remove(found.own.cgroup)

    async def adopt(self, container: ContainerId, paths: BundlePaths) -> Adopted:
        """Find out, after a restart of the daemon, what has become of a container, and watch it again if it lives."""
        if container in self._containers:
            raise Conflict(f"container {container} is watched already")
        record = read_record(paths.record)
        if record is None:
            await self._discard_unrecorded(container, paths)
            return Gone()
        own = Belongings(
            id=container,
            paths=paths,
            runtime=self._runtime_of(record),
            cgroup=_cgroup_of(_read_spec(paths.config)),
        )
        pidfd = open_process(record.pid, record.pid_started)
        conmon = open_process(record.conmon_pid, record.conmon_started)
        if pidfd is None and conmon is None and not paths.exit_file.exists():
            await self._discard(own)
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

    async def _created(
        self, sync: int, conmon: int, spec: Mapping[str, Any], paths: BundlePaths
    ) -> int:
        line = bytearray()
        while not line.endswith(b"\n") and len(line) < _MESSAGE_LIMIT:
            await readable(sync)
            chunk = os.read(sync, 4096)
            if not chunk:
                break
            line += chunk
        args: list[str] = spec["process"]["args"]
        if not line:
            await readable(conmon)
            raise explain_create_failure(_text(paths.conmon_log), args)
        pid, said = commands.parse_sync_message(bytes(line))
        if pid <= 0:
            raise explain_create_failure(said, args)
        return pid

    async def _abandon(self, own: Belongings, conmon_pid: int, conmon: int) -> None:
        """Undo a create that failed or was cancelled, wherever it stood."""
        # A runtime that is still at work would make what was just removed; conmon must not start one meanwhile.
        workers: list[int] = []
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(conmon, signal.SIGSTOP)
            workers = open_children(conmon_pid)
            signal.pidfd_send_signal(conmon, signal.SIGKILL)
        await readable(conmon)
        reap(conmon)
        os.close(conmon)
        for worker in workers:
            await _finish(worker)
        await self._discard(own)

    async def _discard_unrecorded(self, container: ContainerId, paths: BundlePaths) -> None:
        """Remove what an earlier daemon was making when it was killed: its program has never run."""
        pid = read_number(paths.pid_file)
        conmon = open_monitor(pid, container) if pid else None
        cgroup = _cgroup_of(_read_spec(paths.config))
        await self._discard(
            Belongings(id=container, paths=paths, runtime=self.runtime, cgroup=cgroup)
        )
        if conmon is not None:
            await readable(conmon)
            os.close(conmon)
            remove_transient(paths)

    async def _discard(self, own: Belongings) -> None:
        with suppress(RuntimeCallFailed):  # it does not know it: then there is nothing to remove
            await call_runtime(own.runtime, commands.runtime_delete(own.runtime, own.id))
        remove_transient(own.paths)
        if own.cgroup:
            # The runtime kills what it made, and does not wait for its end.
            for pid in self._cgroups.processes(own.cgroup):
                await _end(pid)
            self._cgroups.remove(own.cgroup)

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

    async def _kill_started(self, found: Supervised, pid_file: Path, runtime: int) -> None:
        """Kill what a runtime was told to start in a container, before the runtime itself (a pidfd) is killed.

        A runtime that is killed while it starts a process leaves one behind that nobody knows: so it may finish first.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISHES_WITHIN):
                while read_number(pid_file) is None and not await _ends_within(runtime, _LOOK):
                    pass
        pid = read_number(pid_file)
        if pid is None or pid not in self._cgroups.processes(found.own.cgroup):
            return
        with suppress(ProcessLookupError):
            # It leads a group (runc), or is in that of the runtime we have called (crun): what it has started goes with it.
            os.killpg(os.getpgid(pid), signal.SIGKILL)

    def _runtime_of(self, record: ProcessRecord) -> OciRuntime:
        if record.runtime_root == self.runtime.root:
            return self.runtime
        return OciRuntime(
            name=record.runtime_name,
            path=record.runtime_path,
            root=record.runtime_root,
            version="unknown",
        )

    async def _end(self, found: Supervised) -> None:
        """SIGKILL the container and wait until it has ended."""
        with suppress(Conflict):
            self.kill(found.own.id, signal.SIGKILL)
        if found.record.paused:
            # On cgroup v1 a frozen process takes no signal before it thaws.
            with suppress(RuntimeCallFailed):
                await self._order(found, commands.runtime_resume)
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


def remove_transient(paths: BundlePaths) -> None:
    """Remove the files that appear in a bundle while a container lives."""
    for path in paths.transient():
        path.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _cgroup_of(spec: Mapping[str, Any]) -> str:
    return str(spec.get("linux", {}).get("cgroupsPath", ""))


def _read_spec(config: Path) -> dict[str, Any]:
    try:
        spec: dict[str, Any] = msgspec.json.decode(config.read_bytes())
    except FileNotFoundError:
        return {}
    return spec


async def _end(pid: int) -> None:
    """Kill a process and wait for its end."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    await _finish(process)


async def _ends_within(process: int, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await readable(process)
    except TimeoutError:
        return False
    return True


async def _finish(worker: int) -> None:
    """Wait for the end of a process that is about to end; kill one that does not."""
    try:
        async with asyncio.timeout(_FINISHES_WITHIN):
            await readable(worker)
    except TimeoutError:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        await readable(worker)
    finally:
        os.close(worker)
