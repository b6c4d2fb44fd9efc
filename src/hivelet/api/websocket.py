"""A client at the other end of a web socket, as a stream of bytes."""

from __future__ import annotations

from aiohttp import WSMsgType, web

from hivelet.api.call import Call
from hivelet.errors import InvalidParameter


class WebSocket:
    """`prepare` before use."""

    def __init__(self, call: Call) -> None:
        self._request = call.request
        self._socket = web.WebSocketResponse()

    async def prepare(self) -> None:
        """Shake hands.

        Raises:
            InvalidParameter: the request asks for no web socket.
        """
        if not self._socket.can_prepare(self._request).ok:
            raise InvalidParameter("a web socket is attached to by a web socket's handshake")
        await self._socket.prepare(self._request)

    async def read(self) -> bytes:
        """What the client sends; empty at its end."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY and message.data:
                return bytes(message.data)
            if message.type is WSMsgType.TEXT and message.data:
                return str(message.data).encode()
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return b""

    async def send(self, data: bytes) -> None:
        """Send, and wait until the client keeps up."""
        await self._socket.send_bytes(data)

    async def close(self) -> web.StreamResponse:
        """Say goodbye."""
        await self._socket.close()
        return self._socket
