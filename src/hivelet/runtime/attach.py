"""The standard streams of a process that a conmon holds: read and written through conmon's attach socket.

What always holds: nothing is kept here. Whoever does not read holds up conmon, which holds up the process: that is the
back-pressure. A socket that is closed leaves the process as it is; its end closes the socket from the other side.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from hivelet.errors import Conflict
from hivelet.objects.log import STDERR, STDOUT

_STREAMS = {2: STDOUT, 3: STDERR}
"""How conmon numbers the streams, in the first byte of every message (conmon `utils.h`, `stdpipe_t`)."""

_MESSAGE = 64 * 1024
"""More than conmon puts into one message."""

_WRITE = 8 * 1024
"""Bytes of input in one message: conmon takes up to 32 KiB, and cuts off what is more."""


class Attachment:
    """A connection to one process's streams. `open_attachment` makes it; `close` ends it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.heard = False
        """Whether conmon has said anything."""
        self.unheard: asyncio.Future[list[tuple[int, bytes]]] | None = None
        """Where conmon may end without having accepted this connection: what the process has written until then."""

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What the process writes: the stream's number in Docker's format, and bytes. Ends with the process."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                message = await loop.sock_recv(self._socket, _MESSAGE)
            except ConnectionError:
                message = b""  # it was never accepted, or has input left
            if not message:
                break
            self.heard = True
            stream = _STREAMS.get(message[0])
            if stream is not None and len(message) > 1:
                yield stream, message[1:]
        if not self.heard and self.unheard is not None:
            # Accepted too late, or not at all.
            for piece in await asyncio.shield(self.unheard):
                yield piece

    async def write(self, data: bytes) -> bool:
        """Give the process input; False where it takes none any more."""
        loop = asyncio.get_running_loop()
        try:
            for start in range(0, len(data), _WRITE):
                await loop.sock_sendall(self._socket, data[start : start + _WRITE])
        except OSError:
            return False
        return True

    def close_input(self) -> None:
        """There is no more input."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the process is gone, and its end of the socket with it

    def close(self) -> None:
        """Let go; the process runs on."""
        self._socket.close()


def open_attachment(path: Path) -> Attachment:
    """Connect to conmon's socket at `path`, which may be longer than an address can be.

    Raises:
        Conflict: nobody holds it: the process has ended.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    # Non-blocking from here on: conmon's backlog of ten is never reached, as it accepts at once.
    connection.setblocking(False)
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
    except OSError as error:
        connection.close()
        raise Conflict("its streams can't be attached to: it has ended") from error
    return Attachment(connection)


def resize_terminal(control: Path, height: int, width: int) -> None:
    """Tell the conmon behind a control fifo how large the terminal is now.

    Raises:
        Conflict: nobody reads it: the process has ended.
    """
    try:
        fifo = os.open(control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict("its terminal can't be resized: it has ended") from error
    try:
        os.write(fifo, b"1 %d %d\n" % (height, width))
    finally:
        os.close(fifo)
