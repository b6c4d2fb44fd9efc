"""The door to the kernel's links, addresses, routes and rules.

Requests are built as messages, sent many at a time and acknowledged one by one; `make` verbs are idempotent where
the kernel lets them be. All calls block for microseconds to a few milliseconds and belong into the one thread of
`Kernel`, which also is the only thread that may enter another namespace.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hivelet.errors import System

T = TypeVar("T")

_REQUEST_ACK = 0x5
_CREATE = 0x400
_EXCL = 0x200
_REPLACE = 0x100
_NEWLINK, _DELLINK, _NEWADDR, _DELADDR, _NEWROUTE, _NEWRULE = 16, 17, 20, 21, 24, 32
_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_IFF_UP = 1
_ADDR_GEN_NONE = 1
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_HOST = 0, 253, 254
_PROTO_STATIC = 4
_PERMANENT = 0x80


class NetlinkFailed(System):
    """The kernel refused a change of links, addresses or routes."""

    def __init__(self, what: str, number: int) -> None:
        self.number = number
        super().__init__(f"cannot {what}: {os.strerror(number)}")


@dataclass(frozen=True, slots=True)
class Request:
    """One encoded message, what it does in words, and the answers that mean that it was done before."""

    what: str
    data: bytearray
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


def new_bridge(name: str, mac: str, mtu: int) -> Request:
    """A bridge with a MAC of its own: one that follows its ports would change under the neighbours' feet."""
    data = [["IFLA_BR_STP_STATE", 0], ["IFLA_BR_FORWARD_DELAY", 0], ["IFLA_BR_MCAST_SNOOPING", 0]]
    return _link(
        f"make the bridge {name}",
        _CREATE | _EXCL,
        [
            ["IFLA_IFNAME", name],
            ["IFLA_ADDRESS", mac],
            ["IFLA_MTU", mtu],
            [
                "IFLA_LINKINFO",
                {"attrs": [["IFLA_INFO_KIND", "bridge"], ["IFLA_INFO_DATA", {"attrs": data}]]},
            ],
        ],
        harmless=(errno.EEXIST,),
    )


def new_veth(
    *, port: str, bridge_index: int, interface: str, mac: str, mtu: int, namespace: int
) -> Request:
    """A veth pair: `port` enslaved to a bridge here, `interface` in the namespace of that descriptor."""
    peer = {
        "attrs": [
            ["IFLA_IFNAME", interface],
            ["IFLA_ADDRESS", mac],
            ["IFLA_MTU", mtu],
            ["IFLA_NET_NS_FD", namespace],
        ],
    }
    info = [
        ["IFLA_INFO_KIND", "veth"],
        ["IFLA_INFO_DATA", {"attrs": [["VETH_INFO_PEER", peer]]}],
    ]
    return _link(
        f"make the link {port}",
        _CREATE | _EXCL,
        [
            ["IFLA_IFNAME", port],
            ["IFLA_MTU", mtu],
            ["IFLA_MASTER", bridge_index],
            ["IFLA_LINKINFO", {"attrs": info}],
        ],
    )


def open_port(port: str) -> Request:
    """Set a bridge's port up, in hairpin mode: a balancer may send a packet back to where it came from."""
    info = [
        ["IFLA_INFO_SLAVE_KIND", "bridge"],
        ["IFLA_INFO_SLAVE_DATA", {"attrs": [["IFLA_BRPORT_MODE", 1]]}],
    ]
    attributes = [["IFLA_IFNAME", port], ["IFLA_LINKINFO", {"attrs": info}]]
    return _link(f"open the port {port}", 0, attributes, up=True)


def set_master(port: str, bridge_index: int) -> Request:
    """Put a link into a bridge."""
    attributes = [["IFLA_IFNAME", port], ["IFLA_MASTER", bridge_index]]
    return _link(f"put {port} into its bridge", 0, attributes)


def set_up(index: int) -> Request:
    """Set a link up."""
    return _link(f"set link {index} up", 0, [], index=index, up=True)


def delete_link(name: str) -> Request:
    """Remove a link; for a veth pair, both ends."""
    return _link(
        f"remove the link {name}",
        0,
        [["IFLA_IFNAME", name]],
        verb=_DELLINK,
        harmless=(errno.ENODEV,),
    )


def new_address(index: int, address: str, prefix: int) -> Request:
    """An address on a link; the one that is there already is no error."""
    return _address(_NEWADDR, f"add the address {address}/{prefix}", index, address, prefix)


def delete_address(index: int, address: str, prefix: int) -> Request:
    """Remove an address from a link; one that is not there is no error."""
    return _address(_DELADDR, f"remove the address {address}/{prefix}", index, address, prefix)


def new_route(destination: str, index: int, *, via: str, source: str, table: int) -> Request:
    """A route ("" is the default) through a link, on-link where `via` is ""."""
    message = rtmsg()
    network, _, length = destination.partition("/")
    message["family"] = socket.AF_INET
    message["dst_len"] = int(length) if length else 0
    message["table"] = table
    message["proto"] = _PROTO_STATIC
    message["scope"] = _SCOPE_UNIVERSE if via else _SCOPE_LINK
    message["type"] = 1
    attributes: list[list[Any]] = [["RTA_OIF", index], ["RTA_TABLE", table]]
    attributes += [["RTA_DST", network]] if network else []
    attributes += [["RTA_GATEWAY", via]] if via else []
    attributes += [["RTA_PREFSRC", source]] if source else []
    what = f"add the route to {destination or 'everywhere'}"
    return _encode(what, message, _NEWROUTE, _CREATE | _REPLACE, attributes)


