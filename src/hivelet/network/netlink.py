"""The door to the kernel's links, addresses, routes and rules.

Requests are built as messages, sent many at a time and acknowledged one by one; they are idempotent where the kernel
lets them be. All calls block for microseconds to a few milliseconds and belong into the one thread of a `Kernel`,
which also is the only thread that may enter another namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any, TypeVar

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.network import nlmsg

T = TypeVar("T")

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWRULE, _DELRULE, _GETRULE = 32, 33, 34
_CLONED = 0x200
"""RTM_F_CLONED of linux/rtnetlink.h."""
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_FD = 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_BR_FORWARD_DELAY, _BR_STP_STATE = 1, 5
_BR_CALL_IPTABLES, _BR_CALL_IP6TABLES = 36, 37
_BRPORT_HAIRPIN = 4
_VETH_PEER = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_CACHEINFO = 1, 2, 4, 6
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 6, 7, 15
_FRA_SRC, _FRA_PRIORITY, _FRA_TABLE = 2, 6, 15

_AT_ONCE = 64
"""Requests in one packet: the answers to all of them must fit into the socket's receive buffer."""

_IFF_UP, _IFF_NOARP = 1, 0x80
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_PROTO_KERNEL, _PROTO_STATIC = 2, 4
_UNICAST = 1
_TO_TABLE = 1
_PERMANENT = 0x80
_SOURCE_RULE_PRIORITY = 1000
_LOCAL = 2
TABLE_MAIN, TABLE_LOCAL = 254, 255
_METRIC_OF_SUBNETS: dict[int, int] = {socket.AF_INET: 0, socket.AF_INET6: 256}
"""What the kernel gives the route that comes with an address (fib_frontend.c; IP6_RT_PRIO_ADDRCONF)."""
_HOST_BITS: dict[int, int] = {socket.AF_INET: 32, socket.AF_INET6: 128}
_SOL_NETLINK, _STRICT_CHECK = 270, 12
_CACHEINFO = struct.Struct("=IIII")
_FOREVER = 0xFFFFFFFF


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """A link of the host as it is."""

    index: int
    name: str
    kind: str
    up: bool
    master: int
    mac: str
    hairpin: bool = False
    filtered: bool = False
    """Whether a bridge shows nftables what crosses it, whatever the switch for all bridges says."""


def filter_bridge(name: str) -> Request:
    """Have what crosses a bridge pass nftables; the switch for all bridges of the host is not ours to turn."""
    seen = nlmsg.number(_BR_CALL_IPTABLES, 1, 1) + nlmsg.number(_BR_CALL_IP6TABLES, 1, 1)
    return Request(
        what=f"let nftables see what crosses {name}",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, name)
        + nlmsg.nested(
            _IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "bridge"), nlmsg.nested(_INFO_DATA, seen)
        ),
    )


def new_bridge(name: str, mac: str, mtu: int) -> Request:
    """A bridge with a MAC of its own: one that follows its ports would change under the neighbours' feet."""
    data = nlmsg.number(_BR_STP_STATE, 0) + nlmsg.number(_BR_FORWARD_DELAY, 0)
    return Request(
        what=f"make the bridge {name}",
        verb=_NEWLINK,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, name)
        + nlmsg.attribute(_IFLA_ADDRESS, _mac_bytes(mac))
        + nlmsg.number(_IFLA_MTU, mtu)
        + nlmsg.nested(
            _IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "bridge"), nlmsg.nested(_INFO_DATA, data)
        ),
        harmless=(errno.EEXIST,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VethPair:
    """A veth pair: `port` in a bridge here, `interface` in the namespace of that descriptor."""

    port: str
    bridge_index: int
    interface: str
    mac: str
    mtu: int
    namespace: int


def new_veth(pair: VethPair) -> Request:
    """Make a veth pair, both ends down: an end that comes up before the other exists is refused."""
    peer = (
        _LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, pair.interface)
        + nlmsg.attribute(_IFLA_ADDRESS, _mac_bytes(pair.mac))
        + nlmsg.number(_IFLA_MTU, pair.mtu)
        + nlmsg.number(_IFLA_NET_NS_FD, pair.namespace)
    )
    data = nlmsg.attribute(_VETH_PEER, peer)
    return Request(
        what=f"make the link {pair.port}",
        verb=_NEWLINK,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, pair.port)
        + nlmsg.number(_IFLA_MTU, pair.mtu)
        + nlmsg.number(_IFLA_MASTER, pair.bridge_index)
        + nlmsg.nested(
            _IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "veth"), nlmsg.nested(_INFO_DATA, data)
        ),
    )


