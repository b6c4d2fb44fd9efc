"""A registry that lies. What it lies about is the name of the repository: `docker pull HOST:PORT/LIE:1`.

Also a program of its own, so that it can run outside of a private machine: `python lying_registry.py ADDRESS PORT`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
OTHER = f"sha256:{'0' * 64}"
PIECE = bytes(1 << 16)
ANNOUNCED = 1 << 16
"""Bytes that the layer has, and more than it has where a lie says so."""


def digest(data: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer() -> tuple[bytes, bytes]:
    """A layer with one file that doesn't compress, and what it is unpacked."""
    stream = io.BytesIO()
    noise = b"".join(hashlib.sha256(bytes([n >> 8, n & 255])).digest() for n in range(2048))
    with tarfile.open(fileobj=stream, mode="w") as tar:
        entry = tarfile.TarInfo("noise")
        entry.size = len(noise)
        tar.addfile(entry, io.BytesIO(noise))
    return gzip.compress(stream.getvalue(), mtime=0), stream.getvalue()


PACKED, PLAIN = _layer()
IMAGE = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/noise"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(PLAIN)]},
    }
).encode()


def manifest(**changes: Any) -> dict[str, Any]:
    """The honest manifest, but for these."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(IMAGE), "digest": digest(IMAGE)},
        "layers": [layer()],
        **changes,
    }


def layer(**changes: Any) -> dict[str, Any]:
    """The honest layer's descriptor, but for these."""
    return {"mediaType": LAYER, "size": len(PACKED), "digest": digest(PACKED), **changes}


def config(**changes: Any) -> dict[str, Any]:
    """The honest config's descriptor, but for these."""
    return {"mediaType": CONFIG, "size": len(IMAGE), "digest": digest(IMAGE), **changes}


def index(*manifests: dict[str, Any]) -> dict[str, Any]:
    """A list of manifests for this machine, whatever it is."""
    entries = [
        {**each, "platform": {"architecture": word, "os": "linux"}}
        for each in manifests
        for word in ("amd64", "arm64")
    ]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}


class Answer:
    """One answer, of which everything can be false."""

    def __init__(self, asked: BaseHTTPRequestHandler) -> None:
        self.asked = asked

    def send(self, code: int, body: bytes = b"", kind: str = "", **headers: str) -> None:
        """Head and body; headers written with an underscore."""
        told = {"Content-Length": str(len(body)), **({"Content-Type": kind} if kind else {})}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
        self.asked.wfile.write(f"HTTP/1.1 {code} It is\r\n{lines}\r\n".encode())
        if self.asked.command != "HEAD":
            self.asked.wfile.write(body)

    def endless(self, kind: str) -> None:
        """A body without an end."""
        self.send(200, kind=kind, Content_Length="", Transfer_Encoding="chunked")
        while True:
            self.asked.wfile.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))

    def silent(self) -> None:
        """Nothing more, until the client goes."""
        self.asked.wfile.flush()
        self.asked.connection.recv(1)


def _document(data: Any) -> bytes:
    return data if isinstance(data, bytes) else json.dumps(data).encode()


NESTED = _document(index({"mediaType": INDEX, "size": 10, "digest": OTHER}))
MANY_LAYERS = 15_000

MANIFESTS: dict[str, Any] = {
    "empty": b"",
    "page": b"<html>Please log in</html>",
    "null": None,
    "list": [],
    "deep": b'{"schemaVersion":2,"layers":' + b"[" * 400_000,
    "huge": b'{"schemaVersion":2,"mediaType":"' + b"a" * (200 << 20) + b'"}',
    "many-layers": manifest(layers=[layer()] * MANY_LAYERS),
    "no-layers": manifest(layers=None),
    "odd-layers": manifest(layers=[1, None, "x"]),
    "odd-size": manifest(layers=[layer(size="many")]),
    "negative-size": manifest(layers=[layer(size=-1)]),
    "size-beyond": manifest(layers=[layer(size=1 << 62)]),
    "path-digest": manifest(layers=[layer(digest="sha256:../../../../etc/passwd")]),
    "path-config": manifest(config=config(digest="../../../../etc/passwd")),
    "odd-digest": manifest(layers=[layer(digest="md5:d41d8cd98f00b204e9800998ecf8427e")]),
    "foreign": manifest(
        layers=[layer(mediaType=FOREIGN, digest=OTHER, urls=["file:///etc/shadow"])]
    ),
    "odd-kind": manifest(layers=[layer(mediaType="text/html")]),
    "large-config": manifest(config=config(size=1 << 40)),
    "old": {"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": []},
    "version-9": {"schemaVersion": 9},
    "many-platforms": index(*[{"mediaType": MANIFEST, "size": 1, "digest": OTHER}] * 9_000),
    "no-such-child": index({"mediaType": MANIFEST, "size": 10, "digest": OTHER}),
    "nested": index({"mediaType": INDEX, "size": len(NESTED), "digest": digest(NESTED)}),
    "odd-index": {"schemaVersion": 2, "mediaType": INDEX, "manifests": [1, {"digest": []}]},
    "wrong-diff": manifest(
        config=config(size=len(IMAGE) + 1, digest=digest(IMAGE + b"\n")),
        layers=[layer(), layer()],
    ),
}
"""Documents in a manifest's place."""

