import asyncio
import gzip
import shutil
import socket
import tempfile
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hivelet.api.app import build_app, serve
from hivelet.api.backend.backends import Backends
from hivelet.api.limits import Limits
from hivelet.testing.sample import make_world

SMALL = Limits(connections=6, head=0.2, body=0.2, piece=0.2, line=4096, headers=20)
PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
POST = b"POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
LOAD = b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\n"


class Served:
    """The API with these limits, and raw connections to it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self.path)
        self._writers.append(writer)
        writer.write(data)
        return reader, writer

    async def say(self, data: bytes) -> bytes:
        """The whole answer of a connection that is closed after it."""
        reader, _ = await self.connect(data)
        async with asyncio.timeout(20):
            return await reader.read()

    async def ping(self) -> bytes:
        reader, writer = await self.connect(PING)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
        writer.close()
        return head.split(b"\r\n")[0]

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)


@asynccontextmanager
async def served(limits: Limits = SMALL):
    swarm, engine = make_world()
    folder = Path(tempfile.mkdtemp(prefix="hv"))
    server = await serve(
        build_app(Backends(swarm=swarm, engine=engine), limits=limits), [f"unix://{folder}/s"]
    )
    client = Served(f"{folder}/s")
    try:
        yield client
    finally:
        await client.close()
        await server.close()
        shutil.rmtree(folder)


async def test_a_crowd_may_come_at_once():
    """Beyond what may wait to be accepted a client of a Unix socket that does not wait is refused by the kernel."""
    async with served(Limits()) as api:
        with ExitStack() as crowd:
            # All of them between two turns of the loop that would accept them.
            for _ in range(400):
                one = crowd.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                one.connect(api.path)
            assert (await api.ping()).endswith(b"200 OK")


@pytest.mark.parametrize("data", [b"", b"GET /_ping HT", b"GET /_ping HTTP/1.1\r\nHost: d\r\nX-A"])
async def test_who_sends_no_request_is_sent_away(data):
    async with served() as api:
        said = await api.say(data)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"no request came" in said


async def test_who_has_had_a_request_may_wait():
    async with served(replace(SMALL, head=0.1)) as api:
        reader, writer = await api.connect(PING)
        await reader.readuntil(b"\r\n\r\nOK")
        # Until somebody who sends nothing has been sent away, after a look or two at all connections.
        await api.say(b"")
        writer.write(PING)
        assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200 ")


async def test_a_slow_next_request_is_cut_as_well():
    async with served(replace(SMALL, idle=0.2)) as api:
        assert (await api.say(PING + b"GET /_p")).endswith(b"OK")


@pytest.mark.parametrize(
    ("head", "what"),
    [(POST, b"the request body did not come within"), (LOAD, b"nothing of the archive has come")],
    ids=["JSON", "archive"],
)
async def test_a_body_that_does_not_come(head, what):
    async with served() as api:
        reader, _ = await api.connect(head + b"Content-Length: 100\r\n\r\n{")
        async with asyncio.timeout(20):
            said = await reader.readuntil(b"again")
        assert said.startswith(b"HTTP/1.1 408 ")
        assert what in said


async def test_who_waits_makes_room():
    async with served(replace(SMALL, head=20)) as api:
        waiting = [await api.connect() for _ in range(30)]
        for _ in range(3):
            assert await api.ping() == b"HTTP/1.1 200 OK"
        ended = 0
        for reader, _ in waiting[:20]:
            async with asyncio.timeout(20):
                ended += await reader.read() == b""
        assert ended == 20


async def test_who_is_answered_is_not_sent_away():
    async with served() as api:
        streams = [await api.connect(b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n") for _ in range(6)]
        for reader, _ in streams:
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        refused = await api.say(b"")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"too many connections" in refused
        streams[0][1].close()
        async with asyncio.timeout(20):
            while (await api.say(PING.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))[
                :12
            ] != (b"HTTP/1.1 200"):
                pass
        for reader, _ in streams[1:]:
            assert not reader.at_eof()


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: d\r\nX-A: " + b"a" * 5000 + b"\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: d\r\n" + b"A: b\r\n" * 30 + b"\r\n",
        b"\x16\x03\x01 no HTTP at all\r\n\r\n",
    ],
    ids=["path", "header", "headers", "TLS"],
)
async def test_a_head_that_is_too_large_or_none(request_head, capsys):
    async with served() as api:
        said = await api.say(request_head)
        assert said.startswith(b"HTTP/1.")
        assert said.split()[1] in (b"400", b"431")
        assert await api.ping() == b"HTTP/1.1 200 OK"
    assert "Traceback" not in capsys.readouterr().err


async def test_heads_that_docker_s_builds_have():
    """Credentials of thirty registries in one header, build arguments of 100 KiB in one path."""
    async with served(Limits()) as api:
        head = b"GET /_ping?buildargs=" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: d\r\n"
        head += b"X-Registry-Config: " + b"a" * 100_000 + b"\r\nConnection: close\r\n\r\n"
        assert (await api.say(head)).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_would_grow_is_not_unpacked():
    bomb = gzip.compress(b'{"a":"' + b"a" * 20_000_000 + b'"}')
    async with served(replace(SMALL, body=20)) as api:
        reader, _ = await api.connect(
            POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
        )
        async with asyncio.timeout(20):
            said = await reader.readuntil(b"}")
        assert said.startswith(b"HTTP/1.1 400 ")
        assert b"not valid JSON" in said
