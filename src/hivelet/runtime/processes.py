"""Knows a process again: by pid, start time and boot, so that a pid used anew is never taken for it."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from hivelet.kit.files import write_atomic


class ProcessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The processes of a container. Start times are in clock ticks since boot, as `/proc/PID/stat` counts them.

    The OCI runtime is remembered too: a daemon that prefers another one must not look for this container there.
    """

    boot: str
    runtime_name: str
    runtime_path: str
    runtime_root: str
    pid: int
    pid_started: int
    conmon_pid: int
    conmon_started: int
    started: bool = False
    paused: bool = False

    def replaced(self, *, started: bool | None = None, paused: bool | None = None) -> ProcessRecord:
        """A copy with what has changed."""
        changes = {"started": started, "paused": paused}
        kept = {key: value for key, value in changes.items() if value is not None}
        return msgspec.structs.replace(self, **kept)


def write_record(path: Path, record: ProcessRecord) -> None:
    """Remember the processes of a container, at `path`."""
    write_atomic(path, msgspec.json.encode(record))


def read_record(path: Path) -> ProcessRecord | None:
    """The record at `path`, if there is one of this boot."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=ProcessRecord)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        return None  # half a record cannot be written; this is none of ours
    return record if record.boot == boot_id() else None


@cache
def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot; None where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return parse_start_time(stream.read())
    except (FileNotFoundError, ProcessLookupError):
        return None


def parse_start_time(stat: bytes) -> int:
    """Field 22 of `/proc/PID/stat`. The name (field 2) may hold spaces and brackets, so count from its end."""
    return int(stat[stat.rindex(b")") + 2 :].split()[19])


def open_children(pid: int) -> list[int]:
    """Pidfds of the children of `pid` that see the processes that we see: none of a container's own."""
    here = os.readlink("/proc/self/ns/pid")
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{name}/stat", "rb") as stream:
                parent = parse_parent(stream.read())
            if parent == pid and os.readlink(f"/proc/{name}/ns/pid") == here:
                found.append(os.pidfd_open(int(name)))
    return found


def open_descendants(pid: int) -> list[int]:
    """Pidfds of all that descends from `pid`, whatever namespaces it is in."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with (
            suppress(FileNotFoundError, ProcessLookupError),
            open(f"/proc/{name}/stat", "rb") as stream,
        ):
            children.setdefault(parse_parent(stream.read()), []).append(int(name))
    found: list[int] = []
    coming = children.get(pid, [])
    while coming:
        one = coming.pop()
        coming += children.get(one, [])
        with suppress(ProcessLookupError):
            found.append(os.pidfd_open(one))
    return found


def find_monitor(name: str) -> tuple[int, int] | None:
    """The pid and a pidfd of the conmon that names `name` in its arguments: a look at every process of the machine."""
    for folder in filter(str.isdigit, os.listdir("/proc")):
        try:
            pidfd = os.pidfd_open(int(folder))
        except ProcessLookupError:
            continue
        if _monitors(folder, name):
            return int(folder), pidfd
        os.close(pidfd)
    return None


def _monitors(pid: str, name: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return words[0].endswith(b"conmon") and name.encode() in words


def parse_parent(stat: bytes) -> int:
    """Field 4 of `/proc/PID/stat`."""
    return int(stat[stat.rindex(b")") + 2 :].split()[1])


def open_process(pid: int, started: int) -> int | None:
    """A pidfd of exactly that process, or None where it is gone (another may have its pid by now)."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Asked after opening: while we hold the pidfd, the pid cannot change hands unnoticed.
    if start_time(pid) != started:
        os.close(pidfd)
        return None
    return pidfd
