"""One hiveletd for each root and for each network: locks that the kernel drops when the process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from hivelet.errors import Conflict


def hold_lock(root: Path) -> int:
    """Take the lock of `root` for the life of this process; the descriptor must stay open.

    Raises:
        Conflict: another hiveletd has it; the message names its process.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o710)
    path = root / "hiveletd.pid"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode().strip() or "unknown"
        os.close(descriptor)
        raise Conflict(
            f"another hiveletd (process {holder}) already uses {root}; stop it, or give this one another --root"
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def hold_network() -> socket.socket:
    """Take this network namespace for the life of this process; the socket must stay open.

    Two daemons would undo each other's rules. An abstract socket's name is unique within a network namespace, which is
    just what is to be locked; nobody ever connects to it.

    Raises:
        Conflict: another hiveletd has it.
    """
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        holder.bind("\0hiveletd")
    except OSError as error:
        holder.close()
        raise Conflict(
            "another hiveletd runs in this network namespace, and two would undo each other's rules: stop it, or start "
            "this one in a network namespace of its own"
        ) from error
    return holder
