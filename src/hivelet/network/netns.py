"""The door to network namespaces: make one that outlives us, enter one for a moment, remove it.

A namespace is a file: `nsfs` bind-mounted onto a path, which the container runtime joins. Entering changes only the
calling thread, so `inside` must run in a thread of its own kind (see `hivelet.network.kernel.Kernel`), and that
thread always comes back; a thread that cannot come back ends the process rather than work in a foreign namespace.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.failpoints import point

_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MNT_DETACH = 2
_NSFS_MAGIC = 0x6E736673
_THIS_THREAD = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


class _StatFs(ctypes.Structure):
    _fields_ = (("f_type", ctypes.c_long), ("rest", ctypes.c_byte * 256))


class NamespaceFailed(System):
    """A network namespace could not be made, entered or removed."""


@contextmanager
def new_namespace() -> Iterator[Path]:
    """A new, empty network namespace. The path leads to it from this process alone, and it goes with this block unless it is pinned.

    The calling thread stays where it was.
    """
    home = os.open(_THIS_THREAD, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNET):
            raise _failure("cannot make a network namespace")
        try:
            made = os.open(_THIS_THREAD, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _return_to(home)
    finally:
        os.close(home)
    try:
        yield Path(f"/proc/self/fd/{made}")
    finally:
        os.close(made)


def pin_namespace(namespace: Path, path: Path) -> None:
    """Have the namespace live on at `path`, until it is removed."""
    path.touch(mode=0o444)
    if _libc.mount(os.fsencode(namespace), os.fsencode(path), None, _MS_BIND, None):
        failure = _failure(f"cannot pin the network namespace to {path}")
        path.unlink(missing_ok=True)
        raise failure
    point("namespace.pinned")


@contextmanager
def inside(path: Path) -> Iterator[None]:
    """Let the calling thread work in the namespace at `path`; sockets opened there stay there."""
    home = os.open(_THIS_THREAD, os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _libc.setns(target, _CLONE_NEWNET):
                raise _failure(f"cannot enter the network namespace {path}")
        finally:
            os.close(target)
        try:
            yield
        finally:
            _return_to(home)
    finally:
        os.close(home)


def is_namespace(path: Path) -> bool:
    """Whether a namespace is pinned to `path`; after a reboot only an empty file may be left."""
    answer = _StatFs()
    if _libc.statfs(os.fsencode(path), ctypes.byref(answer)):
        return False
    return int(answer.f_type) == _NSFS_MAGIC


def remove_namespace(path: Path) -> None:
    """Unpin the namespace; the kernel removes it with its links when its last process has ended. Idempotent."""
    if _libc.umount2(os.fsencode(path), _MNT_DETACH):
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOENT):
            raise _failure(f"cannot unpin the network namespace {path}")
    point("namespace.unpinned")
    path.unlink(missing_ok=True)


def _return_to(home: int) -> None:
    if _libc.setns(home, _CLONE_NEWNET):
        os.abort()


def _failure(what: str) -> NamespaceFailed:
    return NamespaceFailed(f"{what}: {os.strerror(ctypes.get_errno())}")
