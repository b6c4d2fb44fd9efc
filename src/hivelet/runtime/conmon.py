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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import Conflict, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.files import write_atomic
from hivelet.objects.common import ContainerId
from hivelet.runtime import commands
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.commands import BundlePaths, CreateOptions, OciRuntime
from hivelet.runtime.failures import CreateFailed, explain_create_failure
from hivelet.runtime.host import SEARCH_PATH
from hivelet.runtime.oci import ENVIRONMENT, RuntimeCallFailed, call_runtime
from hivelet.runtime.oci_spec import ExecInput, build_exec_process
from hivelet.runtime.processes import (
    ProcessRecord,
    boot_id,
    open_monitor,
    open_process,
    read_record,
    start_time,
    write_record,
)
from hivelet.runtime.seccomp_filter import FilterCompiler
from hivelet.runtime.spawn import Ended, readable, reap, run_quick, spawn_in
from hivelet.runtime.status import (
    Adopted,
    CreatedContainer,
    ExecResult,
    Exited,
    ExitStatus,
    Gone,
    Running,
)
from hivelet.runtime.watch import Watch

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

KILLED = 128 + signal.SIGKILL
EXEC_OUTPUT = 4096
_MESSAGE_LIMIT = 65536


@dataclass(slots=True, kw_only=True)
class _Container:
    id: ContainerId
    paths: BundlePaths
    record: ProcessRecord
    runtime: OciRuntime
    cgroup: str
    ended: asyncio.Future[ExitStatus]
    watch: Watch | None = None
    witnessed: bool = True
    """Whether its end has been seen as it came, or found afterwards."""


