"""Which connections of a sandbox somebody may be waiting on. Pure.

Only connections that came *in* matter, those to a port that somebody in the sandbox listens on: what a task opened itself (to
a database, to a broker) is its own to close, and a connection within the sandbox (a health check) is nobody's request.
They are seen whichever way they came: by a VIP, by a published port, or straight to the task's address.

A connection is *busy* while a request may be in flight on it: while bytes wait in either direction, for a short time
after anything was said, and for as long as the client was the last to speak. Otherwise it is idle, as a kept-alive one between two
requests is. The kernel's clock ticks 100 to 1000 times a second; where both have spoken in one tick, other signs
decide (see `_answered`), and failing these a longer silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

_UNCLEAR = 5
"""How many times longer the silence must be where nobody can tell who spoke last."""

_DELAYED_ACK = 500
"""Milliseconds within which a client acknowledges an answer; what it says later may be a keep-alive probe."""


class State(IntEnum):
    """The states of TCP that matter here, by the kernel's numbers (`include/net/tcp_states.h`)."""

    ESTABLISHED = 1
    SYN_RECV = 3
    FIN_WAIT1 = 4
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


_CLOSED_HERE = (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING)
_CLOSED_THERE = (State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """A TCP socket as the server's kernel sees it. Times are milliseconds before now."""

    state: State
    local_port: int
    local: bytes = b""
    peer: bytes = b""
    unread: int = 0
    unsent: int = 0
    """Bytes that the client has not acknowledged, sent or not."""
    since_sent: int = 0
    since_received: int = 0
    since_heard: int = 0
    """Since the client last said anything, be it a bare acknowledgement."""
    parts_sent: int = 0
    """Segments with data."""
    parts_received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How many connections a task has, by what they are doing."""

    busy: int = 0
    idle: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.busy + self.idle


def count_traffic(sockets: Iterable[TcpSocket], idle_after: float) -> Traffic:
    """The incoming connections of a sandbox; idle are those silent for so many seconds on which nobody waits."""
    found = list(select_incoming(sockets))
    busy = sum(is_busy(each, idle_after) for each in found)
    return Traffic(busy=busy, idle=len(found) - busy)


def select_incoming(sockets: Iterable[TcpSocket]) -> list[TcpSocket]:
    """The connections that came from outside to a port that is listened on."""
    found = list(sockets)
    ports = {each.local_port for each in found if each.state is State.LISTEN}
    return [
        each
        for each in found
        if each.state is not State.LISTEN
        and each.local_port in ports
        and each.peer != each.local
        and not _is_loopback(each.peer)
    ]


def is_busy(connection: TcpSocket, idle_after: float) -> bool:
    """Whether a request may be in flight."""
    # The end of a stream takes a place in it like a byte, on each side.
    unsent = connection.unsent - (connection.state in _CLOSED_HERE)
    unread = connection.unread - (connection.state in _CLOSED_THERE)
    if connection.state is State.SYN_RECV or unsent > 0 or unread > 0:
        return True
    if connection.state in _CLOSED_HERE:
        return False
    silence = min(connection.since_sent, connection.since_received) / 1000
    if silence < idle_after:
        return True
    if not connection.parts_received:
        return False  # connected in advance, or spoken to by the server alone
    if not connection.parts_sent or connection.since_received < connection.since_sent:
        return True
    return not _answered(connection) and silence < idle_after * _UNCLEAR


def _answered(connection: TcpSocket) -> bool:
    """Whether it is clear that the server was the last to speak."""
    return (
        connection.since_sent < connection.since_received
        or connection.parts_received == 1
        or 0 < connection.since_received - connection.since_heard <= _DELAYED_ACK
    )


def _is_loopback(address: bytes) -> bool:
    return address[:1] == b"\x7f" if len(address) == 4 else address == bytes(15) + b"\x01"
