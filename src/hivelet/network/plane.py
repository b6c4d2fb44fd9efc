"""The network plane: the one door through which the engine and the agent use this node's network.

It holds what is desired (networks, sandboxes, services, backends) and makes the kernel and the resolvers follow.
What always holds: `admit` and `withdraw` return only when rules *and* names say so; an error names the thing and the
way out; `stop` leaves everything running; `tear_down` leaves nothing.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import structlog

from hivelet.errors import Conflict, System
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.network import conntrack, joiner, netlink, ports, sysctls
from hivelet.network.desired import ContainerRecord, DesiredState, ResolverRecord
from hivelet.network.dns.files import (
    HostResolver,
    parse_resolv_conf,
    render_hosts,
    render_resolv_conf,
)
from hivelet.network.dns.keeper import ResolverKeeper
from hivelet.network.ipam import AddressPool
from hivelet.network.layout import SandboxLayout, build_layout
from hivelet.network.ledger import Ledger
from hivelet.network.names import bridge_name
from hivelet.network.netlink import Kernel
from hivelet.network.netns import is_namespace, remove_namespace
from hivelet.network.nft import Nft
from hivelet.network.sandbox import Leg, Sandbox, SandboxRequest
from hivelet.network.writer import RuleWriter
from hivelet.objects.common import ContainerId, NetworkId, ServiceId, TaskId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

log = structlog.get_logger(__name__)

_PROGRAMS = {"nft": "nftables", "dnsmasq": "dnsmasq-base"}
_LINKS_GONE_AFTER = 50
_HOST_RESOLV_CONF = Path("/etc/resolv.conf")


class NetworkPlane:
    """This node's data plane. Between `start` and `resume` rule writes are held, so that adoption never flaps."""

    def __init__(self, *, run: Path, root: Path, clock: Clock) -> None:
        self._clock = clock
        self._root = root
        self._namespaces = run / "netns"
        self._home = run / "network"
        self._kernel = Kernel()
        self._state = DesiredState()
        self._ledger = Ledger(self._home)
        self._resolvers = ResolverKeeper(
            self._home / "dns", self._state, self._ledger, self._kernel
        )
        self._connections = Kernel("connections")
        self._nft = Nft()
        self._writer = RuleWriter(self._state, self._resolvers, self._kernel, self._nft)
        self._supervisor = Supervisor("network")
        self._pools: dict[NetworkId, AddressPool] = {}
        self._making: set[ContainerId] = set()

    async def start(self) -> None:
        """Bring the host's prerequisites about and adopt what exists; rules stay as they are until `resume`.

        Raises:
            System: a program or a kernel switch is missing; says which, and the way out.
        """
        check_programs()
        self._namespaces.mkdir(parents=True, exist_ok=True)
        self._ledger.prepare()
        changed = await self._kernel.call(sysctls.ensure_host_sysctls)
        if changed:
            log.info("kernel switches set", switches=changed)
        await self._adopt()
        self._supervisor.keep("writer", self._writer.run)

    async def resume(self) -> None:
        """Write all rules and names in one transaction; what was admitted since `start` never left."""
        self._writer.release()
        await self._writer.settle()

    def networks(self) -> Mapping[NetworkId, BridgeNetwork]:
        """The networks that have a bridge here, adopted ones included."""
        return dict(self._state.networks)

    async def ensure_network(self, network: BridgeNetwork) -> None:
        """Make the network's bridge exist as described; idempotent, repairs what was removed by hand."""
        self._ledger.put_network(network)
        changed = self._state.put_network(network)
        made = await self._kernel.call(joiner.ensure_bridge, network)
        if made:
            await self._reattach(network)
        if changed or made:
            if made and not changed:
                self._writer.rewrite()  # its VIPs went with the old bridge
            await self._writer.settle()

    async def remove_network(self, network_id: NetworkId) -> None:
        """Remove the network's bridge and rules; a network that is not there is no error.

        Raises:
            Conflict: a sandbox still has a leg in it.
        """
        network = self._state.networks.get(network_id)
        if network is None:
            return
        members = [r for r in self._state.containers.values() if network_id in r.addresses]
        if members:
            raise Conflict(
                f"error while removing network: network {network.name} id {network_id} has active endpoints: "
                f"{', '.join(record.container_id[:12] for record in members[:5])}"
            )
        self._state.drop_network(network_id)
        self._pools.pop(network_id, None)
        await self._writer.settle()
        await self._kernel.call(joiner.remove_links, [bridge_name(network)])
        self._ledger.drop_network(network_id)

    async def create_sandbox(self, request: SandboxRequest) -> Sandbox:
        """Make the container's network namespace; its networks are ensured on the way.

        Raises:
            Conflict: the container has one already, or a network has no address left.
        """
        container_id = request.container_id
        if container_id in self._state.containers or container_id in self._making:
            raise Conflict(f"container {container_id[:12]} already has a network sandbox")
        self._making.add(container_id)
        try:
            for leg in request.legs:
                await self.ensure_network(leg.network)
            return await self._join(request)
        finally:
            self._making.discard(container_id)

    async def remove_sandbox(self, container_id: ContainerId) -> None:
        """Remove the namespace, its links and names; idempotent."""
        record = self._state.drop_container(container_id)
        await self._kernel.call(remove_namespace, self._namespaces / container_id)
        if record is None:
            return
        self._ledger.drop_container(container_id)
        for network_id, address in record.addresses.items():
            if network_id in self._pools:
                self._pools[network_id].release(address)
        await self._resolvers.stop_unused()
        self._writer.poke()

    def sandbox(self, container_id: ContainerId) -> Sandbox | None:
        """The sandbox of a container, adopted ones included."""
        record = self._state.containers.get(container_id)
        return None if record is None else self._sandbox(record)

    def set_services(self, entries: Mapping[ServiceId, ServiceEntry]) -> None:
        """State all services of this node's concern; the writer applies what changed, in one transaction."""
        self._state.set_services(entries)
        self._writer.poke()

    async def admit(self, backend: Backend) -> None:
        """Let a task take connections; returns once rules and names are in effect (at once while held)."""
        self._state.admit(backend)
        await self._writer.settle()

    async def withdraw(self, task_id: TaskId) -> None:
        """Take a task out; returns once no new connection can reach it by VIP, port or name. Idempotent."""
        backend = self._state.withdraw(task_id)
        await self._writer.settle()
        if backend is not None:
            for address in backend.addresses.values():
                await self._connections.call(conntrack.flush_udp, address)

    async def connections(self, task_id: TaskId) -> int:
        """How many established connections through VIPs and published ports the task still has."""
        addresses = self._state.addresses_of(task_id)
        counts = [await self._connections.call(conntrack.count_connections, a) for a in addresses]
        return sum(counts)

    async def used_subnets(self) -> dict[str, str]:
        """Subnets in use on this host, each with who uses it ("route through eth0", "network myapp_webnet")."""
        used = await self._kernel.call(joiner.list_used_subnets)
        used |= {n.subnet: f"network {n.name}" for n in self._state.networks.values() if n.subnet}
        return used

    async def check_port_free(self, port: PortConfig) -> None:
        """Refuse a published port that a foreign process holds.

        Raises:
            Conflict: naming the port and, where it can be seen, the process.
        """
        await asyncio.to_thread(ports.check_port_free, port)

    async def stop(self) -> None:
        """End this process's part; all links, rules and resolvers stay."""
        await self._supervisor.stop()
        self._kernel.close()
        self._connections.close()
        self._nft.close()

    async def tear_down(self) -> None:
        """Remove all that is hivelet's: sandboxes, bridges, tables, resolvers, files. The plane stays usable."""
        ports_of_all = {p for r in self._state.containers.values() for p in r.ports.values()}
        for container_id in list(self._state.containers):
            await self.remove_sandbox(container_id)
        await self._await_gone(ports_of_all)
        self._state.set_services({})
        for task_id in list(self._state.backends):
            self._state.withdraw(task_id)
        await self._resolvers.stop_all()
        for network_id in list(self._state.networks):
            await self.remove_network(network_id)
        await self._writer.settle()
        await self._nft.remove_table()
        self._writer.forget()
        await self._kernel.call(joiner.remove_links, [joiner.RESOLVER_BRIDGE])
        self._ledger.remove()
        shutil.rmtree(self._home, ignore_errors=False)
        self._ledger.prepare()

    async def _adopt(self) -> None:
        for network in self._ledger.networks():
            self._state.put_network(network)
        for resolver in self._ledger.resolvers():
            self._state.put_resolver(resolver)
        for record in self._ledger.containers():
            path = self._namespaces / record.container_id
            if path.exists() and await self._kernel.call(is_namespace, path):
                self._state.put_container(record)
            else:
                path.unlink(missing_ok=True)
                self._ledger.drop_container(record.container_id)
        await self._remove_leftovers()
        for network in self._state.networks.values():
            if await self._kernel.call(joiner.ensure_bridge, network):
                await self._reattach(network)
        await self._resolvers.adopt()

    async def _remove_leftovers(self) -> None:
        for path in self._namespaces.iterdir():
            if path.name not in self._state.containers:
                await self._kernel.call(remove_namespace, path)
        known = {p for r in self._state.containers.values() for p in r.ports.values()}
        stray = await self._kernel.call(joiner.list_stray_ports, known)
        await self._kernel.call(joiner.remove_links, stray)

    async def _await_gone(self, links: set[str]) -> None:
        # The kernel removes a namespace's links by itself and many at a time; one by one each would cost it a wait of
        # its own. Only what it keeps (a process still lives in the namespace) is removed by name.
        for _ in range(_LINKS_GONE_AFTER):
            present = await self._kernel.call(netlink.list_links)
            links &= present.keys()
            if not links:
                return
            await asyncio.sleep(0.02)
        await self._kernel.call(joiner.remove_links, links)

    async def _join(self, request: SandboxRequest) -> Sandbox:
        legs = tuple(self._with_address(leg) for leg in request.legs)
        resolver = self._resolvers.choose(request) if legs else None
        layout = build_layout(request.container_id, legs, resolver.address if resolver else None)
        record = self._record(request, legs, layout, resolver)
        self._state.put_container(record)
        try:
            # Recorded first: a crash in between leaves a record that the next start finds without its namespace.
            self._ledger.put_container(record)
            path = self._namespaces / request.container_id
            await asyncio.gather(
                self._kernel.call(joiner.make_sandbox, path, layout), self._writer.settle()
            )
        except BaseException:
            await self.remove_sandbox(request.container_id)
            raise
        return self._sandbox(record)

    def _record(
        self,
        request: SandboxRequest,
        legs: tuple[Leg, ...],
        layout: SandboxLayout,
        resolver: ResolverRecord | None,
    ) -> ContainerRecord:
        own = [link for link in layout.links if link.network_id != layout.way_out]
        addresses = [link.address for link in own or layout.links]
        host = read_host_resolver()
        return ContainerRecord(
            container_id=request.container_id,
            task_id=request.task_id,
            addresses={link.network_id: link.address for link in layout.links},
            macs={link.network_id: link.mac for link in layout.links},
            names={
                leg.network.id: tuple(dict.fromkeys((*request.names, *leg.aliases))) for leg in legs
            },
            ports={link.network_id: link.port for link in layout.links},
            gateway=layout.gateway,
            resolver=resolver.name if resolver else None,
            resolv_conf=(
                render_resolv_conf(resolver.address, request.dns, host) if resolver else ""
            ),
            hosts=render_hosts(request.hostname, addresses, request.extra_hosts, layout.gateway),
        )

    def _with_address(self, leg: Leg) -> Leg:
        pool = self._pool(leg.network)
        if leg.address is not None:
            # The allocator has chosen; a stale reservation of ours must not stand in its way.
            pool.reserve(str(IPv4Interface(leg.address).ip))
            return leg
        prefix = IPv4Network(leg.network.subnet).prefixlen
        return replace(leg, address=f"{pool.allocate()}/{prefix}")

    def _pool(self, network: BridgeNetwork) -> AddressPool:
        pool = self._pools.get(network.id)
        if pool is None or pool.subnet != network.subnet:
            pool = AddressPool(network.subnet)
            pool.reserve(network.gateway)
            for record in self._state.containers.values():
                if network.id in record.addresses:
                    pool.reserve(record.addresses[network.id])
            self._pools[network.id] = pool
        return pool

    async def _reattach(self, network: BridgeNetwork) -> None:
        attached = [
            r.ports[network.id] for r in self._state.containers.values() if network.id in r.ports
        ]
        for port in attached:
            await self._kernel.call(joiner.attach_port, port, bridge_name(network))
        if attached:
            log.warning("a bridge had vanished and was made anew", network=network.name)

    def _sandbox(self, record: ContainerRecord) -> Sandbox:
        return Sandbox(
            container_id=record.container_id,
            netns=self._namespaces / record.container_id,
            addresses=record.addresses,
            macs=record.macs,
            gateway=record.gateway,
            resolv_conf=record.resolv_conf,
            hosts=record.hosts,
        )


def check_programs(programs: Iterable[str] = tuple(_PROGRAMS)) -> None:
    """Refuse to start where a program is missing.

    Raises:
        System: naming the program and its Debian package.
    """
    for program in programs:
        if shutil.which(program) is None:
            package = _PROGRAMS[program]
            raise System(f"the program {program} is missing; install the package {package}")


def read_host_resolver() -> HostResolver:
    """The host's resolv.conf; none at all counts as an empty one."""
    try:
        return parse_resolv_conf(_HOST_RESOLV_CONF.read_text())
    except FileNotFoundError:
        return HostResolver()
