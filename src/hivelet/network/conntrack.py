"""The door to connection tracking: which connections a task still has, and forgetting those of a gone one.

The kernel filters by the answering side's IPv4 address (`CTA_FILTER`, Linux 5.8), so a look at one task costs what that
task has and one walk over the table, however full it is. For IPv6 its comparison is the wrong way round (found with 6.18): told
to forget one address, it forgets all others. So IPv6 connections are listed, chosen here, and forgotten one by one.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hivelet.errors import System
from hivelet.network.netlink import nlmsg

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_GENERIC = struct.Struct("=BBH")

_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _ID, _FILTER = 1, 2, 3, 4, 12, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SRC, _IP_DST, _IP6_SRC, _IP6_DST = 1, 2, 3, 4
_PROTO_NUM, _PROTO_SRC_PORT, _PROTO_DST_PORT = 1, 2, 3
_PROTOINFO_TCP, _TCP_STATE = 1, 1
_FILTER_ORIG, _FILTER_REPLY = 1, 2
_BEGUN_BY, _ANSWERED_BY = (_TUPLE_ORIG, _FILTER_ORIG), (_TUPLE_REPLY, _FILTER_REPLY)
"""Where the first packet's source stands in an entry, and where an answer's; and the filter for it."""
_BY_SOURCE, _BY_PROTOCOL = 1 << 0, 1 << 3

_TCP, _UDP = 6, 17
_TCP_ESTABLISHED = 3
_STATUS_ANSWERED = 1 << 1
_STATUS_ASSURED = 1 << 2
_STATUS_DNAT = 1 << 5

_own = threading.local()


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
    answered_by: str = ""
    """The address from which answers come."""
    answered: bool = False
    """Whether one has come."""

    @property
    def counts(self) -> bool:
        """Whether it holds up a drain: established TCP through a balancer.

        UDP has no end that could be waited for; its flows are forgotten when a backend leaves.
        """
        return self.translated and self.protocol == _TCP and self.tcp_state == _TCP_ESTABLISHED

    @property
    def is_unanswered(self) -> bool:
        """Whether it is a datagram, or several, to which no answer has come."""
        return self.protocol == _UDP and not self.answered


def list_connections(address: str) -> list[Connection]:
    """All connections that the holder of `address` answers."""
    return [_parse(found) for found in _find(address, _ANSWERED_BY)]


def count_connections(address: str) -> int:
    """How many connections hold up the drain of a task at `address`."""
    return sum(connection.counts for connection in list_connections(address))


def count_unanswered(address: str) -> int:
    """How many UDP clients of a task at `address` have not been answered yet."""
    return sum(_parse(found).is_unanswered for found in _find(address, _ANSWERED_BY, _UDP))


def flush_udp(address: str) -> None:
    """Forget all UDP flows to `address`: a client that goes on sending is given to a living backend."""
    _delete(address, _ANSWERED_BY, _UDP)


def flush_all(address: str) -> None:
    """Forget all connections that `address` began or answers, whatever their state.

    For an address without a holder: a connection whose end was never seen stays established here for weeks, and a client
    that comes by its port again would be led by it to nobody.
    """
    _delete(address, _ANSWERED_BY)
    _delete(address, _BEGUN_BY)


def _find(address: str, side: tuple[int, int], protocol: int = 0) -> Iterator[bytes]:
    """The entries with this source on that side, of one protocol or of all."""
    body = _generic(address) + _criteria(address, side, protocol)
    found = _exchange(_GET, nlmsg.REQUEST | nlmsg.DUMP, body)
    if nlmsg.family_of(address) == socket.AF_INET:
        return found
    packed = nlmsg.pack_address(address)
    # Few of a full table have the address anywhere: only these are looked at.
    return (entry for entry in found if packed in entry and _source(entry, side[0]) == packed)


def _delete(address: str, side: tuple[int, int], protocol: int = 0) -> None:
    generic = _generic(address)
    chosen = [_criteria(address, side, protocol)]
    if nlmsg.family_of(address) == socket.AF_INET6:
        # All are read before the first is forgotten: answers come by the same socket.
        chosen = [_identity(entry) for entry in list(_find(address, side, protocol))]
    for attributes in chosen:
        for _ in _exchange(_DELETE, nlmsg.REQUEST | nlmsg.ACK, generic + attributes):
            pass


def _criteria(address: str, side: tuple[int, int], protocol: int) -> bytes:
    """What the kernel compares; of IPv6 only the protocol."""
    place, kind = side
    flags = _BY_PROTOCOL if protocol else 0
    parts = []
    if nlmsg.family_of(address) == socket.AF_INET:
        flags |= _BY_SOURCE
        parts.append(_ip_source(address))
    if protocol:
        parts.append(nlmsg.nested(_TUPLE_PROTO, nlmsg.number(_PROTO_NUM, protocol, 1)))
    if not flags:
        return b""
    return nlmsg.nested(place, *parts) + nlmsg.nested(_FILTER, nlmsg.number(kind, flags))


def _source(entry: bytes, place: int) -> bytes:
    found = nlmsg.split_attributes(nlmsg.split_attributes(entry, _GENERIC.size)[place])
    return nlmsg.split_attributes(found[_TUPLE_IP]).get(_IP6_SRC, b"")


def _identity(entry: bytes) -> bytes:
    """What names one entry, and no later one between the same two."""
    attributes = nlmsg.split_attributes(entry, _GENERIC.size)
    begun = nlmsg.nested(_TUPLE_ORIG, attributes[_TUPLE_ORIG])
    return begun + nlmsg.attribute(_ID, attributes[_ID])


def list_translated_udp() -> list[str]:
    """The addresses that answer the UDP flows which a balancer has sent somewhere."""
    addresses: set[str] = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        found = _exchange(_GET, nlmsg.REQUEST | nlmsg.DUMP, _GENERIC.pack(family, 0, 0))
        parsed = map(_parse, found)
        addresses |= {c.answered_by for c in parsed if c.translated and c.protocol == _UDP}
    return sorted(addresses)


def _generic(address: str) -> bytes:
    return _GENERIC.pack(nlmsg.family_of(address), 0, 0)


def _ip_source(address: str) -> bytes:
    kind = _IP6_SRC if nlmsg.family_of(address) == socket.AF_INET6 else _IP_SRC
    return nlmsg.nested(_TUPLE_IP, nlmsg.attribute(kind, nlmsg.pack_address(address)))


def _exchange(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    """One question and all of its answers, which must be read to the end."""
    door = _door()
    door.send(nlmsg.message(kind, flags, body))
    while True:
        for answer, _, content in nlmsg.split_messages(door.recv(1 << 17)):
            if answer == nlmsg.DONE:
                return
            if answer == nlmsg.ERROR:
                refusal = nlmsg.error_number(content)
                if refusal in (0, errno.ENOENT):
                    return
                raise ConntrackFailed(
                    f"cannot ask the kernel for its connections: {os.strerror(refusal)}"
                )
            yield content


def _door() -> socket.socket:
    """This thread's socket. It stays open: to close one of netfilter's costs the kernel many times what is asked through it.

    A thread that has moved to another network namespace gets another one.
    """
    place = os.stat("/proc/thread-self/ns/net").st_ino
    held: _Held | None = getattr(_own, "held", None)
    if held is None or held.place != place:
        held = _own.held = _Held(place)
    return held.door


class _Held:
    """A socket that is closed with the thread that holds it."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.door = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self.door.bind((0, 0))

    def __del__(self) -> None:
        self.door.close()