def new_pair(name: str, peer: str, mac: str, mtu: int) -> Request:
    """A veth pair with both ends here, both down, and of one MAC."""
    first, second = (
        _LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, link)
        + nlmsg.attribute(_IFLA_ADDRESS, _mac_bytes(mac))
        + nlmsg.number(_IFLA_MTU, mtu)
        for link in (name, peer)
    )
    data = nlmsg.nested(_INFO_DATA, nlmsg.attribute(_VETH_PEER, second))
    return Request(
        what=f"make the link {name}",
        verb=_NEWLINK,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=first + nlmsg.nested(_IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "veth"), data),
    )


def open_port(port: str) -> Request:
    """Set a bridge's port up, in hairpin mode: a balancer may send a packet back to where it came from."""
    return Request(
        what=f"open the port {port}",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + nlmsg.text(_IFLA_IFNAME, port)
        + nlmsg.nested(
            _IFLA_LINKINFO,
            nlmsg.text(_INFO_SLAVE_KIND, "bridge"),
            nlmsg.nested(_INFO_SLAVE_DATA, nlmsg.number(_BRPORT_HAIRPIN, 1, 1)),
        ),
    )


def set_master(port: str, bridge_index: int) -> Request:
    """Put a link into a bridge."""
    return Request(
        what=f"put {port} into its bridge",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, port)
        + nlmsg.number(_IFLA_MASTER, bridge_index),
    )


def set_up(index: int, *, neighbours: bool = True) -> Request:
    """Set a link up; without `neighbours` nobody is asked for his link address there."""
    flags = _IFF_UP if neighbours else _IFF_UP | _IFF_NOARP
    return Request(
        what=f"set link {index} up",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, index, flags, flags),
    )


def delete_link(name: str) -> Request:
    """Remove a link; for a veth pair, both ends."""
    return Request(
        what=f"remove the link {name}",
        verb=_DELLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, 0, 0) + nlmsg.text(_IFLA_IFNAME, name),
        harmless=(errno.ENODEV,),
    )


def new_address(index: int, address: str, prefix: int) -> Request:
    """An address on a link; the one that is there already is no error.

    A single IPv6 address (a VIP) is marked as deprecated: it is answered for, but never chosen as a source.
    """
    family = nlmsg.family_of(address)
    packed = nlmsg.pack_address(address)
    body = _ADDRESS.pack(family, prefix, _PERMANENT, _SCOPE_UNIVERSE, index)
    body += nlmsg.attribute(_IFA_LOCAL, packed) + nlmsg.attribute(_IFA_ADDRESS, packed)
    if family == socket.AF_INET and prefix < 31:
        broadcast = int(IPv4Address(address)) | ((1 << (32 - prefix)) - 1)
        body += nlmsg.attribute(_IFA_BROADCAST, broadcast.to_bytes(4, "big"))
    if family == socket.AF_INET6 and prefix == 128:
        body += nlmsg.attribute(_IFA_CACHEINFO, _CACHEINFO.pack(0, _FOREVER, 0, 0))
    return Request(
        what=f"add the address {address}/{prefix}",
        verb=_NEWADDR,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=body,
        harmless=(errno.EEXIST,),
    )


