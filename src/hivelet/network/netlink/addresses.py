"""Addresses of links, as requests and as they are."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import IPv4Address, ip_address

from hivelet.network.netlink import nlmsg
from hivelet.network.netlink.door import Request, dump

_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_ADDRESS = struct.Struct("=BBBBi")
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_CACHEINFO = 1, 2, 4, 6
_SCOPE_UNIVERSE = 0
_PERMANENT = 0x80
HOST_PREFIX: dict[int, int] = {socket.AF_INET: 32, socket.AF_INET6: 128}
"""Of each family, the prefix length of a subnet that is one address."""
_CACHEINFO = struct.Struct("=IIII")
_FOREVER = 0xFFFFFFFF


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


def host_prefix(address: str) -> int:
    """The prefix length of a subnet that is this address alone."""
    return HOST_PREFIX[nlmsg.family_of(address)]


def list_addresses() -> list[tuple[int, str, int]]:
    """All addresses as (link index, address, prefix length), IPv4 first, those of single links left out."""
    found: list[tuple[int, str, int]] = []
    for wanted in HOST_PREFIX:
        for body in dump(_GETADDR, _ADDRESS.pack(wanted, 0, 0, 0, 0)):
            family, prefix, _, _, index = _ADDRESS.unpack_from(body)
            attributes = nlmsg.split_attributes(body, _ADDRESS.size)
            local = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
            # A kernel without IPv6 answers with what it has.
            if local is None or family != wanted or is_of_one_link(local):
                continue
            found.append((index, nlmsg.unpack_address(local), prefix))
    return found


def is_of_one_link(packed: bytes) -> bool:
    """Whether every link has it for itself: IPv6 link-local and multicast addresses."""
    address = ip_address(packed)
    return address.version == 6 and (address.is_link_local or address.is_multicast)
