"""Which names mean which addresses, for the members of a set of networks. Pure.

- a service's name and aliases → its VIP in each network of the set; all its tasks where it has no VIP (dnsrr);
- `tasks.NAME` → all its tasks that take connections;
- a container's names and its aliases in a network → its address there.

Each name also resolves with the network's name behind a dot, as Docker does it. Names are compared without case. A
service name stays *known* while it has no address, so that its absence is answered here and not asked of the world.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry

SERIAL_NAME = "serial.hivelet-resolver"
"""A name whose address is the number of the records' version: how we see that a resolver has read them."""

_NAME = re.compile(r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerNames:
    """A container's address in a network, and what it is called there."""

    network_id: NetworkId
    address: str
    names: tuple[str, ...]


Records = Mapping[str, tuple[str, ...]]
"""Names to addresses, sorted; a known name without an address has an empty tuple."""


def build_records(
    networks: Mapping[NetworkId, BridgeNetwork],
    services: Iterable[ServiceEntry],
    backends: Mapping[str, Collection[Backend]],
    containers: Iterable[ContainerNames],
) -> Records:
    """The records for the members of `networks`; `backends` are by service id."""
    found: dict[str, set[str]] = {}
    for entry in services:
        for network in networks.values():
            members = [
                backend.addresses[network.id]
                for backend in backends.get(entry.service_id, ())
                if network.id in backend.addresses
            ]
            joined = network.id in entry.vips or network.id in entry.aliases or bool(members)
            if joined:
                _add_service(found, entry, network, members)
    for container in containers:
        if (network_or_none := networks.get(container.network_id)) is not None:
            _add(found, container.names, network_or_none.name, [container.address])
    return {name: _sorted(addresses) for name, addresses in sorted(found.items())}


def render_hosts_file(records: Records, serial: int) -> str:
    """The records as dnsmasq reads them: one line for each address, the names behind it."""
    by_address: dict[str, list[str]] = {}
    for name, addresses in records.items():
        for address in addresses:
            by_address.setdefault(address, []).append(name)
    lines = [f"{address} {' '.join(by_address[address])}" for address in _sorted(by_address)]
    return "\n".join([f"{serial_address(serial)} {SERIAL_NAME}", *lines]) + "\n"


def render_servers_file(records: Records) -> str:
    """Which names are ours alone: asked for another type, or without an address, they are never sent abroad.

    Only the exact name is ours: a service called `app` must not hide the top-level domain of that name, so whatever
    lies below it goes to the standard servers again.
    """
    names = [SERIAL_NAME, *records]
    return "".join(f"server=/{name}/\nserver=/*.{name}/#\n" for name in names)


def serial_address(serial: int) -> str:
    """A version number as an address of the block that is never used (0.0.0.0/8)."""
    return str(IPv4Address(serial % 0xFFFFFF + 1))


def is_resolvable(name: str) -> bool:
    """Whether a name may stand in a zone; others are left out rather than break the file."""
    return _NAME.match(name) is not None and ".." not in name


def _add_service(
    found: dict[str, set[str]], entry: ServiceEntry, network: BridgeNetwork, members: list[str]
) -> None:
    names = (entry.name, *entry.aliases.get(network.id, ()))
    vip = entry.vips.get(network.id) if entry.mode == "vip" else None
    _add(found, names, network.name, [vip] if vip else members)
    _add(found, [f"tasks.{name}" for name in names], network.name, members)


def _add(
    found: dict[str, set[str]], names: Iterable[str], network: str, addresses: Iterable[str]
) -> None:
    for name in names:
        for full in (name, f"{name}.{network}"):
            if is_resolvable(full):
                found.setdefault(full.lower(), set()).update(addresses)


def _sorted(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(addresses, key=lambda address: int(IPv4Address(address))))
