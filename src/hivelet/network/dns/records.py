"""Which names mean which addresses, for the members of a set of networks. Pure.

- a service's name and aliases → its VIP in each network of the set; all its tasks where it has no VIP (dnsrr);
- `tasks.NAME` → all its tasks that take connections;
- a container's names and its aliases in a network → its address there.

In a network with IPv6 each of these has addresses of both families. A name without an IPv6 address is known all the
same, so that the answer to who asks for one is empty at once.

Each name also resolves with the network's name behind a dot, as Docker does it. Names are compared without case. A
service name stays *known* while it has no address, so that its absence is answered here and not asked of the world.

A *zone* is what one owner (a service, a container) contributes; a resolver answers with all of its zones together, so
a change costs what it changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry

SERIAL_NAME = "serial.hivelet-resolver"
"""A name whose address is the number of the records' version: how we see that a resolver has read them."""

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerNames:
    """A container's address in a network, and what it is called there."""

    network_id: NetworkId
    address: str
    names: tuple[str, ...]


Records = Mapping[str, tuple[str, ...]]
"""Names to addresses, sorted; a known name without an address has an empty tuple."""


def build_service_zone(
    networks: Mapping[NetworkId, BridgeNetwork], entry: ServiceEntry, backends: Sequence[Backend]
) -> Records:
    """What a service contributes for the members of `networks`; nothing where it is in none of them."""
    found: dict[str, set[str]] = {}
    for network in networks.values():
        members = [
            addresses[network.id]
            for backend in backends
            for addresses in (backend.addresses, backend.addresses6)
            if network.id in addresses
        ]
        if network.id in entry.vips or network.id in entry.aliases or members:
            _add_service(found, entry, network, members)
    return _frozen(found)


def build_container_zone(
    networks: Mapping[NetworkId, BridgeNetwork], containers: Iterable[ContainerNames]
) -> Records:
    """What a container contributes: `containers` are its places in its networks."""
    found: dict[str, set[str]] = {}
    for container in containers:
        network = networks.get(container.network_id)
        if network is not None:
            _add(found, container.names, network.name, [container.address])
    return _frozen(found)


def render_zone(records: Records) -> str:
    """The records as dnsmasq reads them: one line for each address, the names behind it."""
    by_address: dict[str, list[str]] = {}
    for name, addresses in records.items():
        for address in addresses:
            by_address.setdefault(address, []).append(name)
    return "".join(
        f"{address} {' '.join(by_address[address])}\n" for address in _sorted(by_address)
    )


def render_serial(serial: int) -> str:
    """The zone that says which version of the records is in effect."""
    return f"{serial_address(serial)} {SERIAL_NAME}\n"


def parse_serial(text: str) -> int | None:
    """The version that a zone of `render_serial` tells; None where it is not one."""
    match text.split():
        case [address, name] if name == SERIAL_NAME and address.startswith("0."):
            return int(IPv4Address(address)) - 1
        case _:
            return None


def render_servers(names: Iterable[str]) -> str:
    """Which names are ours alone: asked for another type, or without an address, they are never sent abroad.

    Only the exact name is ours: a service called `app` must not hide the top-level domain of that name, so whatever
    lies below it goes to the standard servers again.
    """
    known = [SERIAL_NAME, *sorted(names)]
    return "".join(f"server=/{name}/\nserver=/*.{name}/#\n" for name in known)


def serial_address(serial: int) -> str:
    """A version number as an address of the block that is never used (0.0.0.0/8)."""
    return str(IPv4Address(serial % 0xFFFFFF + 1))


def is_resolvable(name: str) -> bool:
    """Whether a name may stand in a zone; others are left out rather than break the file, or our own name."""
    return name.lower() != SERIAL_NAME and _NAME.fullmatch(name) is not None and ".." not in name


def _add_service(
    found: dict[str, set[str]], entry: ServiceEntry, network: BridgeNetwork, members: list[str]
) -> None:
    names = (entry.name, *entry.aliases.get(network.id, ()))
    vips: list[str] = []
    if entry.mode == "vip" and network.id in entry.vips:
        vips.append(entry.vips[network.id])
        if network.subnet6 and network.id in entry.vips6:
            vips.append(entry.vips6[network.id])
    _add(found, names, network.name, vips or members)
    _add(found, [f"tasks.{name}" for name in names], network.name, members)


def _add(
    found: dict[str, set[str]], names: Iterable[str], network: str, addresses: Iterable[str]
) -> None:
    for name in names:
        for full in (name, f"{name}.{network}"):
            if is_resolvable(full):
                found.setdefault(full.lower(), set()).update(addresses)


def _frozen(found: Mapping[str, set[str]]) -> Records:
    return {name: _sorted(addresses) for name, addresses in sorted(found.items())}


def _sorted(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(addresses, key=_order))


def _order(address: str) -> tuple[int, int]:
    value = ip_address(address)
    return value.version, int(value)
