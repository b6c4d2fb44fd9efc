"""How a container's end is told: the exit code, what it means, and the last thing the container said. Pure, save `last_words`.

The beginning is Docker's (`task: non-zero exit (1)`), on which scripts match; what follows is for people.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

from hivelet.agent.exec.controller import Exit
from hivelet.objects.container import ContainerState
from hivelet.objects.log import LogOptions, LogRecord
from hivelet.objects.task import Task

LAST_LINES = LogOptions(tail=8)
"""Enough to find a line that says something among empty ones."""

LONGEST_LINE = 200
"""Characters of the last line that are told."""

CHILD_KILLED = "one of its processes was killed for memory before"

_KILLED = 128 + signal.SIGKILL

_SHELL_CODES = {
    126: "its command can't be executed",
    127: "its command, or one that it calls, was not found",
}
"""What shells mean by these codes (POSIX, "Exit Status for Commands")."""


def describe_exit(state: ContainerState, task: Task, words: str = "") -> Exit:
    """The exit of a container that has ended; `words` is the last line it wrote."""
    if state.exit_code == 0 and not state.error:
        # A reason would turn a success into a failure.
        return Exit()
    meaning = state.error or _meaning(state.exit_code)
    if state.oom_killed and state.exit_code == _KILLED:
        meaning = _out_of_memory(task)
    elif state.oom_killed:
        # A child was killed, perhaps long ago; what ended the container is another matter.
        meaning = "; ".join(filter(None, [meaning, CHILD_KILLED]))
    return Exit(code=state.exit_code, reason=": ".join(filter(None, [meaning, words])))


async def last_words(records: AsyncIterator[LogRecord]) -> str:
    """The last line that was written, to whichever of the outputs; "" where nothing was said."""
    last, at = "", 0
    async for record in records:
        line = _printable(record.line)
        if line and record.time_ns >= at:
            last, at = line, record.time_ns
    return last


def _printable(raw: bytes) -> str:
    text = raw.decode(errors="replace").strip()
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= LONGEST_LINE else f"{shown[: LONGEST_LINE - 1]}…"


def _meaning(code: int) -> str:
    if code in _SHELL_CODES:
        return _SHELL_CODES[code]
    try:
        return f"ended by {signal.Signals(code - 128).name}" if code > 128 else ""
    except ValueError:
        return ""


def _out_of_memory(task: Task) -> str:
    resources = task.spec.resources
    limit = resources.limits.memory_bytes if resources and resources.limits else 0
    if limit:
        return f"out of memory (its limit is {limit / 2**20:.4g} MiB)"
    return "out of memory (it has no limit of its own; the machine's memory was used up)"
