"""Whether a published port is free on this host: a look at who listens, as `ss` takes it.

A rule in the kernel would take a foreign program's clients away without a word, so a port that somebody listens on
is refused. A trial `bind` would not do: it also fails for a port that merely is some connection's local end.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from hivelet.errors import Conflict
from hivelet.network.names import RESOLVER_SUBNET
from hivelet.objects.task import PortConfig

_LISTEN, _UNCONNECTED = "0A", "07"
_TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_ANY = ("", "0.0.0.0", "::")
_RESOLVERS = ip_network(RESOLVER_SUBNET)


class PortTaken(Conflict):
    """A port that was to be published is held by a program that is not ours."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that takes connections or datagrams; `address` "" means all addresses.

    One of `ipv6` on all addresses may take IPv4 as well; an IPv4 address that stands in an IPv6 table counts as IPv4.
    """

    address: str
    port: int
    inode: int
    ipv6: bool = False


def parse_listeners(table: str, protocol: str) -> Iterator[Listener]:
    """The listening sockets in the text of `/proc/net/{tcp,udp}[6]`."""
    wanted = _LISTEN if protocol == "tcp" else _UNCONNECTED
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] != wanted:
            continue
        address, _, port = fields[1].rpartition(":")
        where = _parse_address(address)
        ipv6 = len(address) > 8 and (not where or ":" in where)
        yield Listener(where, int(port, 16), int(fields[9]), ipv6)


def find_clash(port: PortConfig, listeners: Iterable[Listener]) -> Listener | None:
    """A listener that a published port would take the clients from.

    Our own resolvers, on addresses of theirs, are none: the rules leave them their questions, whatever is published.
    """
    for listener in listeners:
        if listener.port != port.published_port or _is_resolver(listener.address):
            continue
        if port.host_ip and ":" in port.host_ip and not listener.ipv6:
            continue
        if port.host_ip in _ANY or listener.address in ("", port.host_ip):
            return listener
    return None


def check_port_free(port: PortConfig) -> None:
    """Refuse a port that somebody listens on.

    Raises:
        PortTaken: naming the port and, where it can be seen, the process.
    """
    clash = find_clash(port, _read_listeners(port.protocol))
    if clash is None:
        return
    host = port.host_ip or clash.address or ("::" if clash.ipv6 else "0.0.0.0")
    where = f"[{host}]:{port.published_port}" if ":" in host else f"{host}:{port.published_port}"
    raise PortTaken(
        f"port {port.published_port}/{port.protocol} is already allocated: {where} is in use by "
        f"{_name_owner(clash.inode)}. Stop it, or publish another port."
    )


def _read_listeners(protocol: str) -> Iterator[Listener]:
    for name in _TABLES.get(protocol, ()):
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6 has no tcp6
            yield from parse_listeners(Path("/proc/thread-self/net", name).read_text(), protocol)


def _is_resolver(address: str) -> bool:
    return address != "" and ip_address(address) in _RESOLVERS


def _parse_address(text: str) -> str:
    raw = bytes.fromhex(text)
    words = struct.unpack(f"={len(raw) // 4}I", raw)
    packed = struct.pack(f">{len(words)}I", *words)
    if not any(packed):
        return ""
    if len(packed) == 4:
        return str(IPv4Address(packed))
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _name_owner(inode: int) -> str:
    target = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # a process may end while it is looked at
            if any(os.readlink(found) == target for found in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                return f"{name} (pid {process.name})"
    return "another program"
