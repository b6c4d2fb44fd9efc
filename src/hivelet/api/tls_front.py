"""TLS in front of the API: what comes by TLS is handed to the server through a pair of sockets, and back.

asyncio's own TLS ends both directions with either, so that the end of an input would be that of the output too. Here each
direction has its own end: a client's close_notify closes the server's input and nothing else, the end of its connection closes
everything, and what the server had to say is on its way before its own end is told.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from hivelet.api.listeners import BACKLOG
from hivelet.kit.supervise import Supervisor

T = TypeVar("T")

_CHUNK = 1 << 16
_HANDSHAKE = 10.0
"""Seconds that a client has to show its certificate."""
_FAREWELL = 2.0
"""Seconds that a client gets to read what it was told last, and to close."""


class TlsFront:
    """Accepts TLS connections and hands each to the server as a plain one."""

    def __init__(
        self,
        context: ssl.SSLContext,
        server: Callable[[], asyncio.Protocol],
        *,
        handshakes: int = 64,
    ) -> None:
        self._context = context
        self._server = server
        self._supervisor = Supervisor("tls")
        self._listening: list[asyncio.Server] = []
        self._strangers: dict[_Client, None] = {}
        self._handshakes = handshakes

    async def listen(self, listener: socket.socket) -> None:
        """Accept what comes here."""
        self._listening.append(
            await asyncio.start_server(self._accept, sock=listener, limit=_CHUNK, backlog=BACKLOG)
        )

    def stop_listening(self) -> None:
        """Accept nothing more; what is there goes on."""
        for server in self._listening:
            server.close()

    async def close(self) -> None:
        """Cut what is there."""
        self.stop_listening()
        await self._supervisor.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A machine that vanishes sends no end: the kernel asks after it.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client = _Client(self._context, reader, writer)
        if len(self._strangers) >= self._handshakes:
            # Whoever reaches the port may come this far: the oldest makes room, so that they keep nobody out.
            next(iter(self._strangers)).cut()
        self._strangers[client] = None
        self._supervisor.spawn("connection", self._serve(client))

    async def _serve(self, client: _Client) -> None:
        try:
            try:
                async with asyncio.timeout(_HANDSHAKE):
                    await client.shake_hands()
            finally:
                self._strangers.pop(client, None)
            await self._join(client)
        except OSError:  # the client is gone, or was never one of ours
            return
        finally:
            client.close()

    async def _join(self, client: _Client) -> None:
        """Carry both ways until the server has ended its side, or the client is gone."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._server, theirs)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_CHUNK)
        inward = asyncio.ensure_future(_carry_in(client, writer))
        outward = asyncio.ensure_future(_carry_out(reader, client))
        try:
            await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
            if outward.done():
                await asyncio.wait({inward}, timeout=_FAREWELL)
        finally:
            for task in (inward, outward):
                task.cancel()
            # What the server has not read by now was sent by somebody who has left.
            writer.transport.abort()
            await asyncio.gather(inward, outward, return_exceptions=True)


class _Client:
    """One client's connection, decrypted."""

    def __init__(
        self,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def shake_hands(self) -> None:
        """Agree on who is who.

        Raises:
            OSError: the client has no certificate of ours, or speaks no TLS.
        """
        await self._carry(self._tls.do_handshake)

    async def read(self) -> bytes:
        """What the client sends; nothing once it has said that there is no more.

        Raises:
            OSError: it is gone.
        """
        try:
            return await self._carry(lambda: self._tls.read(_CHUNK))
        except ssl.SSLZeroReturnError:
            return b""

    async def gone(self) -> None:
        """Return when the client has closed its connection."""
        while await self._reader.read(_CHUNK):
            pass

    async def send(self, data: bytes) -> None:
        """Send, and wait until the client keeps up."""
        self._tls.write(data)
        await self._flush()

    async def end(self) -> None:
        """Tell the client that there is no more."""
        with suppress(
            ssl.SSLError
        ):  # sent; its own end may be outstanding, or data that nobody reads any more
            self._tls.unwrap()
        await self._flush()
        self._writer.write_eof()

    def close(self) -> None:
        """Close, whatever is under way."""
        self._writer.close()

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()

    async def _carry(self, step: Callable[[], T]) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                # What is wrong is told to the client.
                await self._flush()
                raise
            else:
                await self._flush()
                return result
            if data := await self._reader.read(_CHUNK):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()


async def _carry_in(client: _Client, writer: asyncio.StreamWriter) -> None:
    """What the client says, to the server; returns when the client is gone."""
    with suppress(OSError):
        while data := await client.read():
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    with suppress(OSError):
        await client.gone()


async def _carry_out(reader: asyncio.StreamReader, client: _Client) -> None:
    """What the server says, to the client; returns when the server has ended."""
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            await client.send(data)
        await client.end()