BLOBS: dict[str, Callable[[Answer], None]] = {
    "wrong-blob": lambda a: a.send(200, bytes(len(PACKED))),
    "short-blob": lambda a: a.send(200, PACKED[:100]),
    "cut-blob": lambda a: a.send(200, PACKED[:100], Content_Length=str(len(PACKED))),
    "long-blob": lambda a: a.send(200, PACKED + bytes(1 << 20)),
    "endless-blob": lambda a: a.endless("application/octet-stream"),
    "silent-blob": lambda a: (
        a.send(200, PACKED[:100], Content_Length=str(len(PACKED))),
        a.silent(),
    )[0],
    "no-blob": lambda a: a.send(404),
    "broken-blob": lambda a: a.send(500, b"<html>" * 1000, "text/html"),
    "blob-of-files": lambda a: a.send(307, Location="file:///etc/passwd"),
    "blob-in-circles": lambda a: a.send(307, Location=a.asked.path),
    "blob-nowhere": lambda a: a.send(307, Location="http://127.0.0.1:9/x"),
    "blob-of-gopher": lambda a: a.send(307, Location="gopher://127.0.0.1:9/x"),
    "blob-without-place": lambda a: a.send(307),
}
"""What is answered where a layer is asked for."""

DOCUMENTS: dict[str, Callable[[Answer], None]] = {
    "endless-manifest": lambda a: a.endless(MANIFEST),
    "silent-manifest": lambda a: a.silent(),
    "wrong-digest": lambda a: a.send(
        200, _document(manifest()), MANIFEST, Docker_Content_Digest=OTHER
    ),
    "manifest-of-files": lambda a: a.send(302, Location="file:///etc/passwd"),
    "manifest-in-circles": lambda a: a.send(302, Location=a.asked.path),
    "cut-manifest": lambda a: a.send(
        200, _document(manifest())[:50], MANIFEST, Content_Length="4000"
    ),
    "no-http": lambda a: a.asked.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "endless-head": lambda a: _endless_head(a),
    "realm-of-files": lambda a: a.send(
        401, WWW_Authenticate='Bearer realm="file:///etc/passwd",service="x"'
    ),
    "realm-in-circles": lambda a: a.send(
        401, WWW_Authenticate=f'Bearer realm="http://{a.asked.headers["Host"]}/v2/",service="x"'
    ),
    "long-error": lambda a: a.send(
        400,
        _document({"errors": [{"code": "DENIED\n", "message": "no\x1b[2J\r\n" * 100_000}]}),
        "application/json",
    ),
}
"""What is answered where a manifest is asked for."""

CONFIGS: dict[str, Callable[[Answer], None]] = {
    "endless-config": lambda a: a.endless(CONFIG),
    "wrong-config": lambda a: a.send(200, IMAGE.replace(b"noise", b"other"), CONFIG),
}
"""What is answered where a config is asked for."""

LIES = (*MANIFESTS, *BLOBS, *DOCUMENTS, *CONFIGS)


def _endless_head(answer: Answer) -> None:
    answer.asked.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        answer.asked.wfile.write(b"X-More: " + b"a" * 60_000 + b"\r\n")


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Everything that a pull asks for."""
        self.close_connection = True
        try:
            self._answer()
        except OSError:
            return  # the client has had enough

    do_HEAD = do_GET

    def _answer(self) -> None:
        words = self.path.strip("/").split("/")
        answer = Answer(self)
        if len(words) < 4:
            return answer.send(200, b"{}", "application/json")
        _, lie, kind, what = words[:4]
        if kind == "manifests":
            if lie in DOCUMENTS:
                return DOCUMENTS[lie](answer)
            if what == digest(NESTED):
                return answer.send(200, NESTED, INDEX)
            body = _document(MANIFESTS.get(lie, manifest()))
            if what in ("1", digest(body)):
                return answer.send(200, body, INDEX if b'"manifests"' in body else MANIFEST)
        if kind == "blobs" and what == digest(IMAGE):
            return CONFIGS[lie](answer) if lie in CONFIGS else answer.send(200, IMAGE)
        if kind == "blobs" and what == digest(IMAGE + b"\n"):
            return answer.send(200, IMAGE + b"\n")
        if kind == "blobs" and what == digest(PACKED):
            return BLOBS[lie](answer) if lie in BLOBS else answer.send(200, PACKED)
        return answer.send(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}', "application/json")

    def log_message(self, *_: object) -> None:
        """Not a word."""


def main(address: str, port: int) -> None:
    """Serve until the end."""
    threading.excepthook = lambda _: None
    with ThreadingHTTPServer((address, port), _Asked) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
