"""Who listens on which port, read from the kernel's tables. Pure; the door is `sockets`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

_LISTEN, _UNCONNECTED = "0A", "07"


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that takes connections or datagrams; `address` "" means all addresses.

    One of `ipv6` on all addresses may take IPv4 as well; an IPv4 address that stands in an IPv6 table counts as IPv4.
    """

    address: str
    port: int
    inode: int
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """The ports that others can reach: TCP's in each family, and UDP's where they were asked for.

    A socket on `::` takes IPv4 as well, and counts in `ipv6`.
    """

    ipv4: frozenset[int] = frozenset()
    ipv6: frozenset[int] = frozenset()
    udp: frozenset[int] = frozenset()

    @property
    def all(self) -> frozenset[int]:
        """TCP's of either family."""
        return self.ipv4 | self.ipv6


def select_open(listeners: Iterable[Listener], receivers: Iterable[Listener] = ()) -> OpenPorts:
    """The ports listened on other than on loopback alone; `receivers` are UDP's sockets."""
    reached = [listener for listener in listeners if _is_reached(listener)]
    return OpenPorts(
        ipv4=frozenset(listener.port for listener in reached if not listener.ipv6),
        ipv6=frozenset(listener.port for listener in reached if listener.ipv6),
        udp=frozenset(receiver.port for receiver in receivers if _is_reached(receiver)),
    )


def _is_reached(listener: Listener) -> bool:
    return not listener.address or not ip_address(listener.address).is_loopback


def describe_listener(address: bytes, port: int, inode: int) -> Listener:
    """A listener at a packed address of either family."""
    if len(address) == 4:
        where, ipv6 = str(IPv4Address(address)), False
    else:
        mapped = IPv6Address(address).ipv4_mapped
        where, ipv6 = str(mapped or IPv6Address(address)), mapped is None
    return Listener("" if not any(address) else where, port, inode, ipv6)


def parse_listeners(table: str, protocol: str) -> Iterator[Listener]:
    """The listening sockets in the text of `/proc/net/{tcp,udp}[6]`."""
    wanted = _LISTEN if protocol == "tcp" else _UNCONNECTED
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] != wanted:
            continue
        address, _, port = fields[1].rpartition(":")
        yield describe_listener(_pack_address(address), int(port, 16), int(fields[9]))


def _pack_address(text: str) -> bytes:
    """The address in the network's order; the kernel prints its words in that of the machine."""
    raw = bytes.fromhex(text)
    count = len(raw) // 4
    return struct.pack(f">{count}I", *struct.unpack(f"={count}I", raw))
