"""A TLS socket whose input and output end apart: what Python's own cannot do, and `exec -i` with a pipe needs.

The end of our output is a close_notify, after which the other side may go on for as long as it likes. TLS is done in memory: the
library looks into what has come when it sends the end, and would lose data that is on its way.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK = 65536


class TlsSocket(socket.socket):
    """A connected socket with TLS around what it carries. It takes the other socket's place."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, name: str) -> None:
        """Shake hands.

        Raises:
            OSError: the two sides do not trust each other, or the connection ended.
        """
        timeout = plain.gettimeout()
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self.settimeout(timeout)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._early = b""
        try:
            self._carry(self._tls.do_handshake)
        except BaseException:
            self.close()
            raise

    def pending(self) -> int:
        """How many bytes can be received without waiting for the network."""
        if not self._early:
            self._early = self._decrypted()
        return len(self._early)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """What has come, at least one byte; nothing at the end."""
        if not self._early:
            try:
                return self._carry(lambda: self._tls.read(size))
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
        found, self._early = self._early[:size], self._early[size:]
        return found

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0, /) -> int:
        """The same into a buffer."""
        with memoryview(buffer).cast("B") as view:
            found = self.recv(size or len(view))
            view[: len(found)] = found
        return len(found)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send it all."""
        with memoryview(data).cast("B") as view:
            for start in range(0, len(view), _CHUNK):
                piece = view[start : start + _CHUNK]
                self._carry(partial(self._tls.write, piece))

    def end_output(self) -> None:
        """Send no more, and go on receiving."""
        while more := self._decrypted():
            self._early += more
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            # Sent; the other side's own end is not here yet, and not waited for.
            self._flush()
            return
        self._flush()

    def _decrypted(self) -> bytes:
        """What has come and was not handed out."""
        try:
            return self._tls.read(_CHUNK)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def _carry(self, step: Callable[[], T]) -> T:
        """Do `step` of the protocol, with all that must be sent and received for it."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                # What is wrong is told to the other side.
                self._flush()
                raise
            else:
                self._flush()
                return result
            if data := super().recv(_CHUNK):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            super().sendall(self._outgoing.read())