def delete_address(index: int, address: str, prefix: int) -> Request:
    """Remove an address from a link; one that is not there is no error."""
    return Request(
        what=f"remove the address {address}/{prefix}",
        verb=_DELADDR,
        flags=0,
        body=_ADDRESS.pack(nlmsg.family_of(address), prefix, 0, _SCOPE_UNIVERSE, index)
        + nlmsg.attribute(_IFA_LOCAL, nlmsg.pack_address(address)),
        harmless=(errno.EADDRNOTAVAIL, errno.ENODEV),
    )


def single(address: str) -> int:
    """The prefix length of a subnet that is this address alone."""
    return _HOST_BITS[nlmsg.family_of(address)]


def new_route(destination: str, index: int, *, via: str, source: str, table: int) -> Request:
    """A route ("" is the default of `via`'s family) through a link, on-link where `via` is ""."""
    network, _, length = destination.partition("/")
    family = nlmsg.family_of(network or via)
    # IPv6 routes have no scope.
    scope = _SCOPE_LINK if family == socket.AF_INET and not via else _SCOPE_UNIVERSE
    body = _ROUTE.pack(family, int(length or 0), 0, 0, 0, _PROTO_STATIC, scope, _UNICAST, 0)
    body += nlmsg.number(_RTA_OIF, index) + nlmsg.number(_RTA_TABLE, table)
    for kind, address in ((_RTA_DST, network), (_RTA_GATEWAY, via), (_RTA_PREFSRC, source)):
        body += nlmsg.attribute(kind, nlmsg.pack_address(address)) if address else b""
    return Request(
        what=f"add the route to {destination or 'everywhere'}",
        verb=_NEWROUTE,
        flags=nlmsg.CREATE | nlmsg.REPLACE,
        body=body,
    )


def delete_route(destination: str, index: int, *, via: str, table: int) -> Request:
    """Remove a route that `new_route` has made; one that is not there is no error."""
    network, _, length = destination.partition("/")
    family = nlmsg.family_of(network or via)
    body = _ROUTE.pack(family, int(length or 0), 0, 0, 0, 0, _SCOPE_NOWHERE, 0, 0)
    body += nlmsg.number(_RTA_OIF, index) + nlmsg.number(_RTA_TABLE, table)
    if network:
        body += nlmsg.attribute(_RTA_DST, nlmsg.pack_address(network))
    return Request(
        what=f"remove the route to {destination or 'everywhere'}",
        verb=_DELROUTE,
        flags=0,
        body=body,
        harmless=(errno.ESRCH, errno.ENODEV),
    )


def new_subnet_route(index: int, subnet: str, address: str) -> Request:
    """The route to its subnet that `address` brought with it to a link, and that goes with the address."""
    network, _, length = subnet.partition("/")
    family = nlmsg.family_of(network)
    scope = _SCOPE_LINK if family == socket.AF_INET else _SCOPE_UNIVERSE
    body = _ROUTE.pack(
        family, int(length), 0, 0, TABLE_MAIN, _PROTO_KERNEL, scope, _UNICAST, 0
    ) + nlmsg.number(_RTA_OIF, index)
    body += nlmsg.number(_RTA_PRIORITY, _METRIC_OF_SUBNETS[family])
    body += nlmsg.attribute(_RTA_DST, nlmsg.pack_address(network))
    if family == socket.AF_INET:
        body += nlmsg.attribute(_RTA_PREFSRC, nlmsg.pack_address(address))
    return Request(
        what=f"add the route to {subnet}",
        verb=_NEWROUTE,
        flags=nlmsg.CREATE | nlmsg.REPLACE,
        body=body,
    )


def new_local_route(address: str, index: int, metric: int) -> Request:
    """Have packets to an address that come in by this link taken as the host's own."""
    family = nlmsg.family_of(address)
    bits = _HOST_BITS[family]
    return Request(
        what=f"take {address} from link {index}",
        verb=_NEWROUTE,
        flags=nlmsg.CREATE | nlmsg.REPLACE,
        body=_ROUTE.pack(family, bits, 0, 0, 0, _PROTO_STATIC, _SCOPE_UNIVERSE, _LOCAL, 0)
        + nlmsg.number(_RTA_OIF, index)
        + nlmsg.number(_RTA_TABLE, TABLE_LOCAL)
        + nlmsg.number(_RTA_PRIORITY, metric)
        + nlmsg.attribute(_RTA_DST, nlmsg.pack_address(address)),
    )


