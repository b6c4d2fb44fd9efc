"""`hivelet system dial-stdio`: joins the standard streams to the daemon's socket, for a client at the other end of an ssh."""

from __future__ import annotations

import os
import select
import socket
import sys
from contextlib import closing
from dataclasses import replace

from hivelet.cli.session import Session
from hivelet.client.address import DEFAULT_HOST, is_named, resolve_address
from hivelet.client.dial import Dialer
from hivelet.errors import Unavailable

_DOCKER_HOST = "unix:///var/run/docker.sock"
_CHUNK = 65536


def dial_stdio(session: Session) -> None:
    """Copy both ways until the daemon ends the connection, or nobody listens any more.

    Where nobody has said which daemon is meant, a Docker engine's socket will do if hivelet's is not there.

    Raises:
        HiveletError: the daemon cannot be reached.
    """
    asked = session.asked
    if not is_named(asked, session.environment) and not _is_there(DEFAULT_HOST):
        asked = replace(asked, host=_DOCKER_HOST if _is_there(_DOCKER_HOST) else DEFAULT_HOST)
    address = resolve_address(asked, session.environment)
    with closing(Dialer(address)) as dialer:
        try:
            connection = dialer.connect()
        except OSError as error:
            raise Unavailable(f"no daemon answers at {address.url}: {error}") from error
        with closing(connection):
            assert connection.sock is not None
            _join(connection.sock)


def _is_there(url: str) -> bool:
    return os.path.exists(url.removeprefix("unix://"))


def _join(sock: socket.socket) -> None:
    source, target = sys.stdin.fileno(), sys.stdout.fileno()
    watched: list[socket.socket | int] = [sock, source]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if source in ready:
            data = os.read(source, _CHUNK)
            if data:
                sock.sendall(data)
            else:
                watched.remove(source)
                sock.shutdown(socket.SHUT_WR)
        if sock in ready:
            data = sock.recv(_CHUNK)
            if not data:
                return
            while data:
                data = data[os.write(target, data) :]
