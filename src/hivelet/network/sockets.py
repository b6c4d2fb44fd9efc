"""The door to a sandbox's sockets: `sock_diag(7)`, the part of netlink that `ss -i` uses; for UDP the tables in /proc.

The kernel tells of one namespace at a time, the one that the calling thread is in.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hivelet.errors import System
from hivelet.network.connections import State, TcpSocket
from hivelet.network.listeners import Listener, describe_listener, parse_listeners
from hivelet.network.netlink import nlmsg
from hivelet.network.netns import NamespaceFailed, inside, is_namespace

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = struct.Struct("=BBBxI48x")
_ANSWER = struct.Struct("=BBBB2s2s16s16s12xIIIII")
_INFO = 2
"""The attribute with `struct tcp_info`."""

_TIMES, _TIMES_AT = struct.Struct("=IIII"), 44
_PARTS, _PARTS_AT = struct.Struct("=II"), 152
_ASKED = sum(1 << state for state in State)
_MAPPED = bytes(10) + b"\xff\xff"


class SocketsUnseen(System):
    """The kernel does not tell of its sockets."""


def list_sockets_of(netns: Path) -> list[TcpSocket]:
    """The TCP sockets of the namespace at `netns`; belongs into a thread that may enter others (see `netns.inside`).

    Raises:
        SocketsUnseen: this kernel does not tell.
    """
    try:
        with inside(netns):
            return list_sockets()
    except (FileNotFoundError, NamespaceFailed):
        if is_namespace(netns):
            raise
        return []  # its container has ended meanwhile


def list_sockets() -> list[TcpSocket]:
    """The TCP sockets of the calling thread's network namespace.

    Raises:
        SocketsUnseen: this kernel does not tell.
    """
    return [_parse(body) for body in _dump_all(_ASKED)]


def list_listeners_of(netns: Path, *, udp: bool = False) -> tuple[list[Listener], list[Listener]]:
    """The TCP sockets that listen in the namespace at `netns`, and with `udp` those that take datagrams from anybody.

    Belongs into such a thread as well.
    """
    try:
        with inside(netns):
            return list_listeners(), list(read_tables("udp")) if udp else []
    except FileNotFoundError:
        return [], []


def list_listeners() -> list[Listener]:
    """The TCP sockets that listen in the calling thread's network namespace.

    Asked for these alone, the kernel walks its small table of listeners. `/proc/net/tcp`, which is read where it does not
    tell of its sockets, costs a walk through the whole table of connections: milliseconds where that is large.
    """
    try:
        return [_parse_listener(body) for body in _dump_all(1 << State.LISTEN)]
    except SocketsUnseen:
        return list(read_tables("tcp"))


def read_tables(protocol: str) -> Iterator[Listener]:
    """Who listens, by the tables of `tcp` or `udp` that the calling thread's network namespace has in /proc."""
    for name in (protocol, f"{protocol}6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6 has no second one
            yield from parse_listeners(Path("/proc/thread-self/net", name).read_text(), protocol)


def _dump_all(states: int) -> Iterator[bytes]:
    try:
        door = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
    except OSError as error:
        raise SocketsUnseen(f"cannot see the sockets of a sandbox: {error.strerror}") from error
    with door:
        for family in (socket.AF_INET, socket.AF_INET6):
            yield from _dump(door, family, states)


def _dump(door: socket.socket, family: int, states: int) -> Iterator[bytes]:
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), states)
    door.send(nlmsg.message(_BY_FAMILY, nlmsg.REQUEST | nlmsg.DUMP, body))
    while True:
        for kind, _, content in nlmsg.split_messages(door.recv(1 << 17)):
            if kind == nlmsg.DONE:
                return
            if kind == nlmsg.ERROR:
                number = nlmsg.error_number(content)
                if number == errno.ENOENT and family == socket.AF_INET6:
                    return  # a kernel without IPv6
                raise SocketsUnseen(f"cannot see the sockets of a sandbox: {os.strerror(number)}")
            yield content


def _parse(body: bytes) -> TcpSocket:
    family, state, _, _, port, _, local, peer, _, unread, unsent, _, _ = _ANSWER.unpack_from(body)
    info = nlmsg.split_attributes(body, _ANSWER.size).get(_INFO, b"")
    sent, _, received, heard = _read(_TIMES, info, _TIMES_AT)
    parts_received, parts_sent = _read(_PARTS, info, _PARTS_AT)
    return TcpSocket(
        state=State(state),
        local_port=int.from_bytes(port, "big"),
        local=_address(family, local),
        peer=_address(family, peer),
        unread=unread,
        unsent=unsent,
        since_sent=sent,
        since_received=received,
        since_heard=heard,
        parts_sent=parts_sent,
        parts_received=parts_received,
    )


def _parse_listener(body: bytes) -> Listener:
    family, _, _, _, port, _, local, _, _, _, _, _, inode = _ANSWER.unpack_from(body)
    packed = local[:4] if family == socket.AF_INET else local
    return describe_listener(packed, int.from_bytes(port, "big"), inode)


def _read(layout: struct.Struct, info: bytes, place: int) -> tuple[int, ...]:
    if len(info) < place + layout.size:
        # A handshake that is under way, or a kernel older than the field.
        return (0,) * (layout.size // 4)
    return layout.unpack_from(info, place)


def _address(family: int, raw: bytes) -> bytes:
    if family == socket.AF_INET:
        return raw[:4]
    return raw[12:] if raw[:12] == _MAPPED else raw
