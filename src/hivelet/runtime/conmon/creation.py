"""Starts a conmon that makes a container, and waits for what it says: the container's first process, or why there is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivelet.kit.failpoints import point
from hivelet.runtime import commands
from hivelet.runtime.commands import BundlePaths, OciRuntime
from hivelet.runtime.conmon.leftovers import remove_transient
from hivelet.runtime.failures import OTHER, CreateFailed, explain_create_failure
from hivelet.runtime.host import SEARCH_PATH
from hivelet.runtime.processes import ProcessRecord, boot_id, start_time, write_record
from hivelet.runtime.spawn import readable, spawn_in

_MESSAGE_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Monitor:
    """A conmon that is making a container: its pid, its pidfd, and the pipe on which it will speak."""

    pid: int
    pidfd: int
    sync: int


def spawn_monitor(argv: list[str], paths: BundlePaths) -> Monitor:
    """Start the conmon of a container. A failure leaves nothing behind."""
    sync, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        point("conmon.start")
        # In the bundle, as conmon also writes files to where it is.
        pid = spawn_in(
            paths.bundle,
            argv,
            env=commands.conmon_environment(SEARCH_PATH),
            fds={2: str(paths.conmon_log), commands.SYNC_FD: theirs},
        )
        monitor = Monitor(pid, os.pidfd_open(pid), sync)
        point("conmon.started")
        return monitor
    except BaseException:
        os.close(sync)
        remove_transient(paths)
        raise
    finally:
        os.close(theirs)


async def record_created(
    monitor: Monitor, runtime: OciRuntime, spec: Mapping[str, Any], paths: BundlePaths
) -> ProcessRecord:
    """Wait for the container, and write down what belongs to it before its program starts.

    Raises:
        CreateFailed: the runtime refused, with Docker's words and exit code; or nothing came of it in time.
    """
    try:
        async with asyncio.timeout(runtime.patience):
            pid = await _created(monitor, spec, paths)
    except TimeoutError as error:
        raise CreateFailed(
            f"failed to create task for container: {runtime.name} has not made the container within "
            f"{runtime.patience:g} s and was killed",
            OTHER,
        ) from error
    point("conmon.created")
    record = ProcessRecord(
        boot=boot_id(),
        pid=pid,
        pid_started=start_time(pid) or 0,
        conmon_pid=monitor.pid,
        conmon_started=start_time(monitor.pid) or 0,
        runtime_name=runtime.name,
        runtime_path=runtime.path,
        runtime_root=runtime.root,
    )
    write_record(paths.record, record)
    point("conmon.recorded")
    return record


async def _created(monitor: Monitor, spec: Mapping[str, Any], paths: BundlePaths) -> int:
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < _MESSAGE_LIMIT:
        await readable(monitor.sync)
        chunk = os.read(monitor.sync, 4096)
        if not chunk:
            break
        line += chunk
    args: list[str] = spec["process"]["args"]
    if not line:
        await readable(monitor.pidfd)
        raise explain_create_failure(_text(paths.conmon_log), args)
    pid, said = commands.parse_sync_message(bytes(line))
    if pid <= 0:
        raise explain_create_failure(said, args)
    return pid


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
