"""Whether a published port is free on this host: a look at who listens, as `ss` takes it.

A rule in the kernel would take a foreign program's clients away without a word, so a port that somebody listens on
is refused. A trial `bind` would not do: it also fails for a port that merely is some connection's local end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from hivelet.errors import Conflict
from hivelet.network.listeners import Listener
from hivelet.network.names import RESOLVER_SUBNET
from hivelet.network.sockets import list_listeners, read_tables
from hivelet.objects.task import PortConfig

_ANY = ("", "0.0.0.0", "::")
_RESOLVERS = ip_network(RESOLVER_SUBNET)


class PortTaken(Conflict):
    """A port that was to be published is held by a program that is not ours."""


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
    if protocol == "tcp":
        yield from list_listeners()
    elif protocol == "udp":
        yield from read_tables(protocol)


def _is_resolver(address: str) -> bool:
    return address != "" and ip_address(address) in _RESOLVERS


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
