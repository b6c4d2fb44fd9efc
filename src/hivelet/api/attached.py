"""Carries bytes between a client and a process's streams, both ways, until the process ends or the client has left.

Backpressure is the connection's, in both directions: output is read only when what came before is on its way, input
only when the process has taken what came before.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from hivelet.api.backend.containers import AttachedStreams
from hivelet.api.streams import closing
from hivelet.convert.detach_keys import DetachScanner
from hivelet.convert.log import frame

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


class Wire(Protocol):
    """A client's side."""

    async def read(self) -> bytes:
        """What the client sends; empty at its end."""
        ...

    async def send(self, data: bytes) -> None:
        """Send, and wait until the client keeps up; ConnectionError where it is gone."""
        ...


def content_type(version: tuple[int, ...], *, tty: bool) -> str:
    """What a stream is called: older clients know one name only."""
    return MULTIPLEXED if not tty and version >= (1, 42) else RAW


async def carry(wire: Wire, streams: AttachedStreams, *, keys: bytes | None, framed: bool) -> None:
    """Carry until the end. Where the user types `keys`, they leave, and the process goes on.

    `framed` output says of which stream each piece is.
    """
    sending = asyncio.ensure_future(_send(wire, streams, framed=framed))
    typing = asyncio.ensure_future(_type(wire, streams, keys))
    try:
        done, _ = await asyncio.wait({sending, typing}, return_when=asyncio.FIRST_COMPLETED)
        if typing in done and typing.result():
            streams.detached()
            return
        await sending
    except ConnectionError:
        # The client is gone, and no error of ours. The docker CLI sees the detach keys itself and hangs up, so that
        # a lost client can't be told from one who has left: the process goes on for both.
        return
    finally:
        for background in (sending, typing):
            background.cancel()
        await asyncio.gather(sending, typing, return_exceptions=True)


async def _send(wire: Wire, streams: AttachedStreams, *, framed: bool) -> None:
    async with closing(streams.output()) as output:
        async for stream, data in output:
            await wire.send(frame(stream, data) if framed else data)


async def _type(wire: Wire, streams: AttachedStreams, keys: bytes | None) -> bool:
    """Carry input; True where the user has left by the keys."""
    scanner = DetachScanner(keys) if keys else None
    takes = streams.takes_input
    while data := await wire.read():
        left = False
        if scanner is not None:
            data, left = scanner.feed(data)
        if data and takes:
            takes = await streams.write(data)
        if left:
            return True
    if streams.takes_input:
        streams.close_input()
    return False
