"""What this node's data plane should be: networks, services, backends, containers, and what changed since last asked.

Pure: no I/O, no clock. Everything that is written is built from here by owner, so that a change costs what it
touches. A backend keeps its addresses while it drains, so that its connections can be counted after it left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from hivelet.network.dns.records import (
    ContainerNames,
    Records,
    build_container_zone,
    build_service_zone,
)
from hivelet.network.family import FRAMES, IPV4, Family
from hivelet.network.names import bridge_name, mac_address
from hivelet.network.rules.frames import Speaker, build_frames
from hivelet.network.rules.ingress import build_ports, clashes
from hivelet.network.rules.isolation import build_asker, build_isolation, build_members, is_open
from hivelet.network.rules.masquerade import build_sandbox, build_uplinks
from hivelet.network.rules.ruleset import EMPTY, Fragment
from hivelet.network.rules.vip import build_protocols, build_vips
from hivelet.objects.common import ContainerId, NetworkId, ServiceId, TaskId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

_NETWORKS = "networks"
_WITH_ZONE = ("service:", "container:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverRecord:
    """A resolver for the members of exactly these networks, with these servers for outside names."""

    name: str
    address: str
    networks: tuple[NetworkId, ...]
    upstreams: tuple[str, ...] = ()
    forward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord:
    """A container's place: what a restarted hiveletd must know of a sandbox and cannot see in the kernel."""

    container_id: ContainerId
    task_id: TaskId | None
    addresses: dict[NetworkId, str]
    addresses6: dict[NetworkId, str] = field(default_factory=dict)
    macs: dict[NetworkId, str] = field(default_factory=dict)
    names: dict[NetworkId, tuple[str, ...]] = field(default_factory=dict)
    ports: dict[NetworkId, str] = field(default_factory=dict)
    """The host's end of the veth pair in each network."""
    gateway: str = ""
    gateway6: str = ""
    resolver: str | None = None
    resolv_conf: str = ""
    hosts: str = ""
    way_out: NetworkId | None = None
    priorities: dict[NetworkId, int] = field(default_factory=dict)


