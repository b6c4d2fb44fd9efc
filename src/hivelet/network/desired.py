"""What this node's data plane should be: networks, services, backends, containers, and what changed since last asked.

Pure: no I/O, no clock. Everything that is written is built from here by owner (`contributions.py`), so that a change costs
what it touches. A backend keeps its addresses while it drains, so that its connections can be counted after it left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

from hivelet.network.names import bridge_name
from hivelet.network.records import ContainerRecord, ResolverRecord
from hivelet.network.rules.ingress import clashes
from hivelet.objects.common import ContainerId, NetworkId, ServiceId, TaskId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

_NETWORKS = "networks"


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
            self._dirty_owners.add(owner_of_service(service_id))

    def admit(self, backend: Backend) -> None:
        """Add a backend or change it."""
        before = self.backends.get(backend.task_id)
        if before == backend:
            return
        if before is not None:
            self.withdraw(backend.task_id)
        self.backends[backend.task_id] = backend
        self._members.setdefault(backend.service_id, {})[backend.task_id] = backend
        self._dirty_owners.add(owner_of_service(backend.service_id))

    def publish(self, backend: Backend) -> None:
        """Add the host-mode ports of a plain container; `withdraw` takes them out again."""
        entry = ServiceEntry(service_id=backend.service_id, name=backend.service_name, mode="dnsrr")
        self.admit(backend)  # a change withdraws what was, and its entry with it
        self.published[backend.service_id] = entry

    def members_of(self, service_id: ServiceId) -> tuple[Backend, ...]:
        """The backends of a service, or of a plain container's ports."""
        return tuple(self._members.get(service_id, {}).values())

    def publisher_of(self, port: PortConfig) -> str:
        """The name of the plain container that holds a port of the host; "" where none does."""
        for entry in self.published.values():
            for backend in self._members.get(entry.service_id, {}).values():
                if any(clashes(port, held) for held in backend.host_ports):
                    return entry.name
        return ""

    def held_ports(self) -> set[tuple[str, str, int]]:
        """The ports of the host that services and containers have: address ("" is all), protocol, port."""
        entries = (port for entry in self.services.values() for port in entry.ports)
        own = (port for backend in self.backends.values() for port in backend.host_ports)
        return {
            (
                "" if port.host_ip in ("0.0.0.0", "::") else port.host_ip,
                port.protocol,
                port.published_port,
            )
            for ports in (entries, own)
            for port in ports
            if port.published_port
        }

    def withdraw(self, task_id: TaskId) -> Backend | None:
        """Take a backend out; returns it."""
        backend = self.backends.pop(task_id, None)
        if backend is None:
            return None
        self._dirty_owners.add(owner_of_service(backend.service_id))
        members = self._members[backend.service_id]
        del members[task_id]
        if not members:
            del self._members[backend.service_id]
            self.published.pop(backend.service_id, None)
        return backend

    def put_container(self, record: ContainerRecord) -> None:
        """Add a container's sandbox."""
        self.containers[record.container_id] = record
        self._dirty_owners.add(owner_of_container(record.container_id))

    def drop_container(self, container_id: ContainerId) -> ContainerRecord | None:
        """Forget a container's sandbox; returns it."""
        record = self.containers.pop(container_id, None)
        if record is not None:
            self._dirty_owners.add(owner_of_container(container_id))
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
            owner_of_service(service_id) for service_id in (*self.services, *self.published)
        }
        self._dirty_owners |= {owner_of_container(container_id) for container_id in self.containers}
        self._dirty_resolvers |= self.resolvers.keys()

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

    def _mark_network(self, network_id: NetworkId) -> None:
        self._vips = None
        self._dirty_owners.add(_NETWORKS)
        for name, record in self.resolvers.items():
            if network_id in record.networks or not record.networks:
                self._dirty_resolvers.add(name)
        for container_id, container in self.containers.items():
            if network_id in container.addresses:
                self._dirty_owners.add(owner_of_container(container_id))
        for service_id, entry in (*self.services.items(), *self.published.items()):
            members = self._members.get(service_id, {}).values()
            if network_id in entry.vips or any(network_id in b.addresses for b in members):
                self._dirty_owners.add(owner_of_service(service_id))

    def _mark_askers(self, resolver: str) -> None:
        self._dirty_owners |= {
            owner_of_container(container_id)
            for container_id, record in self.containers.items()
            if record.resolver == resolver
        }


def owner_of_service(service_id: ServiceId) -> str:
    """What a service is called as an owner of rules and names."""
    return f"service:{service_id}"


def owner_of_container(container_id: ContainerId) -> str:
    """What a container is called as such."""
    return f"container:{container_id}"