def new_source_rule(source: str, table: int) -> Request:
    """Packets from `source` take their routes from `table`."""
    return Request(
        what=f"add the rule for {source}",
        verb=_NEWRULE,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=_source_rule(source, table),
        harmless=(errno.EEXIST,),
    )


def delete_source_rule(source: str, table: int) -> Request:
    """Remove such a rule; one that is not there is no error."""
    return Request(
        what=f"remove the rule for {source}",
        verb=_DELRULE,
        flags=0,
        body=_source_rule(source, table),
        harmless=(errno.ENOENT, errno.ESRCH),
    )


def _source_rule(source: str, table: int) -> bytes:
    return (
        _ROUTE.pack(nlmsg.family_of(source), 0, single(source), 0, 0, 0, 0, _TO_TABLE, 0)
        + nlmsg.attribute(_FRA_SRC, nlmsg.pack_address(source))
        + nlmsg.number(_FRA_TABLE, table)
        + nlmsg.number(_FRA_PRIORITY, _SOURCE_RULE_PRIORITY)
    )


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


def list_links() -> dict[str, LinkState]:
    """All links of the calling thread's namespace by name."""
    states = [_link_state(body) for body in _dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))]
    return {state.name: state for state in states}


def list_addresses() -> list[tuple[int, str, int]]:
    """All addresses as (link index, address, prefix length), IPv4 first, those of single links left out."""
    found: list[tuple[int, str, int]] = []
    for wanted in _HOST_BITS:
        for body in _dump(_GETADDR, _ADDRESS.pack(wanted, 0, 0, 0, 0)):
            family, prefix, _, _, index = _ADDRESS.unpack_from(body)
            attributes = nlmsg.split_attributes(body, _ADDRESS.size)
            local = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
            # A kernel without IPv6 answers with what it has.
            if local is None or family != wanted or _of_one_link(local):
                continue
            found.append((index, nlmsg.unpack_address(local), prefix))
    return found


def list_routes() -> list[tuple[str, int]]:
    """All routes of all tables as (destination in CIDR notation, link index), IPv4 first; defaults left out."""
    found: list[tuple[str, int]] = []
    for wanted in _HOST_BITS:
        for body in _dump(_GETROUTE, _ROUTE.pack(wanted, 0, 0, 0, 0, 0, 0, 0, 0)):
            family, length, _, _, table, _, _, _, flags = _ROUTE.unpack_from(body)
            attributes = nlmsg.split_attributes(body, _ROUTE.size)
            destination = attributes.get(_RTA_DST)
            if table == TABLE_LOCAL or destination is None or family != wanted:
                continue
            if flags & _CLONED:
                continue  # what the kernel learned about one neighbour (a redirect, a path's MTU) is no route of anybody's
            if not _of_one_link(destination):
                index = int.from_bytes(attributes.get(_RTA_OIF, b""), sys.byteorder)
                found.append((f"{nlmsg.unpack_address(destination)}/{length}", index))
    return found


def list_subnet_routes() -> list[tuple[int, str]]:
    """The routes that addresses brought with them, as (link index, subnet).

    The kernel leaves all others out where it can (since 4.20): a host may have hundreds of thousands.
    """
    found: list[tuple[int, str]] = []
    for wanted in _HOST_BITS:
        asked = _ROUTE.pack(wanted, 0, 0, 0, TABLE_MAIN, _PROTO_KERNEL, 0, 0, 0)
        for body in _dump(_GETROUTE, asked, strict=True):
            family, length, _, _, table, protocol, _, _, _ = _ROUTE.unpack_from(body)
            if (family, table, protocol) != (wanted, TABLE_MAIN, _PROTO_KERNEL):
                continue
            attributes = nlmsg.split_attributes(body, _ROUTE.size)
            if (destination := attributes.get(_RTA_DST)) is not None:
                index = int.from_bytes(attributes.get(_RTA_OIF, b""), sys.byteorder)
                found.append((index, f"{nlmsg.unpack_address(destination)}/{length}"))
    return found


