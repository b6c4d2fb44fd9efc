"""Starts programs cheaply and waits for them by event, whoever their parent is.

`posix_spawn` does not copy the daemon's page tables, as a fork would, and every end is seen through a pidfd in the event
loop: no thread, no SIGCHLD handler, no polling. Only descriptors named by the caller are inherited.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivelet.errors import System

_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that Python ignores or handles; a child starts with their defaults."""

_CLONE_FS = 0x200
_libc = ctypes.CDLL(None, use_errno=True)

OUTPUT_LIMIT = 64 * 1024


class SpawnFailed(System):
    """A program could not be started at all."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit status (128 + signal where one killed it) and what it printed."""

    status: int
    output: bytes


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    fds: Mapping[int, int | str] | None = None,
    own_group: bool = False,
) -> int:
    """Start `argv` and return its pid.

    Args:
        argv: the program (an absolute path) and its arguments.
        env: its whole environment.
        fds: what becomes each of its descriptors: one of ours, or a path to append to. 0, 1, 2 default to /dev/null.
        own_group: whether it leads a process group of its own.
    """
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
    given: dict[int, int | str] = {0: "/dev/null", 1: "/dev/null", 2: "/dev/null", **(fds or {})}
    for target, source in given.items():
        if isinstance(source, int):
            actions.append((os.POSIX_SPAWN_DUP2, source, target))
        else:
            flags = os.O_RDONLY if target == 0 else os.O_WRONLY | os.O_APPEND | os.O_CREAT
            actions.append((os.POSIX_SPAWN_OPEN, target, source, flags, 0o600))
    group: dict[str, Any] = {"setpgroup": 0} if own_group else {}
    try:
        return os.posix_spawn(
            argv[0],
            list(argv),
            dict(env),
            file_actions=actions,
            setsigmask=(),
            setsigdef=_RESET,
            **group,
        )
    except OSError as error:
        raise SpawnFailed(f"{argv[0]} could not be started: {error.strerror}") from error


def spawn_in(
    directory: Path,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    fds: Mapping[int, int | str] | None = None,
) -> int:
    """As `spawn`, with `directory` as the program's working directory.

    `posix_spawn` cannot change it, and changing ours would be seen by every thread. A thread that has left the others'
    view of the file system (CLONE_FS) can change its own.
    """

    def from_there() -> int:
        if _libc.unshare(_CLONE_FS) != 0:
            raise SpawnFailed(f"{argv[0]} could not be started: {os.strerror(ctypes.get_errno())}")
        try:
            os.chdir(directory)
        except OSError as error:
            raise SpawnFailed(
                f"{argv[0]} could not be started in {directory}: {error.strerror}"
            ) from error
        return spawn(argv, env=env, fds=fds)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(from_there).result()


async def readable(descriptor: int) -> None:
    """Return when `descriptor` is readable; for a pidfd, when its process has ended."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def reap(pidfd: int) -> int | None:
    """The exit status of our ended child, or None where it still runs or is no child of ours."""
    try:
        info = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if info is None:
        return None
    return info.si_status if info.si_code == os.CLD_EXITED else 128 + info.si_status


async def run_quick(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: bytes = b"",
    output_limit: int = OUTPUT_LIMIT,
    said: bytearray | None = None,
    before_kill: Callable[[int], Awaitable[None]] | None = None,
) -> Ended:
    """Run a program that ends soon; its output and errors come together, the first `output_limit` bytes of them.

    Cancelled, it kills the program and waits for its end; `said` then still has what it had printed. With `before_kill` the
    program leads a process group of its own, and is killed once that (given its pidfd) has returned.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)
    source = _memory_file(stdin) if stdin else -1
    try:
        fds: dict[int, int | str] = {1: writer, 2: writer}
        if source >= 0:
            fds[0] = source
        pidfd = os.pidfd_open(spawn(argv, env=env, fds=fds, own_group=before_kill is not None))
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
        if source >= 0:
            os.close(source)
    output = _Output(reader, output_limit, bytearray() if said is None else said)
    loop = asyncio.get_running_loop()
    loop.add_reader(reader, output.take, loop)
    try:
        await readable(pidfd)
        output.take(loop)
        status = reap(pidfd)
        return Ended(-1 if status is None else status, bytes(output.text))
    except asyncio.CancelledError:
        if before_kill is not None:
            await before_kill(pidfd)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)  # noqa: ASYNC222 - killed: its end is a matter of moments
        raise
    finally:
        loop.remove_reader(reader)
        os.close(reader)
        os.close(pidfd)


class _Output:
    """Reads a pipe as it fills, so that its writer never blocks; keeps the beginning."""

    def __init__(self, reader: int, limit: int, text: bytearray) -> None:
        self._reader = reader
        self._limit = limit
        self.text = text

    def take(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take what is there now."""
        while True:
            try:
                chunk = os.read(self._reader, 65536)
            except BlockingIOError:
                return
            if not chunk:
                loop.remove_reader(self._reader)
                return
            self.text += chunk[: max(0, self._limit - len(self.text))]


def _memory_file(data: bytes) -> int:
    descriptor = os.memfd_create("stdin")
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