class ConmonRuntime:
    """The containers of this node. One instance per daemon; every method is for the event loop's thread."""

    def __init__(self, runtime: OciRuntime, conmon: str, cgroups: CgroupTree, clock: Clock) -> None:
        self.runtime = runtime
        self._conmon = conmon
        self._cgroups = cgroups
        self._clock = clock
        self._filters = FilterCompiler()
        self._containers: dict[ContainerId, _Container] = {}

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
        write_atomic(paths.config, msgspec.json.encode(spec))
        argv = commands.conmon_create(self._conmon, self.runtime, container, paths, options)
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
            await asyncio.shield(self._abandon(container, conmon, paths, spec))
            raise
        finally:
            os.close(sync)
        found = _Container(
            id=container,
            paths=paths,
            record=record,
            runtime=self.runtime,
            cgroup=_cgroup_of(spec),
            ended=_new_future(),
        )
        self._watch(found, open_process(record.pid, record.pid_started), conmon)
        return CreatedContainer(id=container, pid=pid, conmon_pid=conmon_pid)

    async def start(self, container: ContainerId) -> None:
        """Let the program of a created container run."""
        found = self._get(container)
        try:
            await call_runtime(found.runtime, commands.runtime_start(found.runtime, container))
        except RuntimeCallFailed as error:
            raise CreateFailed(f"failed to start container: {error.message}", KILLED) from error
        self._remember(found, found.record.replaced(started=True))

    async def wait(self, container: ContainerId) -> ExitStatus:
        """How the container ended, once it has; at once for one that has ended before."""
        return await asyncio.shield(self._get(container).ended)

    def kill(self, container: ContainerId, number: int) -> None:
        """Send signal `number` to the container's first process.

        Raises:
            Conflict: it has ended.
        """
        pidfd = self._alive(container)
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError as error:
            raise Conflict(f"container {container} is not running") from error

    async def pause(self, container: ContainerId) -> None:
        """Freeze all processes of the container."""
        self._alive(container)
        found = self._get(container)
        await call_runtime(found.runtime, commands.runtime_pause(found.runtime, container))
        self._remember(found, found.record.replaced(paused=True))

    async def resume(self, container: ContainerId) -> None:
        """Let a frozen container go on."""
        self._alive(container)
        found = self._get(container)
        await call_runtime(found.runtime, commands.runtime_resume(found.runtime, container))
        self._remember(found, found.record.replaced(paused=False))

    async def update(self, container: ContainerId, resources: Mapping[str, Any]) -> None:
        """Set new limits; `resources` is an OCI `linux.resources` object with what shall change."""
        self._alive(container)
        runtime = self._get(container).runtime
        order = commands.runtime_update(runtime, container)
        await call_runtime(runtime, order, stdin=msgspec.json.encode(resources))

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
        """
        self._alive(container)
        found = self._get(container)
        process = build_exec_process(_read_spec(found.paths.config)["process"], given)
        with tempfile.TemporaryDirectory(prefix="exec-", dir=found.paths.bundle) as directory:
            description, pid_file = Path(directory, "process.json"), Path(directory, "pid")
            write_atomic(description, msgspec.json.encode(process))
            order = commands.runtime_exec(
                found.runtime, container, process=description, pid_file=pid_file
            )
            ended: Ended | None = None
            try:
                async with asyncio.timeout(timeout):
                    ended = await run_quick(order, env=ENVIRONMENT, output_limit=output_limit)
            except TimeoutError:
                return ExecResult(code=-1, output=b"", timed_out=True)
            finally:
                if ended is None:
                    # Only the runtime, which waits for the process, has been killed yet.
                    self._kill_left(found, pid_file)
        return ExecResult(code=ended.status, output=ended.output)

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
        await call_runtime(found.runtime, commands.runtime_delete(found.runtime, container))
        self._forget(found)
        remove_transient(found.paths)
        self._cgroups.remove(found.cgroup)

    async def adopt(self, container: ContainerId, paths: BundlePaths) -> Adopted:
        """Find out, after a restart of the daemon, what has become of a container, and watch it again if it lives."""
        if container in self._containers:
            raise Conflict(f"container {container} is watched already")
        record = read_record(paths.record)
        if record is None:
            await self._discard_unrecorded(container, paths)
            return Gone()
        cgroup = _cgroup_of(_read_spec(paths.config))
        pidfd = open_process(record.pid, record.pid_started)
        conmon = open_process(record.conmon_pid, record.conmon_started)
        found = _Container(
            id=container,
            paths=paths,
            record=record,
            runtime=self._runtime_of(record),
            cgroup=cgroup,
            ended=_new_future(),
        )
        self._watch(found, pidfd, conmon)
        if pidfd is None:
            if conmon is None and not paths.exit_file.exists():
                self._forget(found)
                await self._discard(found.runtime, found.id, paths, cgroup)
                return Gone()
            return Exited(status=await asyncio.shield(found.ended))
        if not record.started and await self._has_started(found):
            self._remember(found, record.replaced(started=True))
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

    async def _abandon(
        self, container: ContainerId, conmon: int, paths: BundlePaths, spec: Mapping[str, Any]
    ) -> None:
        """Undo a create that failed or was cancelled, wherever it stood."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(conmon, signal.SIGKILL)
        await readable(conmon)
        reap(conmon)
        os.close(conmon)
        await self._discard(self.runtime, container, paths, _cgroup_of(spec))

    async def _discard_unrecorded(self, container: ContainerId, paths: BundlePaths) -> None:
        """Remove what an earlier daemon was making when it was killed: its program has never run."""
        pid = _number(paths.pid_file)
        conmon = open_monitor(pid, container) if pid else None
        await self._discard(self.runtime, container, paths, _cgroup_of(_read_spec(paths.config)))
        if conmon is not None:
            await readable(conmon)
            os.close(conmon)
            remove_transient(paths)

    async def _discard(
        self, runtime: OciRuntime, container: ContainerId, paths: BundlePaths, cgroup: str
    ) -> None:
        with suppress(RuntimeCallFailed):  # it does not know it: then there is nothing to remove
            await call_runtime(runtime, commands.runtime_delete(runtime, container))
        remove_transient(paths)
        if cgroup:
            self._cgroups.remove(cgroup)

    async def _has_started(self, found: _Container) -> bool:
        order = commands.runtime_state(found.runtime, found.id)
        state = json.loads(await call_runtime(found.runtime, order))
        return str(state.get("status")) != "created"

    def _kill_left(self, found: _Container, pid_file: Path) -> None:
        pid = _number(pid_file)
        if pid not in self._cgroups.processes(found.cgroup):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _runtime_of(self, record: ProcessRecord) -> OciRuntime:
        if record.runtime_root == self.runtime.root:
            return self.runtime
        return OciRuntime(
            name=record.runtime_name,
            path=record.runtime_path,
            root=record.runtime_root,
            version="unknown",
        )

    async def _end(self, found: _Container) -> None:
        """SIGKILL the container and wait until it has ended."""
        with suppress(Conflict):
            self.kill(found.id, signal.SIGKILL)
        if found.record.paused:
            # On cgroup v1 a frozen process takes no signal before it thaws.
            with suppress(RuntimeCallFailed):
                await call_runtime(found.runtime, commands.runtime_resume(found.runtime, found.id))
        await asyncio.shield(found.ended)

    def _watch(self, found: _Container, pidfd: int | None, conmon: int | None) -> None:
        self._containers[found.id] = found
        found.watch = Watch(pidfd, conmon, lambda: self._ended(found))
        if pidfd is None and conmon is None:
            found.witnessed = False
            self._ended(found)

    def _ended(self, found: _Container) -> None:
        if not found.ended.done():
            found.ended.set_result(self._status(found))

    def _status(self, found: _Container) -> ExitStatus:
        oom_killed = self._cgroups.oom_kills(found.cgroup) > 0
        code = _number(found.paths.exit_file)
        if code is None:
            error = "the exit code is not known: conmon, which watches the container, was killed before it ended"
            return ExitStatus(
                code=KILLED, oom_killed=oom_killed, finished_at=self._clock.now(), error=error
            )
        # The file's time is coarse, and may lie before the start of a program that ends at once.
        seen = found.paths.exit_file.stat().st_mtime
        finished_at = self._clock.now() if found.witnessed else datetime.fromtimestamp(seen, UTC)
        return ExitStatus(code=code, oom_killed=oom_killed, finished_at=finished_at)

    def _remember(self, found: _Container, record: ProcessRecord) -> None:
        found.record = record
        if found.id in self._containers:
            write_record(found.paths.record, record)

    def _forget(self, found: _Container) -> None:
        if found.watch is not None:
            found.watch.close()
        self._containers.pop(found.id, None)

    def _get(self, container: ContainerId) -> _Container:
        try:
            return self._containers[container]
        except KeyError:
            raise NotFound(f"No such container: {container}") from None

    def _alive(self, container: ContainerId) -> int:
        found = self._get(container)
        pidfd = found.watch.pidfd if found.watch is not None else None
        if pidfd is None:
            raise Conflict(f"container {container} is not running")
        return pidfd


def remove_transient(paths: BundlePaths) -> None:
    """Remove the files that appear in a bundle while a container lives."""
    for path in paths.transient():
        path.unlink(missing_ok=True)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


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


def _new_future() -> asyncio.Future[ExitStatus]:
    return asyncio.get_running_loop().create_future()