def list_routes_by(index: int) -> list[tuple[int, str]]:
    """The IPv6 routes of all tables that lead out by this link, as (table, destination in CIDR notation).

    The kernel leaves the others out where it can (since 4.20): a host may have hundreds of thousands.
    """
    found: list[tuple[int, str]] = []
    wanted = _ROUTE.pack(socket.AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0) + nlmsg.number(_RTA_OIF, index)
    for body in _dump(_GETROUTE, wanted, strict=True):
        attributes = nlmsg.split_attributes(body, _ROUTE.size)
        oif = int.from_bytes(attributes.get(_RTA_OIF, b""), sys.byteorder)
        if body[0] == socket.AF_INET6 and oif == index:
            destination = nlmsg.unpack_address(attributes.get(_RTA_DST, bytes(16)))
            table = int.from_bytes(attributes.get(_RTA_TABLE, body[4:5]), sys.byteorder)
            found.append((table, f"{destination}/{body[1]}"))
    return found


def list_source_rules() -> list[tuple[str, int]]:
    """The IPv6 rules that send packets from one address to a table, as (address, table)."""
    found: list[tuple[str, int]] = []
    for body in _dump(_GETRULE, _ROUTE.pack(socket.AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0)):
        attributes = nlmsg.split_attributes(body, _ROUTE.size)
        source = attributes.get(_FRA_SRC)
        if body[0] == socket.AF_INET6 and source is not None and body[2] == 8 * len(source):
            table = int.from_bytes(attributes.get(_FRA_TABLE, body[4:5]), sys.byteorder)
            found.append((nlmsg.unpack_address(source), table))
    return found


def link_index(name: str) -> int | None:
    """The index of a link, None where there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


class Kernel:
    """One thread that talks to the kernel, in the order in which it was asked."""

    def __init__(self, name: str = "links") -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"network-{name}")

    async def call(self, work: Callable[..., T], *args: Any) -> T:
        """Run `work(*args)` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def close(self) -> None:
        """End the thread once what was asked is done."""
        self._thread.shutdown(wait=True)


def _of_one_link(packed: bytes) -> bool:
    """Whether every link has it for itself: IPv6 link-local and multicast addresses."""
    address = ip_address(packed)
    return address.version == 6 and (address.is_link_local or address.is_multicast)


def _mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _dump(verb: int, body: bytes, *, strict: bool = False) -> Iterator[bytes]:
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


def _link_state(body: bytes) -> LinkState:
    _, _, index, flags, _ = _LINK.unpack_from(body)
    attributes = nlmsg.split_attributes(body, _LINK.size)
    info = nlmsg.split_attributes(attributes.get(_IFLA_LINKINFO, b""))
    port = nlmsg.split_attributes(info.get(_INFO_SLAVE_DATA, b""))
    kind = _text(info.get(_INFO_KIND, b""))
    own = nlmsg.split_attributes(info.get(_INFO_DATA, b"")) if kind == "bridge" else {}
    return LinkState(
        index=index,
        name=_text(attributes[_IFLA_IFNAME]),
        kind=kind,
        up=bool(flags & _IFF_UP),
        master=int.from_bytes(attributes.get(_IFLA_MASTER, b""), sys.byteorder),
        mac=attributes.get(_IFLA_ADDRESS, b"").hex(":"),
        hairpin=port.get(_BRPORT_HAIRPIN, b"") == b"\1",
        filtered=own.get(_BR_CALL_IPTABLES, b"") == b"\1",
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
