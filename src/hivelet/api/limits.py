"""How much of the daemon one client, or all of them, may take. Pure.

Who may use the API is root on this machine; so these bounds are there against programs that have gone wrong, and for those who
merely reach the TCP port and have no certificate.
"""

from __future__ import annotations

from dataclasses import dataclass

BODY_LIMIT = 8 << 20
"""Bytes that a JSON body may have: a config of 1000 KiB in base64 fits into it with room to spare."""


SMALL_BODY = 64 << 10
"""Bytes of a body that need not wait for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All in one place, and in docs/operations.md."""

    connections: int = 1000
    """At a time, or half of the files that may be open; whoever waits longest without a request makes room for the next."""
    handshakes: int = 64
    """TLS connections that have not shown a certificate yet; the oldest makes room for the next."""
    head: float = 10.0
    """Seconds until a connection's first request line and headers are there."""
    idle: float = 600.0
    """Seconds until the next request's are."""
    body: float = 120.0
    """Seconds that a JSON body may take."""
    bodies: int = 8
    """JSON bodies of more than 64 KiB that are read at a time; the others wait in the kernel, and not in our memory."""
    piece: float = 600.0
    """Seconds between two pieces of an archive: what makes it may have to think first."""
    line: int = 128 << 10
    """Bytes of a request line, and of a header: build arguments and credentials of many registries are such."""
    headers: int = 64
    """Their number."""
