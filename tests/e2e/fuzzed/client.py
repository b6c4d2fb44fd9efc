"""One random request over the daemon's socket, with a bound on how long its answer may take to begin and to go on.

An answer that goes on (a log that is followed, events, a hijacked connection) is read for a moment and left; the
daemon has to live with clients that leave.
"""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass

import requests
import schemathesis
from schemathesis import Case
from schemathesis.core.transport import Response

BOUND = 20.0
"""Seconds within which an answer has to begin, on a machine that is shared."""

_MOMENT = 0.1
"""Seconds without a further byte after which an answer that goes on is left."""

_MOST = 4 << 20


@dataclass(frozen=True)
class Answered:
    """What came of a request: the answer, as far as it was read, and whether it had an end."""

    response: Response
    ended: bool
    took: float


class Client:
    """Sends requests, each over a connection of its own, as one may be left in the middle."""

    def __init__(self, host: str) -> None:
        self._path = host.removeprefix("unix://")

    def send(self, case: Case) -> Answered:
        """Send it.

        Raises:
            OSError, http.client.HTTPException: no answer began within the bound, or the connection broke.
        """
        words = case.as_transport_kwargs(base_url="http://hivelet")
        asked = requests.Request(**words).prepare()
        body = asked.body.encode() if isinstance(asked.body, str) else asked.body
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(BOUND)
            sock.connect(self._path)
            connection = http.client.HTTPConnection("hivelet")
            connection.sock = sock
            begun = time.monotonic()
            connection.request(asked.method or "", asked.path_url, body, dict(asked.headers))
            answer = connection.getresponse()
            took = time.monotonic() - begun
            sock.settimeout(BOUND if answer.length is not None else _MOMENT)
            content, ended = _read(answer)
        return Answered(
            Response(
                status_code=answer.status,
                headers={name.lower(): [value] for name, value in answer.getheaders()},
                content=content,
                request=asked,
                elapsed=took,
                verify=False,
            ),
            ended,
            took,
        )


def _read(answer: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """What comes, and whether that was its end: False where it goes on."""
    pieces: list[bytes] = []
    until = time.monotonic() + BOUND
    while time.monotonic() < until and sum(map(len, pieces)) < _MOST:
        try:
            piece = answer.read1(1 << 16)
        except TimeoutError:
            return b"".join(pieces), False
        if not piece:
            return b"".join(pieces), True
        pieces.append(piece)
    return b"".join(pieces), False


@schemathesis.serializer("application/x-tar")
def _as_it_is(_: object, value: object) -> bytes:
    """An archive's bytes, which are mostly none."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
