"""TLS at the API's edge and in our client: each direction has its own end, in every version of TLS that is spoken."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hivelet.api.tls_front import TlsFront
from hivelet.client.tls import TlsSocket

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
BIG = bytes(range(256)) * 20_000

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own authority, with its key in the same file: both sides show it."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    names = ["-subj", "/CN=hive", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    out = ["-nodes", "-keyout", path, "-out", path.with_name("certificate.pem")]
    subprocess.run([*words, *names, *out], check=True, capture_output=True)
    with path.open("a") as both:
        both.write(path.with_name("certificate.pem").read_text())
    return path


def context(certificate: Path, side: int, version: ssl.TLSVersion) -> ssl.SSLContext:
    made = ssl.SSLContext(side)
    made.load_cert_chain(certificate)
    made.load_verify_locations(certificate)
    made.verify_mode = ssl.CERT_REQUIRED
    made.minimum_version = made.maximum_version = version
    return made


@asynccontextmanager
async def served(
    talk: Talk, certificate: Path, version: ssl.TLSVersion = VERSIONS[-1]
) -> AsyncIterator[Callable[[], TlsSocket]]:
    """A server that talks so, behind TLS; what is yielded connects to it (and blocks)."""

    def server() -> asyncio.Protocol:
        reader = asyncio.StreamReader()
        return asyncio.StreamReaderProtocol(reader, talk)

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    address = listener.getsockname()
    front = TlsFront(context(certificate, ssl.PROTOCOL_TLS_SERVER, version), server)
    await front.listen(listener)

    def connect() -> TlsSocket:
        plain = socket.create_connection(address, timeout=20)
        return TlsSocket(plain, context(certificate, ssl.PROTOCOL_TLS_CLIENT, version), "127.0.0.1")

    try:
        yield connect
    finally:
        await front.close()


def read_all(connection: TlsSocket) -> bytes:
    found = bytearray()
    while data := connection.recv(100_000):
        found += data
    return bytes(found)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_said_after_the_end_of_the_input_arrives(
    certificate: Path, version: ssl.TLSVersion
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"early")
        await writer.drain()
        everything = await reader.read()
        writer.write(everything + b"late")
        await writer.drain()
        writer.close()

    def client() -> bytes:
        with connect() as connection:
            connection.sendall(BIG)
            connection.end_output()
            return read_all(connection)

    async with served(talk, certificate, version) as connect:
        assert await asyncio.to_thread(client) == b"early" + BIG + b"late"


@pytest.mark.parametrize("version", VERSIONS)
async def test_data_that_meets_the_end_of_the_output_is_not_lost(
    certificate: Path, version: ssl.TLSVersion
) -> None:
    """The end of our output is told while the other side's data is there, read by nobody."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BIG[:50_000])
        assert await reader.read() == b"x"
        writer.write(b"late")
        writer.close()

    def client() -> bytes:
        with connect() as connection:
            connection.sendall(b"x")
            first = connection.recv(1)
            connection.end_output()
            return first + read_all(connection)

    async with served(talk, certificate, version) as connect:
        assert await asyncio.to_thread(client) == BIG[:50_000] + b"late"


async def test_python_s_own_client_reads_to_the_end(certificate: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(3)
        writer.write(asked and asked + BIG)
        writer.close()

    async with served(talk, certificate) as connect:
        address = await asyncio.to_thread(ended_peer, connect)
        reader, writer = await asyncio.open_connection(
            *address, ssl=context(certificate, ssl.PROTOCOL_TLS_CLIENT, VERSIONS[-1])
        )
        writer.write(b"abc")
        assert await reader.read() == b"abc" + BIG
        writer.close()


def ended_peer(connect: Callable[[], TlsSocket]) -> tuple[str, int]:
    """Where connections lead, once the server has ended one."""
    with connect() as connection:
        connection.end_output()
        found: tuple[str, int] = connection.getpeername()
        assert read_all(connection) == b""
        return found


@pytest.mark.parametrize("polite", [True, False], ids=["after its end", "without a word"])
async def test_a_client_that_leaves_ends_what_it_was_told(certificate: Path, polite: bool) -> None:
    left = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"tick")
                await writer.drain()
                await reader.read(1)
        except OSError:
            left.set()
        finally:
            writer.close()

    def client() -> None:
        with connect() as connection:
            connection.recv(4)
            if polite:
                connection.end_output()

    async with served(talk, certificate) as connect:
        await asyncio.to_thread(client)
        async with asyncio.timeout(20):
            await left.wait()


async def test_who_has_no_certificate_reaches_nobody(certificate: Path) -> None:
    reached = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    def stranger(address: tuple[str, int]) -> None:
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nobody.load_verify_locations(certificate)
        with socket.create_connection(address, timeout=20) as plain:
            connection = TlsSocket(plain, nobody, "127.0.0.1")
            with connection:
                connection.recv(1)

    def plain(address: tuple[str, int]) -> bytes:
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return connection.recv(7)

    async with served(talk, certificate) as connect:
        address = await asyncio.to_thread(ended_peer, connect)
        reached.clear()
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            await asyncio.to_thread(stranger, address)
        assert not (await asyncio.to_thread(plain, address)).startswith(b"HTTP")
        assert not reached.is_set()