def new_source_rule(source: str, table: int) -> Request:
    """Packets from `source` take their routes from `table`."""
    message = fibmsg()
    message["family"] = socket.AF_INET
    message["src_len"] = 32
    message["table"] = table
    message["action"] = 1
    attributes = [["FRA_SRC", source], ["FRA_TABLE", table], ["FRA_PRIORITY", 1000]]
    return _encode(
        f"add the rule for {source}",
        message,
        _NEWRULE,
        _CREATE | _EXCL,
        attributes,
        harmless=(errno.EEXIST,),
    )


def execute(requests: Iterable[Request]) -> None:
    """Send all requests to the calling thread's namespace; the first one that was refused is raised.

    Requests after a refused one are carried out by the kernel all the same: a caller that cannot go on undoes all.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as door:
        door.bind((0, 0))
        execute_on(door, requests)


def execute_on(door: socket.socket, requests: Iterable[Request]) -> None:
    """Like `execute`, through a socket that may have been opened in another namespace."""
    waiting: dict[int, Request] = {}
    packet = bytearray()
    for sequence, request in enumerate(requests, start=1):
        struct.pack_into("=I", request.data, 8, sequence)
        packet += request.data
        packet += bytes(-len(packet) % 4)
        waiting[sequence] = request
    if not waiting:
        return
    door.send(packet)
    failure: NetlinkFailed | None = None
    while waiting:
        for sequence, number in _acknowledgements(door.recv(1 << 16)):
            answered = waiting.pop(sequence, None)
            if answered is None or number == 0 or number in answered.harmless:
                continue
            failure = failure or NetlinkFailed(answered.what, number)
    if failure is not None:
        raise failure


def list_links() -> dict[str, LinkState]:
    """All links of the calling thread's namespace by name."""
    with IPRoute() as route:
        states = [_link_state(message) for message in route.get_links()]
    return {state.name: state for state in states}


def list_addresses() -> list[tuple[int, str, int]]:
    """All IPv4 addresses as (link index, address, prefix length)."""
    with IPRoute() as route:
        return [
            (message["index"], local, message["prefixlen"])
            for message in route.get_addr(family=socket.AF_INET)
            if (local := message.get_attr("IFA_LOCAL"))
        ]


def list_routes() -> list[tuple[str, int]]:
    """All IPv4 routes of the main table as (destination in CIDR notation, link index), the default left out."""
    with IPRoute() as route:
        return [
            (f"{destination}/{message['dst_len']}", message.get_attr("RTA_OIF") or 0)
            for message in route.get_routes(family=socket.AF_INET, table=254)
            if (destination := message.get_attr("RTA_DST"))
        ]


def link_index(name: str) -> int | None:
    """The index of a link, None where there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


class Kernel:
    """The one thread in which this node's network is changed, in the order in which it was asked."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")

    async def call(self, work: Callable[..., T], *args: Any) -> T:
        """Run `work(*args)` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def close(self) -> None:
        """End the thread once what was asked is done."""
        self._thread.shutdown(wait=True)


def _link(  # noqa: PLR0913 - the fields of one kernel message
    what: str,
    flags: int,
    attributes: Sequence[Any],
    *,
    index: int = 0,
    up: bool = False,
    verb: int = _NEWLINK,
    harmless: tuple[int, ...] = (),
) -> Request:
    message = ifinfmsg()
    message["index"] = index
    if up:
        message["flags"] = message["change"] = _IFF_UP
    return _encode(what, message, verb, flags, attributes, harmless=harmless)


def _address(verb: int, what: str, index: int, address: str, prefix: int) -> Request:
    message = ifaddrmsg()
    message["family"] = socket.AF_INET
    message["prefixlen"] = prefix
    message["index"] = index
    message["flags"] = _PERMANENT
    attributes = [["IFA_LOCAL", address], ["IFA_ADDRESS", address]]
    if prefix < 31 and verb == _NEWADDR:
        broadcast = int(IPv4Address(address)) | ((1 << (32 - prefix)) - 1)
        attributes.append(["IFA_BROADCAST", str(IPv4Address(broadcast))])
    flags, harmless = (
        (_CREATE | _EXCL, (errno.EEXIST,))
        if verb == _NEWADDR
        else (0, (errno.EADDRNOTAVAIL, errno.ENODEV))
    )
    return _encode(what, message, verb, flags, attributes, harmless=harmless)


def _encode(
    what: str,
    message: Any,
    verb: int,
    flags: int,
    attributes: Sequence[Any],
    *,
    harmless: tuple[int, ...] = (),
) -> Request:
    message["attrs"] = attributes
    message["header"]["type"] = verb
    message["header"]["flags"] = _REQUEST_ACK | flags
    message["header"]["sequence_number"] = 0
    message["header"]["pid"] = 0
    message.encode()
    return Request(what, bytearray(message.data), harmless)


def _acknowledgements(packet: bytes) -> list[tuple[int, int]]:
    answers: list[tuple[int, int]] = []
    place = 0
    while place + _HEADER.size <= len(packet):
        length, kind, _, sequence, _ = _HEADER.unpack_from(packet, place)
        if kind == _NLMSG_ERROR:
            (number,) = struct.unpack_from("=i", packet, place + _HEADER.size)
            answers.append((sequence, -number))
        place += (length + 3) & ~3
    return answers


def _link_state(message: Any) -> LinkState:
    info = message.get_attr("IFLA_LINKINFO")
    return LinkState(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        kind=(info.get_attr("IFLA_INFO_KIND") if info else "") or "",
        up=bool(message["flags"] & _IFF_UP),
        master=message.get_attr("IFLA_MASTER") or 0,
        mac=message.get_attr("IFLA_ADDRESS") or "",
    )