class DesiredState:
    """The desired state and its dirty marks."""

    def __init__(self) -> None:
        self.networks: dict[NetworkId, BridgeNetwork] = {}
        self.services: dict[ServiceId, ServiceEntry] = {}
        self.published: dict[ServiceId, ServiceEntry] = {}
        """Ports of plain containers, each as a service of its own that nobody can ask for by name."""
        self.backends: dict[TaskId, Backend] = {}
        self.containers: dict[ContainerId, ContainerRecord] = {}
        self.resolvers: dict[str, ResolverRecord] = {}
        self._members: dict[ServiceId, dict[TaskId, Backend]] = {}
        self._dirty_owners: set[str] = set()
        self._dirty_resolvers: set[str] = set()
        self._vips: dict[str, set[str]] | None = None
        """What `vips` has found, until services or networks change: backends, which change often, have no part in it."""

    def put_network(self, network: BridgeNetwork) -> bool:
        """Add or change a network; True where it is a change. Services that use it are written anew."""
        if self.networks.get(network.id) == network:
            return False
        self.networks[network.id] = network
        self._mark_network(network.id)
        return True

    def drop_network(self, network_id: NetworkId) -> None:
        """Forget a network."""
        if self.networks.pop(network_id, None) is not None:
            self._mark_network(network_id)

    def set_services(self, entries: Mapping[ServiceId, ServiceEntry]) -> None:
        """Replace all services; only those that differ are marked."""
        for service_id in self.services.keys() | entries.keys():
            before, after = self.services.get(service_id), entries.get(service_id)
            if before == after:
                continue
            self._vips = None
            if after is None:
                del self.services[service_id]
            else:
                self.services[service_id] = after
            self._dirty_owners.add(_of_service(service_id))

    def admit(self, backend: Backend) -> None:
        """Add a backend or change it."""
        before = self.backends.get(backend.task_id)
        if before == backend:
            return
        if before is not None:
            self.withdraw(backend.task_id)
        self.backends[backend.task_id] = backend
        self._members.setdefault(backend.service_id, {})[backend.task_id] = backend
        self._dirty_owners.add(_of_service(backend.service_id))

    def publish(self, backend: Backend) -> None:
        """Add the host-mode ports of a plain container; `withdraw` takes them out again."""
        entry = ServiceEntry(service_id=backend.service_id, name=backend.service_name, mode="dnsrr")
        self.admit(backend)  # a change withdraws what was, and its entry with it
        self.published[backend.service_id] = entry

    def publisher_of(self, port: PortConfig) -> str:
        """The name of the plain container that holds a port of the host; "" where none does."""
        for entry in self.published.values():
            for backend in self._members.get(entry.service_id, {}).values():
                if any(clashes(port, held) for held in backend.host_ports):
                    return entry.name
        return ""

    def withdraw(self, task_id: TaskId) -> Backend | None:
        """Take a backend out; returns it."""
        backend = self.backends.pop(task_id, None)
        if backend is None:
            return None
        self._dirty_owners.add(_of_service(backend.service_id))
        members = self._members[backend.service_id]
        del members[task_id]
        if not members:
            del self._members[backend.service_id]
            self.published.pop(backend.service_id, None)
        return backend

    def put_container(self, record: ContainerRecord) -> None:
        """Add a container's sandbox."""
        self.containers[record.container_id] = record
        self._dirty_owners.add(_of_container(record.container_id))

    def drop_container(self, container_id: ContainerId) -> ContainerRecord | None:
        """Forget a container's sandbox; returns it."""
        record = self.containers.pop(container_id, None)
        if record is not None:
            self._dirty_owners.add(_of_container(container_id))
        return record

    def put_resolver(self, record: ResolverRecord) -> None:
        """Add a resolver."""
        self.resolvers[record.name] = record
        self._dirty_resolvers.add(record.name)
        self._mark_askers(record.name)

    def mark_resolver(self, name: str) -> None:
        """Have a resolver's records published again."""
        self._dirty_resolvers.add(name)

    def drop_resolver(self, name: str) -> None:
        """Forget a resolver."""
        if self.resolvers.pop(name, None) is not None:
            self._mark_askers(name)

    def take_dirty(self) -> tuple[set[str], set[str]]:
        """The owners that changed since this was last called, and the resolvers that must be given everything."""
        owners, resolvers = self._dirty_owners, self._dirty_resolvers & self.resolvers.keys()
        self._dirty_owners, self._dirty_resolvers = set(), set()
        return owners, resolvers

    def mark_all(self) -> None:
        """Mark everything: after a failure, and to begin with."""
        self._dirty_owners |= {_NETWORKS}
        self._dirty_owners |= {
            _of_service(service_id) for service_id in (*self.services, *self.published)
        }
        self._dirty_owners |= {_of_container(container_id) for container_id in self.containers}
        self._dirty_resolvers |= self.resolvers.keys()

    def build(self, owner: str, family: Family = IPV4) -> Fragment:
        """An owner's part of a family's ruleset; empty where the owner is gone."""
        kind, _, name = owner.partition(":")
        if family is FRAMES:
            return self._build_frames(ContainerId(name)) if kind == "container" else EMPTY
        match kind:
            case "networks":
                return _merge(
                    build_protocols(),
                    build_isolation(self.networks.values(), family),
                    build_uplinks(self.networks.values(), family),
                )
            case "service":
                return self._build_service(ServiceId(name), family)
            case "container":
                return self._build_container(ContainerId(name), family)
            case _:
                raise AssertionError(owner)

    def vips(self) -> dict[str, set[str]]:
        """The VIPs that each bridge must answer for. Not to be changed."""
        if self._vips is None:
            self._vips = self._collect_vips()
        return self._vips

    def _collect_vips(self) -> dict[str, set[str]]:
        wanted: dict[str, set[str]] = {bridge_name(n): set() for n in self.networks.values()}
        for entry in self.services.values():
            if entry.mode != "vip":
                continue
            for network_id, vip in entry.vips.items():
                if (network := self.networks.get(network_id)) is not None:
                    wanted[bridge_name(network)].add(vip)
            for network_id, vip in entry.vips6.items():
                network = self.networks.get(network_id)
                if network is not None and network.subnet6:
                    wanted[bridge_name(network)].add(vip)
        return wanted

    def vip_subnets(self) -> dict[str, tuple[str, ...]]:
        """The bridges that may have VIPs, each with the subnets that they are of."""
        return {
            bridge_name(n): tuple(filter(None, (n.subnet, n.subnet6)))
            for n in self.networks.values()
            if n.kind == "overlay"
        }

    def build_zones(self, name: str, owners: Collection[str] | None) -> dict[str, Records]:
        """What these owners (None: all) contribute to a resolver; an empty zone where they contribute nothing."""
        record = self.resolvers[name]
        networks = {n: self.networks[n] for n in record.networks if n in self.networks}
        if owners is None:
            owners = [*map(_of_service, self.services), *map(_of_container, self.containers)]
        return {
            owner: self._build_zone(owner, networks)
            for owner in owners
            if owner.startswith(_WITH_ZONE)
        }

    def addresses_of(self, task_id: TaskId) -> tuple[str, ...]:
        """All addresses of a task, whether it takes connections or drains."""
        found: set[str] = set()
        if (backend := self.backends.get(task_id)) is not None:
            found |= {*backend.addresses.values(), *backend.addresses6.values()}
        for record in self.containers.values():
            if record.task_id == task_id:
                found |= {*record.addresses.values(), *record.addresses6.values()}
        return tuple(sorted(found))

    def gone_among(self, addresses: Iterable[str]) -> list[str]:
        """Those of our networks' addresses that no backend has."""
        subnets = [
            ip_network(subnet)
            for network in self.networks.values()
            for subnet in filter(None, (network.subnet, network.subnet6))
        ]
        held = {
            address
            for backend in self.backends.values()
            for addresses in (backend.addresses, backend.addresses6)
            for address in addresses.values()
        }
        return [
            address
            for address in addresses
            if address not in held and any(ip_address(address) in subnet for subnet in subnets)
        ]

    def resolvers_unused(self) -> list[str]:
        """Resolvers that no container asks any more."""
        used = {record.resolver for record in self.containers.values()}
        return [name for name in self.resolvers if name not in used]

    def _build_service(self, service_id: ServiceId, family: Family) -> Fragment:
        entry = self.services.get(service_id) or self.published.get(service_id)
        if entry is None:
            return EMPTY
        members = tuple(self._members.get(service_id, {}).values())
        return _merge(
            build_vips(entry, members, self.networks, family),
            build_ports(entry, members, self.networks, family),
        )

    def _build_container(self, container_id: ContainerId, family: Family) -> Fragment:
        record = self.containers.get(container_id)
        if record is None:
            return EMPTY
        own = record.addresses if family is IPV4 else record.addresses6
        places = [
            (network, address)
            for network_id, address in own.items()
            if (network := self.networks.get(network_id)) is not None
        ]
        members, addresses = build_members(places), sorted(own.values())
        resolver = self.resolvers.get(record.resolver) if record.resolver is not None else None
        if family is not IPV4 or resolver is None:
            return _merge(members, build_sandbox(addresses, None))
        asker = {bridge_name(network): address for network, address in places}
        return _merge(
            members,
            build_sandbox(addresses, resolver.address),
            build_asker(asker, resolver.address),
        )

    def _build_frames(self, container_id: ContainerId) -> Fragment:
        record = self.containers.get(container_id)
        if record is None:
            return EMPTY
        return build_frames(
            Speaker(
                port=port,
                mac=record.macs.get(network_id) or mac_address(record.addresses[network_id]),
                address=record.addresses[network_id],
                address6=record.addresses6.get(network_id, ""),
            )
            for network_id, port in record.ports.items()
            if (network := self.networks.get(network_id)) is not None and not is_open(network)
        )

    def _build_zone(self, owner: str, networks: Mapping[NetworkId, BridgeNetwork]) -> Records:
        kind, _, name = owner.partition(":")
        if kind == "service":
            service_id = ServiceId(name)
            entry = self.services.get(service_id)
            members = tuple(self._members.get(service_id, {}).values())
            if entry is None or entry.leaving:
                return {}
            return build_service_zone(networks, entry, members)
        record = self.containers.get(ContainerId(name))
        if record is None:
            return {}
        places = [
            ContainerNames(network_id=network_id, address=address, names=record.names[network_id])
            for addresses in (record.addresses, record.addresses6)
            for network_id, address in addresses.items()
            if record.names.get(network_id)
        ]
        return build_container_zone(networks, places)

    def _mark_network(self, network_id: NetworkId) -> None:
        self._vips = None
        self._dirty_owners.add(_NETWORKS)
        for name, record in self.resolvers.items():
            if network_id in record.networks or not record.networks:
                self._dirty_resolvers.add(name)
        for container_id, container in self.containers.items():
            if network_id in container.addresses:
                self._dirty_owners.add(_of_container(container_id))
        for service_id, entry in (*self.services.items(), *self.published.items()):
            members = self._members.get(service_id, {}).values()
            if network_id in entry.vips or any(network_id in b.addresses for b in members):
                self._dirty_owners.add(_of_service(service_id))

    def _mark_askers(self, resolver: str) -> None:
        self._dirty_owners |= {
            _of_container(container_id)
            for container_id, record in self.containers.items()
            if record.resolver == resolver
        }


def _of_service(service_id: ServiceId) -> str:
    return f"service:{service_id}"


def _of_container(container_id: ContainerId) -> str:
    return f"container:{container_id}"


def _merge(*parts: Fragment) -> Fragment:
    return Fragment(
        chains={name: chain for part in parts for name, chain in part.chains.items()},
        elements={key: item for part in parts for key, item in part.elements.items()},
    )
