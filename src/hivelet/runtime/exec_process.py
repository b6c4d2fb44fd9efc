"""Further processes in a running container, each under a conmon of its own: `docker exec`.

As a container's first process, such a process is in no way tied to this one: it goes on when the daemon ends, and its
conmon with it. Its files are in a directory of its own in the container's bundle, and go with it.

Note the difference to `ConmonRuntime.exec_`, which runs a probe to its end, with a limit, and without conmon.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import Conflict
from hivelet.kit.files import write_atomic
from hivelet.runtime import commands
from hivelet.runtime.attach import Attachment, open_attachment, resize_terminal
from hivelet.runtime.commands import ExecOptions
from hivelet.runtime.conmon.monitors import end_monitor
from hivelet.runtime.failures import CreateFailed, explain_exec_failure
from hivelet.runtime.host import SEARCH_PATH
from hivelet.runtime.logfile import parse_log_line
from hivelet.runtime.spawn import readable, reap, spawn_in
from hivelet.runtime.status import KILLED
from hivelet.runtime.supervised import Belongings, read_number

_MESSAGE_LIMIT = 65536


class ExecProcess:
    """A process that was started in a container. `ended` is its exit code."""

    def __init__(self, pid: int, paths: commands.ExecPaths, attachment: Attachment | None) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.attachment = attachment
        self._paths = paths

    def resize(self, height: int, width: int) -> None:
        """Set the size of its terminal.

        Raises:
            Conflict: it has ended.
        """
        resize_terminal(self._paths.control_fifo, height, width)

    def settle(self, code: int) -> None:
        """It has ended."""
        if not self.ended.done():
            self.ended.set_result(code)


async def start_exec(
    conmon: str,
    own: Belongings,
    directory: Path,
    process: Mapping[str, Any],
    options: ExecOptions,
) -> tuple[ExecProcess, asyncio.Task[None]]:
    """Run a process (an OCI process object) in a container; the task that is returned with it sees it to its end.

    Attached from before its first instruction on, so that no output is lost.

    Raises:
        CreateFailed: it could not be started, with Docker's words and exit code; or nothing came of it in time.
    """
    paths = commands.ExecPaths(directory)
    directory.mkdir()  # noqa: ASYNC240 - in memory, as the bundle is
    try:
        write_atomic(paths.process, msgspec.json.encode(process))
        return await _start(conmon, own, paths, process, options)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


async def _start(
    conmon: str,
    own: Belongings,
    paths: commands.ExecPaths,
    process: Mapping[str, Any],
    options: ExecOptions,
) -> tuple[ExecProcess, asyncio.Task[None]]:
    argv = commands.conmon_exec(conmon, own.runtime, own.id, paths, options)
    pipes = _Pipes.open()
    try:
        monitor = pipes.spawn(paths, argv)
        pidfd = os.pidfd_open(monitor)
    except BaseException:
        pipes.close()
        raise
    try:
        async with asyncio.timeout(own.runtime.patience):
            found = await _started(pidfd, pipes, paths, process, options)
    except BaseException as error:
        await asyncio.shield(asyncio.ensure_future(_abandon(own, paths, monitor, pidfd, pipes)))
        if isinstance(error, Conflict):
            raise CreateFailed("OCI runtime exec failed: conmon ended at once", 126) from error
        if isinstance(error, TimeoutError):
            raise CreateFailed(
                f"OCI runtime exec failed: {own.runtime.name} has not started the process within "
                f"{own.runtime.patience:g} s and was killed",
                126,
            ) from error
        raise
    pipes.settle()
    return found, asyncio.ensure_future(_until_end(found, paths, pidfd, pipes))


async def _started(
    pidfd: int,
    pipes: _Pipes,
    paths: commands.ExecPaths,
    process: Mapping[str, Any],
    options: ExecOptions,
) -> ExecProcess:
    attachment: Attachment | None = None
    try:
        # Conmon waits for a word before it does anything, and where it is attached to for another before it starts.
        os.write(pipes.start, b"\0")
        if options.attach:
            await pipes.read_message(pipes.attach)
            attachment = open_attachment(paths.attach_socket)
            attachment.unheard = asyncio.get_running_loop().create_future()
            os.write(pipes.start, b"\0")
        answer = await pipes.read_message(pipes.sync)
        pid = int(answer.get("data", -1))
        if pid <= 0:
            await readable(pidfd)
            said = str(answer.get("message", "")) or _text(paths.conmon_log)
            raise explain_exec_failure(said, process["args"])
    except BaseException:
        if attachment is not None:
            attachment.close()
        raise
    return ExecProcess(pid, paths, attachment)


async def _until_end(
    found: ExecProcess, paths: commands.ExecPaths, pidfd: int, pipes: _Pipes
) -> None:
    code = KILLED
    try:
        answer = await pipes.read_message(pipes.sync)
        # Without an answer conmon was killed: nobody will know the code.
        code = int(answer.get("exit_code", answer.get("data", KILLED)))
        await readable(pidfd)
    finally:
        if found.attachment is not None and found.attachment.unheard is not None:
            pieces = [] if found.attachment.heard else unheard_output(paths.output)
            found.attachment.unheard.set_result(pieces)
        reap(pidfd)
        os.close(pidfd)
        pipes.close()
        shutil.rmtree(paths.directory, ignore_errors=True)
        found.settle(code)


def unheard_output(log: Path) -> list[tuple[int, bytes]]:
    """All that a process has written, from its conmon's log: each piece with its stream's number in Docker's format.

    Conmon accepts connections in its main loop, which it enters after it has started the runtime, or not at all where on a
    busy machine the process has ended before: then it writes what is left in the pipes to its log and to nobody else.
    """
    try:
        lines = log.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    records = map(parse_log_line, lines)
    by_stream = groupby(filter(None, records), key=lambda record: record.stream)
    return [(stream, b"".join(one.line for one in group)) for stream, group in by_stream]


async def _abandon(
    own: Belongings, paths: commands.ExecPaths, monitor: int, pidfd: int, pipes: _Pipes
) -> None:
    """End what conmon and the runtime have started by now as well: without conmon nobody would see to it."""
    pipes.close()
    await end_monitor(monitor, pidfd, wholly=True)
    pid = read_number(paths.pid_file)
    if pid is not None and own.id in _text(Path(f"/proc/{pid}/cgroup")):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class _Pipes:
    """Our ends of the three pipes by which conmon is talked to."""

    def __init__(self, ours: tuple[int, int, int], theirs: tuple[int, int, int]) -> None:
        self.sync, self.start, self.attach = ours
        self._theirs = theirs
        self._rest: dict[int, bytes] = {}

    @classmethod
    def open(cls) -> _Pipes:
        sync, sync_theirs = os.pipe2(os.O_CLOEXEC)
        start_theirs, start = os.pipe2(os.O_CLOEXEC)
        attach, attach_theirs = os.pipe2(os.O_CLOEXEC)
        return cls((sync, start, attach), (sync_theirs, start_theirs, attach_theirs))

    def spawn(self, paths: commands.ExecPaths, argv: list[str]) -> int:
        sync, start, attach = self._theirs
        try:
            return spawn_in(
                paths.directory,
                argv,
                env=commands.conmon_exec_environment(SEARCH_PATH),
                fds={
                    2: str(paths.conmon_log),
                    commands.SYNC_FD: sync,
                    commands.START_FD: start,
                    commands.ATTACH_FD: attach,
                },
            )
        finally:
            for descriptor in self._theirs:
                os.close(descriptor)

    async def read_message(self, pipe: int) -> dict[str, Any]:
        """The next message, one line of JSON; empty where conmon has nothing more to say."""
        line = bytearray(self._rest.pop(pipe, b""))
        while b"\n" not in line and len(line) < _MESSAGE_LIMIT:
            await readable(pipe)
            chunk = os.read(pipe, 4096)
            if not chunk:
                break
            line += chunk
        head, _, self._rest[pipe] = bytes(line).partition(b"\n")
        if not head:
            return {}
        message: dict[str, Any] = json.loads(head)
        return message

    def settle(self) -> None:
        """It runs: from now on only its end is told."""
        os.close(self.start)
        os.close(self.attach)
        self.start = self.attach = -1

    def close(self) -> None:
        for descriptor in (self.sync, self.start, self.attach):
            if descriptor >= 0:
                os.close(descriptor)
        self.sync = self.start = self.attach = -1


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
