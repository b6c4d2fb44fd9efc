"""Takes a connection over from the HTTP server: for attach and exec, which talk raw bytes both ways.

What always holds: once the client is gone, whatever the taken connection feeds or is fed by is cancelled; a client that
merely closes its half is told apart from one that is gone, where the socket knows (unix sockets do, and `tls_front` has one too).
"""

from __future__ import annotations

import asyncio
import fcntl
import select
import socket
import sys
import termios
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from hivelet.api.call import Call
from hivelet.api.errors import ClientGone

_READ = 1 << 16

_HEAD_PATIENCE = 0.5
"""Seconds that a client gets to read an answer's head before what follows is sent all the same."""

_LOOK = 0.0005
"""Seconds between looks whether it has."""


class Taken(web.StreamResponse):
    """The answer of a request whose connection was taken: there is nothing more to send."""

    async def prepare(self, request: Any) -> AbstractStreamWriter | None:
        """Nothing: the head was sent already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing."""


class Hijacked:
    """A raw connection to a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """What the client sends; empty at its end."""
        try:
            return await self._reader.read(_READ)
        except ConnectionError:
            return b""

    async def send(self, data: bytes) -> None:
        """Send, and wait until the client keeps up.

        Raises:
            ConnectionError: it is gone.
        """
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """Send what is left and close."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class _Protocol(asyncio.StreamReaderProtocol):
    """Reads the raw stream; tells the HTTP server, whose connection it was, of its end."""

    def __init__(self, reader: asyncio.StreamReader, before: asyncio.BaseProtocol) -> None:
        super().__init__(reader, loop=asyncio.get_running_loop())
        self._before = before
        self._watch: select.epoll | None = None

    def watch(self, transport: asyncio.Transport) -> None:
        """End the connection when the client is gone for good, which is no more than an end of input to a reader."""
        peer = transport.get_extra_info("socket")
        if peer is None or peer.family != socket.AF_UNIX:
            return
        self._watch = select.epoll()
        # Hang-ups are always reported: when both directions are closed, not when only one is.
        self._watch.register(peer.fileno(), 0)
        asyncio.get_running_loop().add_reader(self._watch.fileno(), transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever closed."""
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
            self._watch.close()
            self._watch = None
        super().connection_lost(exc)
        self._before.connection_lost(exc)


async def _head_is_read(transport: asyncio.Transport) -> None:
    """Wait, for a moment, until a client on a unix socket has taken the answer's head.

    docker-py reads the head through a buffer, and what follows from the socket beneath it: what came along with the head stays
    in the buffer, and is lost. Such a socket tells how much of what was sent has not been read.
    """
    peer = transport.get_extra_info("socket")
    if peer is None or peer.family != socket.AF_UNIX:
        return
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(_HEAD_PATIENCE):
            while _unread(peer):  # noqa: ASYNC110 - the kernel tells of no such event
                await asyncio.sleep(_LOOK)


def _unread(peer: Any) -> bool:
    return bool(
        int.from_bytes(fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    )


def is_begun(request: web.Request) -> bool:
    """Whether a request's answer is on its way already, or its connection was taken."""
    transport = request.transport
    taken = isinstance(transport, asyncio.Transport) and isinstance(
        transport.get_protocol(), _Protocol
    )
    return taken or request.writer.output_size > 0


async def hijack(call: Call, content_type: str) -> Hijacked:
    """Take the connection and send the answer's head: 101 for clients that ask for an upgrade, else 200.

    Raises:
        ClientGone: the client is gone already.
    """
    request = call.request
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        raise ClientGone("the connection closed in the middle of the request")
    reader = asyncio.StreamReader(limit=_READ)
    protocol = _Protocol(reader, transport.get_protocol())
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    protocol.watch(transport)
    if request.headers.get("Upgrade"):
        head = "HTTP/1.1 101 UPGRADED\r\n"
        more = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    else:
        head, more = "HTTP/1.1 200 OK\r\n", ""
    transport.write(f"{head}Content-Type: {content_type}\r\n{more}\r\n".encode())
    await _head_is_read(transport)
    return Hijacked(
        reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    )
