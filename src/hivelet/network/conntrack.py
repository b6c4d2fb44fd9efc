"""The door to connection tracking: which connections a task still has, and forgetting those of a gone one.

The kernel filters by the answering side's address (`CTA_FILTER`, Linux 5.8), so a look at one task costs what that
task has, however full the table is. Messages are taken apart here with `struct`: a general netlink library needs a
hundred microseconds for each entry, and a busy task has thousands.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from hivelet.errors import System

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_REQUEST, _ACK, _DUMP = 1, 4, 0x300
_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _FILTER = 1, 2, 3, 4, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SRC, _IP_DST = 1, 2
_PROTO_NUM, _PROTO_SRC_PORT, _PROTO_DST_PORT = 1, 2, 3
_PROTOINFO_TCP, _TCP_STATE = 1, 1
_FILTER_ORIG, _FILTER_REPLY = 1, 2
_BY_SOURCE, _BY_PROTOCOL = 1 << 0, 1 << 3

_TCP, _UDP = 6, 17
_TCP_ESTABLISHED = 3
_STATUS_DNAT = 1 << 5
_STATUS_ASSURED = 1 << 2


class ConntrackFailed(System):
    """The kernel refused a look at, or a change of, its connection table."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One tracked connection as its client sees it, and its present state."""

    protocol: int
    client: str
    client_port: int
    service: str
    service_port: int
    tcp_state: int
    translated: bool
    assured: bool

    @property
    def counts(self) -> bool:
        """Whether it holds up a drain: established TCP, or UDP that has been answered, through a balancer."""
        if not self.translated:
            return False
        if self.protocol == _TCP:
            return self.tcp_state == _TCP_ESTABLISHED
        return self.protocol == _UDP and self.assured


def list_connections(address: str) -> list[Connection]:
    """All connections that the holder of `address` answers."""
    reply = _attribute(_TUPLE_REPLY | _NESTED, _ip_source(address))
    request = _message(_GET, _REQUEST | _DUMP, reply + _filter(_BY_SOURCE))
    return [_parse(body) for kind, body in _exchange(request) if kind not in (_ERROR, _DONE)]


def count_connections(address: str) -> int:
    """How many connections hold up the drain of a task at `address`."""
    return sum(connection.counts for connection in list_connections(address))


def flush_udp(address: str) -> None:
    """Forget all UDP flows to `address`: a client that goes on sending is given to a living backend."""
    proto = _attribute(_TUPLE_PROTO | _NESTED, _attribute(_PROTO_NUM, bytes([_UDP])))
    reply = _attribute(_TUPLE_REPLY | _NESTED, _ip_source(address) + proto)
    request = _message(_DELETE, _REQUEST | _ACK, reply + _filter(_BY_SOURCE | _BY_PROTOCOL))
    for _ in _exchange(request):
        pass


def _ip_source(address: str) -> bytes:
    return _attribute(_TUPLE_IP | _NESTED, _attribute(_IP_SRC, IPv4Address(address).packed))


def _filter(flags: int) -> bytes:
    reply = _attribute(_FILTER_REPLY, struct.pack("=I", flags))
    return _attribute(_FILTER | _NESTED, reply)


def _attribute(kind: int, payload: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def _message(kind: int, flags: int, attributes: bytes) -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _exchange(request: bytes) -> Iterator[tuple[int, bytes]]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as door:
        door.bind((0, 0))
        door.send(request)
        while True:
            for kind, body in _messages(door.recv(1 << 17)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    if number in (0, errno.ENOENT):
                        return
                    raise ConntrackFailed(
                        f"cannot ask the kernel for its connections: {os.strerror(number)}"
                    )
                yield kind, body


def _messages(packet: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _HEADER.size <= len(packet):
        length, kind, _, _, _ = _HEADER.unpack_from(packet, place)
        yield kind, packet[place + _HEADER.size : place + length]
        place += (length + 3) & ~3


def _attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    place = start
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found


def _parse(body: bytes) -> Connection:
    attributes = _attributes(body, 4)
    origin = _attributes(attributes[_TUPLE_ORIG])
    addresses, proto = _attributes(origin[_TUPLE_IP]), _attributes(origin[_TUPLE_PROTO])
    status = int.from_bytes(attributes.get(_STATUS, b""), "big")
    tcp = _attributes(_attributes(attributes.get(_PROTOINFO, b"")).get(_PROTOINFO_TCP, b""))
    return Connection(
        protocol=proto[_PROTO_NUM][0],
        client=str(IPv4Address(addresses[_IP_SRC])),
        client_port=int.from_bytes(proto.get(_PROTO_SRC_PORT, b""), "big"),
        service=str(IPv4Address(addresses[_IP_DST])),
        service_port=int.from_bytes(proto.get(_PROTO_DST_PORT, b""), "big"),
        tcp_state=tcp.get(_TCP_STATE, b"\0")[0],
        translated=bool(status & _STATUS_DNAT),
        assured=bool(status & _STATUS_ASSURED),
    )
