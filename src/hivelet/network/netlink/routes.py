"""Routes, as requests and as they are."""

from __future__ import annotations

import errno
import socket
import struct
import sys

from hivelet.network.netlink import nlmsg
from hivelet.network.netlink.addresses import HOST_PREFIX, is_of_one_link
from hivelet.network.netlink.door import Request, dump

_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26

_CLONED = 0x200
"""RTM_F_CLONED of linux/rtnetlink.h."""

_ROUTE = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 6, 7, 15
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_PROTO_KERNEL, _PROTO_STATIC = 2, 4
_UNICAST = 1
_LOCAL = 2
TABLE_MAIN, TABLE_LOCAL = 254, 255

_METRIC_OF_SUBNETS: dict[int, int] = {socket.AF_INET: 0, socket.AF_INET6: 256}
"""What the kernel gives the route that comes with an address (fib_frontend.c; IP6_RT_PRIO_ADDRCONF)."""


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
    bits = HOST_PREFIX[family]
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


def list_routes() -> list[tuple[str, int]]:
    """All routes of all tables as (destination in CIDR notation, link index), IPv4 first; defaults left out."""
    found: list[tuple[str, int]] = []
    for wanted in HOST_PREFIX:
        for body in dump(_GETROUTE, _ROUTE.pack(wanted, 0, 0, 0, 0, 0, 0, 0, 0)):
            family, length, _, _, table, _, _, _, flags = _ROUTE.unpack_from(body)
            attributes = nlmsg.split_attributes(body, _ROUTE.size)
            destination = attributes.get(_RTA_DST)
            if table == TABLE_LOCAL or destination is None or family != wanted:
                continue
            if flags & _CLONED:
                continue  # what the kernel learned about one neighbour (a redirect, a path's MTU) is no route of anybody's
            if not is_of_one_link(destination):
                index = int.from_bytes(attributes.get(_RTA_OIF, b""), sys.byteorder)
                found.append((f"{nlmsg.unpack_address(destination)}/{length}", index))
    return found


def list_subnet_routes() -> list[tuple[int, str]]:
    """The routes that addresses brought with them, as (link index, subnet).

    The kernel leaves all others out where it can (since 4.20): a host may have hundreds of thousands.
    """
    found: list[tuple[int, str]] = []
    for wanted in HOST_PREFIX:
        asked = _ROUTE.pack(wanted, 0, 0, 0, TABLE_MAIN, _PROTO_KERNEL, 0, 0, 0)
        for body in dump(_GETROUTE, asked, strict=True):
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
    for body in dump(_GETROUTE, wanted, strict=True):
        attributes = nlmsg.split_attributes(body, _ROUTE.size)
        oif = int.from_bytes(attributes.get(_RTA_OIF, b""), sys.byteorder)
        if body[0] == socket.AF_INET6 and oif == index:
            destination = nlmsg.unpack_address(attributes.get(_RTA_DST, bytes(16)))
            table = int.from_bytes(attributes.get(_RTA_TABLE, body[4:5]), sys.byteorder)
            found.append((table, f"{destination}/{body[1]}"))
    return found
