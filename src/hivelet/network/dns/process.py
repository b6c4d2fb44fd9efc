"""The daemons as processes: known by their command line, found among all, ended and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

NOBODY = 1 << 22
"""A process id that no process can have."""

_ENDS_WITHIN = 2.0


def is_resolver(pid: int, conf: Path) -> bool:
    """Whether that process is the daemon with that configuration."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"-C" in command and os.fsencode(conf) in command


def find_resolvers(home: Path) -> dict[str, int]:
    """All daemons whose configuration lies below `home`, by name: a look at every process of the machine."""
    found: dict[str, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                conf = Path(os.fsdecode(words[2])) if words[1:2] == [b"-C"] else None
                if conf is not None and conf.name == "conf" and conf.parent.parent == home:
                    found[conf.parent.name] = int(folder.name)
    return found


async def end_process(pid: int, *signals: signal.Signals) -> None:
    """End a process by these signals, SIGTERM and then SIGKILL where none is named, and wait for its end.

    A process that is being killed has no command line any more and still has its sockets: whoever starts another one at
    its address waits for it here, by its descriptor.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        for number in signals or (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(descriptor, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDS_WITHIN):
                    await ended.wait()
                return
    except ProcessLookupError:
        return
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
