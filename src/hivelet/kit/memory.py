"""This process's memory: never in a core dump, since keys and secrets are in it, and given back when it is freed."""

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


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_LARGE = 128 << 10
"""Bytes from which on glibc gives a block pages of its own: its first value, which it would raise with every large block freed."""


def keep_memory_together() -> None:
    """Have the C library give back what is freed, where it is glibc; for a process that lives for a year.

    Left to itself it has a heap for each thread, and larger and larger blocks in them, so that what a burst has taken is kept in holes:
    a third of what the daemon held, and the only thing that grew over a thousand rounds of making and removing.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    for option, value in (
        (_M_ARENA_MAX, 1),
        (_M_MMAP_THRESHOLD, _LARGE),
        (_M_TRIM_THRESHOLD, _LARGE),
    ):
        libc.mallopt(option, value)
