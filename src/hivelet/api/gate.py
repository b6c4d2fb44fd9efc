"""Lets connections in, so many at a time, and sends away those on which no request comes.

Which connections have a request under way is told by whoever answers them; all others are waiting. What always holds: a
connection with a request under way is never cut, however many wait for its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from aiohttp import web

from hivelet.api.limits import Limits

log = structlog.get_logger(__name__)

_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b'{"message":"too many connections at a time, each with a request under way: close some of them"}\n'
)
_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b'{"message":"no request came within the time that a connection has for it"}\n'
)
_SWEEP = 1.0
"""Seconds from one look at those who wait to the next."""


class Visits:
    """Which connections have a request under way, and which have had one."""

    def __init__(self) -> None:
        self.busy: set[Any] = set()
        self.known: set[Any] = set()

    @contextlib.contextmanager
    def request(self, connection: Any) -> Iterator[None]:
        """While this connection's request is answered."""
        self.busy.add(connection)
        self.known.add(connection)
        try:
            yield
        finally:
            self.busy.discard(connection)


class Gate:
    """Makes the server's side of each connection, by `connect`; call it as the server itself is called."""

    def __init__(
        self,
        server: web.Server,
        connect: Callable[[], asyncio.Protocol],
        visits: Visits,
        limits: Limits,
    ) -> None:
        self._server = server
        self._connect = connect
        self._visits = visits
        self._head = limits.head
        self._pause = min(_SWEEP, limits.head / 4)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        unbounded = soft == resource.RLIM_INFINITY
        self._limit = limits.connections if unbounded else min(limits.connections, soft // 2)
        self._since: dict[Any, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._told = False

    def __call__(self) -> asyncio.Protocol:
        """The server's protocol, or one that refuses."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._sweep)
        present = [one for one in self._server.connections if one.transport is not None]
        too_many = len(present) - self._limit + 1
        if too_many > 0:
            waiting = [one for one in present if one not in self._visits.busy][:too_many]
            if not waiting:
                if not self._told:
                    log.warning(
                        "connections are refused: there are too many", connections=len(present)
                    )
                self._told = True
                return _Farewell()
            for one in waiting:
                one.force_close()
        else:
            self._told = False
        return self._connect()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        """Cut who has been here for too long without a first request; forget who has left."""
        loop = asyncio.get_running_loop()
        present = self._server.connections
        self._visits.known.intersection_update(present)
        now = loop.time()
        self._since = {
            one: self._since.get(one, now) for one in present if one not in self._visits.known
        }
        for one, since in self._since.items():
            if now - since >= self._head:
                if one.transport is not None:
                    one.transport.write(_LATE)
                one.force_close()
        self._timer = loop.call_later(self._pause, self._sweep) if present else None


class _Farewell(asyncio.Protocol):
    """Says that there is no room, and closes once it has read what comes: unread, it would undo what was said."""

    _transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        transport.write(_REFUSAL)
        asyncio.get_running_loop().call_later(_SWEEP, transport.close)

    def data_received(self, data: bytes) -> None:
        self._transport.close()
