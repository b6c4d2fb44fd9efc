"""Connections that were taken over, and web sockets, with whatever bytes in whatever pieces: nothing fails, nothing stays behind."""

from __future__ import annotations

import asyncio
import base64
import shutil
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from hivelet.api.app import build_app, serve
from hivelet.api.backend.backends import Backends
from hivelet.objects.exec import ExecConfig
from hivelet.testing.clock import ManualClock
from hivelet.testing.engine_backend.engine import FakeEngine
from hivelet.testing.sample import CONTAINERS, MOMENT, make_world

PATIENCE = 20
UPGRADE = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"
JSON = b"Content-Type: application/json\r\nContent-Length: 2\r\n"
ATTACH = f"/containers/{CONTAINERS[0]}/attach"
ALL = "stdin=1&stdout=1&stderr=1&stream=1"
WAYS = ["exec", "old exec", "terminal", "attach", "old attach"]
ENDS = ["half", "close", "abort"]


@dataclass
class Door:
    """The served API, and what the process behind it has got."""

    socket: str
    engine: FakeEngine

    async def head(self, way: str) -> bytes:
        """A request that has the connection taken over."""
        upgrade = b"" if way.startswith("old") else UPGRADE
        if way.endswith("attach"):
            return f"POST {ATTACH}?{ALL} HTTP/1.1\r\nHost: d\r\n".encode() + upgrade + b"\r\n"
        made = await self.engine.create_exec(
            CONTAINERS[0], ExecConfig(cmd=["cat"], attach_stdin=True, tty=way == "terminal")
        )
        start = f"POST /exec/{made}/start HTTP/1.1\r\nHost: d\r\n".encode()
        return start + upgrade + JSON + b"\r\n{}"


@asynccontextmanager
async def door() -> AsyncIterator[Door]:
    """At the end nothing runs any more of what a client has begun."""
    swarm, engine = make_world()
    folder = Path(tempfile.mkdtemp(prefix="hv"))
    app = build_app(
        Backends(swarm=swarm, engine=engine), clock=ManualClock(MOMENT + timedelta(seconds=1))
    )
    server = await serve(app, [f"unix://{folder}/s"])
    before = asyncio.all_tasks()
    try:
        yield Door(f"{folder}/s", engine)
        async with asyncio.timeout(PATIENCE):
            while left := asyncio.all_tasks() - before:
                assert left
                await asyncio.sleep(0)
        # A client that is gone before anything has begun begins nothing.
        assert engine.streams is None or engine.streams.closed
    finally:
        await server.close()
        shutil.rmtree(folder)


async def say(door: Door, first: bytes, pieces: list[bytes], end: str) -> tuple[bytes, bytes]:
    """Send `first`, wait for the answer's head, send the rest and leave; that head, and what came after it."""
    reader, writer = await asyncio.open_unix_connection(door.socket)
    head = after = b""
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(first)
            head = await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if end == "half":
                writer.write_eof()
                after = await reader.read()
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        event(type(error).__name__)
    if end == "abort":
        writer.transport.abort()
    writer.close()
    return head, after


def unframed(stream: bytes) -> bytes:
    """What frames hold."""
    found = b""
    while stream:
        kind, size = struct.unpack(">BxxxL", stream[:8])
        assert kind == 1
        found += stream[8 : 8 + size]
        stream = stream[8 + size :]
    return found


PIECES = st.lists(st.binary(min_size=1, max_size=300), max_size=5)
NEXT_REQUEST = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"


# What comes along with the head of a request is no part of what follows it, as in Docker: clients wait for the answer's head.
@settings(max_examples=150)
@given(
    way=st.sampled_from(WAYS),
    early=st.just(b"") | st.just(NEXT_REQUEST) | st.binary(max_size=200),
    pieces=PIECES,
    end=st.sampled_from(ENDS),
)
@example(way="exec", early=b"early", pieces=[b"late"], end="half")
@example(way="attach", early=NEXT_REQUEST, pieces=[], end="half")
@example(way="old exec", early=NEXT_REQUEST * 30, pieces=[b"x"], end="half")
@example(way="old attach", early=b"\0\xff" * 90, pieces=[b"x"], end="abort")
def test_whatever_is_said_to_a_taken_connection(way, early, pieces, end):
    async def run():
        async with door() as place:
            head, after = await say(place, await place.head(way) + early, pieces, end)
            code = head.split()[1] if head else b""
            if code not in (b"101", b"200"):
                # Without an upgrade, what comes along with the head is the next request, or none.
                assert early
                assert way.startswith("old")
                assert code in (b"", b"400")
                return
            if end == "half" and not early and way != "terminal":
                assert unframed(after) == b"".join(pieces).upper()

    asyncio.run(run())


def frame(opcode: int, data: bytes, *, last: bool = True, masked: bool = True) -> bytes:
    """One of a web socket's frames; the mask is of nothing, so that the bytes stay as they are."""
    mask = 0x80 if masked else 0
    size = len(data)
    if size < 126:
        length = bytes([mask | size])
    elif size < 1 << 16:
        length = bytes([mask | 126]) + struct.pack(">H", size)
    else:
        length = bytes([mask | 127]) + struct.pack(">Q", size)
    return bytes([(0x80 if last else 0) | opcode]) + length + bytes(4 if masked else 0) + data


FRAMES = st.builds(
    frame,
    st.integers(0, 15),
    st.binary(max_size=200),
    last=st.booleans(),
    masked=st.booleans(),
)
ENDLESS = bytes([0x82, 0xFF]) + struct.pack(">Q", 1 << 62) + bytes(4)


@settings(max_examples=150)
@given(pieces=st.lists(FRAMES | st.binary(max_size=40), max_size=8), end=st.sampled_from(ENDS))
@example(pieces=[ENDLESS, b"x" * 200], end="half")
@example(pieces=[frame(1, b"\xff\xfe")], end="half")
@example(pieces=[frame(2, b"a", last=False)] * 8, end="abort")
@example(pieces=[frame(9, b"a" * 120)] * 8, end="close")
@example(pieces=[frame(8, b"\x03")], end="half")
@example(pieces=[b"\xc2\x85\x00\x00\x00\x00abcde"], end="half")
def test_whatever_is_said_to_a_web_socket(pieces, end):
    async def run():
        async with door() as place:
            key = base64.b64encode(bytes(16)).decode()
            first = (
                f"GET {ATTACH}/ws?{ALL} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            ).encode()
            head, _ = await say(place, first, pieces, end)
            assert head.startswith(b"HTTP/1.1 101")

    asyncio.run(run())


@pytest.fixture(autouse=True)
def quiet(capsys):
    """Nothing that a client says is a defect of ours."""
    yield
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "failed" not in said.out + said.err
