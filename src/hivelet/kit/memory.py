"""What becomes of this process's memory when it crashes: nothing, since keys and secrets are in it."""

from __future__ import annotations

import ctypes

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """Have the kernel write no core dump of this process, whatever the limits are.

    Not by RLIMIT_CORE, which containers would inherit; this ends with `exec`, so that what a container dumps is its own affair.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
