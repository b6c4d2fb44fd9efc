"""A connection of the API that was taken over, as `docker attach` and `docker exec` have one, without a program around it."""

from __future__ import annotations

import json
import socket

from harness.daemons import Daemon

_PIECE = 1 << 20


class Connection:
    """A connection that was taken over: bytes both ways, framed."""

    def __init__(self, daemon: Daemon, path: str, body: object = None) -> None:
        self.raw = socket.socket(socket.AF_UNIX)
        self.raw.settimeout(60)
        self.raw.connect(str(daemon.socket))
        data = b"" if body is None else json.dumps(body).encode()
        head = ["Host: d", "Upgrade: tcp", "Connection: Upgrade", f"Content-Length: {len(data)}"]
        if data:
            head.append("Content-Type: application/json")
        self.raw.sendall("\r\n".join([f"POST {path} HTTP/1.1", *head, "", ""]).encode() + data)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.raw.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def rest(self) -> bytes:
        """All that comes until the end."""
        found = b""
        while piece := self.raw.recv(_PIECE):
            found += piece
        return found

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()
