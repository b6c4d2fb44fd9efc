"""What is no HTTP: the codes are those that Docker Engine 20.10 gives to the same bytes, unless a comment says otherwise."""

from __future__ import annotations

import asyncio
import json

import pytest

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n"
CREATE = b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"

MALFORMED = {
    "bad request line": (b"GARBAGE\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n", 400),
    "version 9": (b"GET /_ping HTTP/9.9\r\nHost: d\r\n\r\n", 505),
    "no version": (b"GET /_ping\r\n\r\n", 400),
    "bad method": (b"G@T /_ping HTTP/1.1\r\nHost: d\r\n\r\n", 400),
    "no colon": (PING + b"nocolon\r\n\r\n", 400),
    "bad name": (PING + b"X Y: 1\r\n\r\n", 400),
    "bad value": (PING + b"X: a\x01b\r\n\r\n", 400),
    "NUL": (PING + b"X: a\0b\r\n\r\n", 400),
    "no host": (b"GET /_ping HTTP/1.1\r\n\r\n", 400),
    "two hosts": (PING + b"Host: e\r\n\r\n", 400),
    "bad length": (CREATE + b"Content-Length: x\r\n\r\n", 400),
    "negative length": (CREATE + b"Content-Length: -1\r\n\r\n", 400),
    "two lengths": (CREATE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    "unknown encoding": (CREATE + b"Transfer-Encoding: foo\r\n\r\n", 501),
    # Docker fails with 500 here, and takes the next for good, which is how requests are smuggled.
    "bad chunk": (CREATE + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", 400),
    "length and encoding": (
        CREATE + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    "large header": (PING + b"X: " + b"a" * (2 << 20) + b"\r\n\r\n", 431),
    "large line": (b"GET /_ping?" + b"a" * (2 << 20) + b" HTTP/1.1\r\nHost: d\r\n\r\n", 431),
    # Docker bounds their size together alone.
    "many headers": (PING + b"".join(b"X%d: 1\r\n" % n for n in range(200)) + b"\r\n", 431),
    "bad escape": (b"GET /containers/%zz/json HTTP/1.1\r\nHost: d\r\n\r\n", 400),
    "bad escape in the query": (
        b"GET /containers/json?all=%zz HTTP/1.1\r\nHost: d\r\n\r\n",
        400,
    ),
    "half an escape": (b"GET /containers/json?all=%2 HTTP/1.1\r\nHost: d\r\n\r\n", 400),
    "no port": (b"GET http://x:y/_ping HTTP/1.1\r\nHost: d\r\n\r\n", 400),
    "no path": (b"GET _ping HTTP/1.1\r\nHost: d\r\n\r\n", 400),
    "a space": (b"GET /a b HTTP/1.1\r\nHost: d\r\n\r\n", 400),
    # Docker answers 200 without a body, and sends tunnels elsewhere.
    "star": (b"OPTIONS * HTTP/1.1\r\nHost: d\r\n\r\n", 404),
    "tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: d\r\n\r\n", 404),
}


@pytest.mark.parametrize(("raw", "code"), MALFORMED.values(), ids=MALFORMED)
async def test_malformed_http_has_dockers_code_and_a_message(api, capsys, raw, code):
    reader, writer = await asyncio.open_unix_connection(api.socket)
    async with asyncio.timeout(20):
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
    writer.close()
    assert int(head.split()[1]) == code, (head, body)
    assert b"Content-Type: application/json" in head
    assert list(json.loads(body)) == ["message"]
    assert len(body) < 300
    assert b"aaaa" not in body
    assert await api.get("/_ping") == b"OK"
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", ["/containers/json?filters=%7B%7D", "/images/json?filters={}", "/containers/a%2Fb/json"]
)
async def test_what_is_escaped_rightly_is_read(api, path):
    status, _ = await api.ask("GET", path)
    assert status in {200, 404}
