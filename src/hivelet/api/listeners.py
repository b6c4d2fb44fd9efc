"""The sockets that the API listens on. Idempotent: a socket file that nobody listens on is replaced."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hivelet.errors import Conflict, HiveletError, InvalidParameter, System

GROUPS = ("hivelet", "docker")
"""Whose members may use the API without being root, in the order of preference."""

BACKLOG = 1024
"""Connections that may wait to be accepted: a client of the Unix socket that does not wait is refused beyond it (unix(7), EAGAIN)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, and whether TLS is spoken on it."""

    socket: socket.socket
    secured: bool


def open_listeners(hosts: Sequence[str], *, group: str | None, secured: bool) -> list[Listener]:
    """Open all hosts, or none of them.

    Raises:
        HiveletError: one of them cannot be opened; the message names it.
    """
    opened: list[Listener] = []
    try:
        opened.extend(_open(host, group, secured) for host in hosts)
    except HiveletError:
        for listener in opened:
            listener.socket.close()
        raise
    return opened


def _open(host: str, group: str | None, secured: bool) -> Listener:
    scheme, _, rest = host.partition("://")
    if scheme == "unix" and rest.startswith("/"):
        return Listener(_open_unix(Path(rest), _group_id(group)), secured=False)
    if scheme == "tcp":
        if not secured:
            raise InvalidParameter(
                f"{host} is refused: whoever reaches the API is root on this machine, so TCP is served only with "
                "TLS certificates of both sides. Use a unix socket, or an SSH tunnel to one."
            )
        return Listener(_open_tcp(host), secured=True)
    raise InvalidParameter(f"{host} is not a host; give unix:///path/to.sock or tcp://address:port")


def _open_unix(path: Path, group: int | None) -> socket.socket:
    _make_way(path.parent)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
        path.chmod(0o660)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise System(f"the API socket {path} cannot be opened: {error}") from error
    finally:
        os.umask(mask)
    listener.setblocking(False)
    return listener


def _make_way(directory: Path) -> None:
    """Have the directory; whoever could write to it could put another socket in the place of ours."""
    mask = os.umask(0o022)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise System(
            f"the directory {directory} of the API socket cannot be made: {error}"
        ) from error
    finally:
        os.umask(mask)


def _remove_stale(path: Path) -> None:
    """Remove a socket file that was left behind; one that answers belongs to somebody."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Conflict(
                f"{path} exists and is not a socket; move it away or choose another host"
            )
    except FileNotFoundError:
        return
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(str(path))
    except OSError:
        path.unlink(missing_ok=True)
        return
    finally:
        probe.close()
    raise Conflict(f"another daemon listens on {path} already; stop it or choose another host")


def _open_tcp(host: str) -> socket.socket:
    parts = urlsplit(host)
    try:
        address, port = parts.hostname or "0.0.0.0", parts.port
    except ValueError as error:
        raise InvalidParameter(f"{host}: {error}") from error
    if port is None:
        raise InvalidParameter(f"{host} has no port; give tcp://address:2376")
    try:
        listener = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
    except OSError as error:
        raise System(f"{host} cannot be listened on: {error}") from error
    listener.setblocking(False)
    return listener


def _group_id(name: str | None) -> int | None:
    for wanted in (name,) if name else GROUPS:
        try:
            return grp.getgrnam(wanted).gr_gid
        except KeyError as error:
            if name:
                raise InvalidParameter(f"there is no group {name}; groupadd {name}") from error
    return None