def _parse(body: bytes) -> Connection:
    attributes = nlmsg.split_attributes(body, _GENERIC.size)
    origin = nlmsg.split_attributes(attributes[_TUPLE_ORIG])
    addresses = nlmsg.split_attributes(origin[_TUPLE_IP])
    reply = nlmsg.split_attributes(attributes[_TUPLE_REPLY])
    answer = nlmsg.split_attributes(reply[_TUPLE_IP])
    protocol = nlmsg.split_attributes(origin[_TUPLE_PROTO])
    status = int.from_bytes(attributes.get(_STATUS, b""), "big")
    details = nlmsg.split_attributes(attributes.get(_PROTOINFO, b""))
    tcp = nlmsg.split_attributes(details.get(_PROTOINFO_TCP, b""))
    return Connection(
        protocol=protocol[_PROTO_NUM][0],
        client=_address(addresses, _IP_SRC, _IP6_SRC),
        client_port=int.from_bytes(protocol.get(_PROTO_SRC_PORT, b""), "big"),
        service=_address(addresses, _IP_DST, _IP6_DST),
        service_port=int.from_bytes(protocol.get(_PROTO_DST_PORT, b""), "big"),
        tcp_state=tcp.get(_TCP_STATE, b"\0")[0],
        translated=bool(status & _STATUS_DNAT),
        assured=bool(status & _STATUS_ASSURED),
        answered_by=_address(answer, _IP_SRC, _IP6_SRC),
        answered=bool(status & _STATUS_ANSWERED),
    )


def _address(addresses: Mapping[int, bytes], ipv4: int, ipv6: int) -> str:
    return nlmsg.unpack_address(addresses.get(ipv4) or addresses[ipv6])
