"""What the machine refuses us, in words that name the way out: disks, descriptors, processes and memory that are used up.

A fault of the host is no defect: it is told to whoever asked, once, and nothing of it is a traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from hivelet.errors import HiveletError, System

_WAYS_OUT = {
    errno.ENOSPC: "make space: docker system df shows what takes it",
    errno.EDQUOT: "raise the quota, or make space: docker system df shows what takes it",
    errno.EROFS: "the file system is mounted read-only: look at the kernel's log, and remount it",
    errno.EIO: "the disk has failed: look at the kernel's log",
    errno.EMFILE: "hiveletd has as many files open as it may: raise its limit (LimitNOFILE=)",
    errno.ENFILE: "this machine has as many files open as it may: raise fs.file-max",
    errno.EAGAIN: "no process can be started: raise the limit of processes (TasksMax=, kernel.pid_max)",
    errno.ENOMEM: "there is no memory left: stop something, or give services a limit",
}


def way_out(number: int) -> str:
    """What to do where the machine refuses something with this errno; "" where that is not known."""
    return _WAYS_OUT.get(number, "")


class HostFault(System):
    """The machine refused what was needed; the message says what, and the way out."""


_NO_THREAD = "can't start new thread"


def is_host_fault(error: BaseException) -> bool:
    """Whether the machine refused something for want of it. Python tells of a thread that can't be had in words alone."""
    if isinstance(error, HiveletError):
        return error.__cause__ is not None and is_host_fault(error.__cause__)
    if isinstance(error, RuntimeError):
        return str(error) == _NO_THREAD
    return isinstance(error, OSError) and error.errno in _WAYS_OUT


def describe_fault(error: BaseException) -> str:
    """The error in a sentence, with the way out where there is a known one."""
    if isinstance(error, HiveletError):
        return error.message
    if not isinstance(error, OSError):
        return f"{error}; {_WAYS_OUT[errno.EAGAIN]}"
    what = (error.strerror or str(error)).lower()
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    way = way_out(error.errno or 0)
    return f"{where}{what}" + (f"; {way}" if way else "")


@contextmanager
def host_faults(doing: str = "") -> Iterator[None]:
    """Whatever the machine refuses inside is a `HostFault`, which begins with what was being done.

    Only what a machine refuses for want of something: a file that is missing, or a client that is gone, is another matter.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not is_host_fault(error):
            raise
        raise HostFault(f"{doing}: " * bool(doing) + describe_fault(error)) from error
