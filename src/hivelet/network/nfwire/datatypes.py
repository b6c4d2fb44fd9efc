"""Keys and values as the kernel has them, from the words of nft's language. Pure.

Parts of a concatenation are padded to four bytes each. What is not plainly one of these (an unquoted or wildcard link
name, a prefix, a service by name) is left to nft's library.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hivelet.network.nfwire import uapi
from hivelet.network.nfwire.unspoken import NotSpoken

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": uapi.IPPROTO_ICMPV6, "sctp": 132}

_LINK_SIZE = 16
_LINK = re.compile(r'"([A-Za-z0-9._-]{1,15})"')
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class DataType:
    """One of nft's types: its number there, its size, and how a value is packed."""

    number: int
    size: int
    pack: Callable[[str], bytes]

    @property
    def padded(self) -> int:
        """The room that it takes in a concatenation."""
        return self.size + -self.size % 4


def pack_mac(text: str) -> bytes:
    """A link-layer address."""
    if not _MAC.fullmatch(text):
        raise NotSpoken(text)
    return bytes.fromhex(text.replace(":", ""))


def _pack_link(text: str) -> bytes:
    match = _LINK.fullmatch(text)
    if match is None:
        raise NotSpoken(text)
    return match[1].encode().ljust(_LINK_SIZE, b"\0")


def _pack_protocol(text: str) -> bytes:
    if text not in PROTOCOLS:
        raise NotSpoken(text)
    return bytes([PROTOCOLS[text]])


def _pack_port(text: str) -> bytes:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise NotSpoken(text)
    return struct.pack(">H", int(text))


def _address_packer(family: int) -> Callable[[str], bytes]:
    def pack(text: str) -> bytes:
        try:
            return socket.inet_pton(family, text)
        except (OSError, ValueError) as error:
            raise NotSpoken(text) from error

    return pack


IPV4_ADDR = DataType(uapi.TYPE_IPADDR, 4, _address_packer(socket.AF_INET))
IPV6_ADDR = DataType(uapi.TYPE_IP6ADDR, 16, _address_packer(socket.AF_INET6))
INET_PROTO = DataType(uapi.TYPE_INET_PROTOCOL, 1, _pack_protocol)
INET_SERVICE = DataType(uapi.TYPE_INET_SERVICE, 2, _pack_port)
IFNAME = DataType(41, _LINK_SIZE, _pack_link)

NAMED = {
    "ipv4_addr": IPV4_ADDR,
    "ipv6_addr": IPV6_ADDR,
    "inet_proto": INET_PROTO,
    "inet_service": INET_SERVICE,
    "ifname": IFNAME,
}


def pack(text: str, kinds: Sequence[DataType]) -> bytes:
    """A value, or a concatenation of several ("a . b")."""
    if len(kinds) == 1:
        return kinds[0].pack(text)
    parts = text.split(" . ")
    if len(parts) != len(kinds):
        raise NotSpoken(text)
    return b"".join(
        kind.pack(part).ljust(kind.padded, b"\0") for part, kind in zip(parts, kinds, strict=True)
    )


def size_of(kinds: Sequence[DataType]) -> int:
    """The room that such a value takes."""
    return kinds[0].size if len(kinds) == 1 else sum(kind.padded for kind in kinds)


def number_of(kinds: Sequence[DataType]) -> int:
    """The number of a type, or that of a concatenation: six bits for each."""
    number = 0
    for kind in kinds:
        number = number << uapi.TYPE_BITS | kind.number
    return number
