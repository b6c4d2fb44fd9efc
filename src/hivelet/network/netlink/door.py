"""Send requests to the kernel in the namespace of the calling thread, or of whoever opened the socket, and list what is there."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.network.netlink import nlmsg

_AT_ONCE = 64
"""Requests in one packet: the answers to all of them must fit into the socket's receive buffer."""

_SOL_NETLINK, _STRICT_CHECK = 270, 12


class NetlinkFailed(System):
    """The kernel refused a change of links, addresses or routes."""

    def __init__(self, what: str, number: int) -> None:
        self.number = number
        super().__init__(f"cannot {what}: {os.strerror(number)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One change: what it is in words, its message, and the answers that mean that it was so before."""

    what: str
    verb: int
    flags: int
    body: bytes
    harmless: tuple[int, ...] = ()


def open_door() -> socket.socket:
    """A socket to the kernel in the namespace in which the calling thread is."""
    door = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    door.bind((0, 0))
    return door


def execute(requests: Iterable[Request]) -> None:
    """Send all requests to the calling thread's namespace; the first one that was refused is raised.

    Requests after a refused one are carried out by the kernel all the same: a caller that cannot go on undoes all.
    """
    with open_door() as door:
        execute_on(door, requests)


def execute_on(door: socket.socket, requests: Iterable[Request]) -> None:
    """Like `execute`, through a socket that may have been opened in another namespace."""
    pending = list(requests)
    failures: list[NetlinkFailed] = []
    point("links.request")
    for start in range(0, len(pending), _AT_ONCE):
        failures += _exchange(door, pending[start : start + _AT_ONCE])
    point("links.changed")
    if failures:
        raise failures[0]


def _exchange(door: socket.socket, requests: list[Request]) -> list[NetlinkFailed]:
    waiting = dict(enumerate(requests, start=1))
    door.send(
        b"".join(
            nlmsg.message(
                request.verb,
                nlmsg.REQUEST | nlmsg.ACK | request.flags,
                request.body,
                sequence=sequence,
            )
            for sequence, request in waiting.items()
        )
    )
    failures: list[NetlinkFailed] = []
    while waiting:
        for kind, sequence, body in nlmsg.split_messages(door.recv(1 << 16)):
            request = waiting.pop(sequence, None) if kind == nlmsg.ERROR else None
            if request is None:
                continue
            refusal = nlmsg.error_number(body)
            if refusal and refusal not in request.harmless:
                failures.append(NetlinkFailed(request.what, refusal))
    return failures


def dump(verb: int, body: bytes, *, strict: bool = False) -> Iterator[bytes]:
    """What the calling thread's namespace has; `strict` asks for no more than what fits to the body."""
    with open_door() as door:
        if strict:
            with contextlib.suppress(OSError):  # an old kernel answers with more than was asked for
                door.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        door.send(nlmsg.message(verb, nlmsg.REQUEST | nlmsg.DUMP, body))
        while True:
            for kind, _, content in nlmsg.split_messages(door.recv(1 << 17)):
                if kind == nlmsg.DONE:
                    return
                if kind == nlmsg.ERROR:
                    raise NetlinkFailed(
                        "list what the kernel's network has", nlmsg.error_number(content)
                    )
                yield content
