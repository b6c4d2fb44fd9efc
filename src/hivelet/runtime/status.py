"""What this package says about a container: that it is made, how it ended, what a new daemon found of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hivelet.objects.common import ContainerId

KILLED = 137
"""The exit code of a program that SIGKILL ended: 128 and the signal's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedContainer:
    """A container whose first process waits for `start`."""

    id: ContainerId
    pid: int
    conmon_pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStatus:
    """How a container ended. `error` is empty unless something went wrong beside the program itself."""

    code: int
    oom_killed: bool
    finished_at: datetime
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Adopted: it lives. `started` is False where the daemon died between create and start."""

    pid: int
    started: bool
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """Adopted: it ended while nobody looked."""

    status: ExitStatus


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing of it is left, as after a reboot; whatever was half made has been removed."""


Adopted = Running | Exited | Gone


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a process that was run in a container ended; `output` is the beginning of what it printed."""

    code: int
    output: bytes
    timed_out: bool = False
