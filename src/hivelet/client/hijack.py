"""A connection that has ceased to be HTTP: after `exec` and `attach`, bytes go both ways until either side ends.

What the daemon sent together with its answer's head lies in a buffer, and is handed out first. Whoever waits for such a
connection asks `waiting` before `select`: bytes in a buffer, or in TLS, make no descriptor readable.
"""

from __future__ import annotations

import http.client
import socket
from types import TracebackType
from typing import Self

_CHUNK = 65536


class Hijacked:
    """Both directions of one taken-over connection."""

    def __init__(self, sock: socket.socket, response: http.client.HTTPResponse) -> None:
        self._sock = sock
        self._response = response
        self._buffered = _left_in(response, sock)

    def fileno(self) -> int:
        """For `select`."""
        return self._sock.fileno()

    @property
    def waiting(self) -> bool:
        """Whether there is something to receive that `select` does not see."""
        in_tls = getattr(self._sock, "pending", int)
        return bool(self._buffered) or in_tls() > 0

    def receive(self) -> bytes:
        """What has come; nothing at the end. A connection that is cut off has ended."""
        if self._buffered:
            found, self._buffered = self._buffered, b""
            return found
        try:
            return self._sock.recv(_CHUNK)
        except OSError:
            return b""

    def send(self, data: bytes) -> bool:
        """Send it all; False where the other side takes nothing more."""
        try:
            self._sock.sendall(data)
        except OSError:
            return False
        return True

    def end_input(self) -> None:
        """Tell the other side that no more is sent; it may go on sending."""
        end_of_tls = getattr(self._sock, "end_output", None)
        try:
            if end_of_tls is not None:
                end_of_tls()
            else:
                self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        """End it."""
        self._response.close()
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _left_in(response: http.client.HTTPResponse, sock: socket.socket) -> bytes:
    """What was read behind the head."""
    sock.setblocking(False)
    try:
        return bytes(response.fp.peek(_CHUNK)) if response.fp is not None else b""
    except OSError:  # nothing yet
        return b""
    finally:
        sock.setblocking(True)
