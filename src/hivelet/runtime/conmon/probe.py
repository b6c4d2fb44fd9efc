"""A short process in a container, of which only its end and its first words are wanted: a health check.

Note the difference to `hivelet.runtime.exec_process`, whose processes somebody is attached to: here there is no conmon, and
the process is a child of the runtime that we have called.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from hivelet.kit.files import write_atomic
from hivelet.runtime import commands
from hivelet.runtime.conmon.monitors import FINISHES_WITHIN
from hivelet.runtime.conmon.spec import read_spec
from hivelet.runtime.oci import ENVIRONMENT, RuntimeCallFailed
from hivelet.runtime.oci_spec import ExecInput, build_exec_process
from hivelet.runtime.spawn import readable, run_quick
from hivelet.runtime.status import ExecResult
from hivelet.runtime.supervised import Belongings, read_number

OUTPUT_LIMIT = 4096
_LOOK = 0.005
"""Seconds between looks for a file that a runtime is about to write."""


async def run_probe(
    own: Belongings,
    given: ExecInput,
    inside: Callable[[], Collection[int]],
    *,
    timeout: float | None,
    output_limit: int,
) -> ExecResult:
    """Run a process in the container and wait for its end; past `timeout` seconds it is killed.

    `inside` says which processes the container has.

    Raises:
        RuntimeCallFailed: the process could not be started, as its program is not there, or the runtime hangs.
    """
    paths = own.paths
    process = build_exec_process(read_spec(paths.config)["process"], given)
    with tempfile.TemporaryDirectory(prefix="exec-", dir=paths.bundle) as directory:
        description, pid_file = Path(directory, "process.json"), Path(directory, "pid")
        write_atomic(description, msgspec.json.encode(process), mode=0o600)
        order = commands.runtime_exec(own.runtime, own.id, process=description, pid_file=pid_file)
        said = bytearray()
        try:
            async with asyncio.timeout(timeout) as limit, _started_within(pid_file, own, limit):
                ended = await run_quick(
                    order,
                    env=ENVIRONMENT,
                    output_limit=output_limit,
                    said=said,
                    before_kill=lambda runtime: _kill_started(inside, pid_file, runtime),
                )
        except TimeoutError as error:
            if read_number(pid_file) is None:
                raise RuntimeCallFailed(
                    f"OCI runtime exec failed: {own.runtime.name} has not started the process in time and was killed"
                ) from error
            return ExecResult(code=-1, output=bytes(said), timed_out=True)
        if ended.status != 0 and read_number(pid_file) is None:
            # The words are the runtime's, not the process's: there never was one.
            words = ended.output.decode(errors="replace").strip()
            raise RuntimeCallFailed(f"OCI runtime exec failed: exec failed: {words}")
    return ExecResult(code=ended.status, output=ended.output)


@asynccontextmanager
async def _started_within(
    pid_file: Path, own: Belongings, limit: asyncio.Timeout
) -> AsyncIterator[None]:
    """Let `limit` run out where the runtime has not started the process within its patience."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if read_number(pid_file) is None:
            limit.reschedule(loop.time())

    timer = loop.call_later(own.runtime.patience, look)
    try:
        yield
    finally:
        timer.cancel()


async def _kill_started(
    inside: Callable[[], Collection[int]], pid_file: Path, runtime: int
) -> None:
    """Kill what a runtime was told to start in a container, before the runtime itself (a pidfd) is killed.

    A runtime that is killed while it starts a process leaves one behind that nobody knows: so it may finish first.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(FINISHES_WITHIN):
            while read_number(pid_file) is None and not await _ends_within(runtime, _LOOK):
                pass
    pid = read_number(pid_file)
    if pid is None or pid not in inside():
        return
    with suppress(ProcessLookupError):
        # It leads a group (runc), or is in that of the runtime we have called (crun): what it has started goes with it.
        os.killpg(os.getpgid(pid), signal.SIGKILL)


async def _ends_within(process: int, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await readable(process)
    except TimeoutError:
        return False
    return True
