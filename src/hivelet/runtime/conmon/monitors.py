"""Ends a conmon that nobody wants any more, and the runtime that it has called.

What always holds: a runtime that is at work may finish first, for some seconds, as one that is killed leaves behind what it
was making; and it is gone, in one way or the other, when `end_monitor` returns.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from hivelet.runtime.processes import open_children, open_descendants
from hivelet.runtime.spawn import readable, reap

FINISHES_WITHIN = 5.0
"""Seconds that a runtime gets to finish what nobody wants any more; it takes milliseconds."""


async def end_monitor(pid: int, pidfd: int, *, wholly: bool = False) -> None:
    """End a conmon, given by pid and by pidfd, which is closed; with `wholly`, whatever it and its runtime have started as well."""
    workers: list[int] = []
    others: list[int] = []
    with suppress(ProcessLookupError):
        # Stopped first: it must not start another runtime meanwhile.
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        workers = open_children(pid)
        others = open_descendants(pid) if wholly else []
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    await readable(pidfd)
    reap(pidfd)
    os.close(pidfd)
    for worker in workers:
        await finish(worker)
    for other in others:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(other, signal.SIGKILL)
        os.close(other)


async def finish(worker: int) -> None:
    """Wait for the end of a process (a pidfd, which is closed) that is about to end; kill one that does not."""
    try:
        async with asyncio.timeout(FINISHES_WITHIN):
            await readable(worker)
    except TimeoutError:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        await readable(worker)
    finally:
        os.close(worker)
