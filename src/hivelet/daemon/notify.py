"""sd_notify: telling a service manager that the daemon is ready, stopping, or how it fares.

The protocol is one datagram to the socket that `NOTIFY_SOCKET` names (systemd `sd_notify(3)`).
"""

from __future__ import annotations

import os
import socket


def watchdog_seconds() -> float | None:
    """After how long a silence the service manager gives this process up (`sd_watchdog_enabled(3)`); None for never."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None


def notify(state: str, address: str | None = None) -> bool:
    """Send `state` (such as "READY=1"); False where nobody asked to be told, or the listener has gone."""
    target = address if address is not None else os.environ.get("NOTIFY_SOCKET", "")
    if not target:
        return False
    if target.startswith("@"):
        target = "\0" + target[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), target)
        except OSError:
            return False  # a listener that went away must not keep the daemon from its work
    return True
