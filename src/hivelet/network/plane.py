"""The network plane: the one door through which the engine and the agent use this node's network.

It holds what is desired (networks, sandboxes, services, backends) and makes the kernel and the resolvers follow.
What always holds: `admit` and `withdraw` return only when rules *and* names say so; an error names the thing and the
way out; `stop` leaves everything running; `tear_down` leaves nothing.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from hivelet.errors import Conflict
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.network import conntrack, host_links, joiner, ports
from hivelet.network.connections import Traffic, count_traffic
from hivelet.network.crowding import read_crowding
from hivelet.network.desired import DesiredState
from hivelet.network.dns.keeper import ResolverKeeper
from hivelet.network.findings import Finding, describe_refusal
from hivelet.network.firewall.door import FirewallDoor
from hivelet.network.firewall.keeper import FirewallKeeper
from hivelet.network.guard import Guard, GuardParts
from hivelet.network.kernel import Kernel
from hivelet.network.ledger import Ledger
from hivelet.network.listeners import OpenPorts, select_open
from hivelet.network.networks import NetworkKeeper, NetworkParts
from hivelet.network.nft import Nft, NftRefused
from hivelet.network.prerequisites import (
    check_programs,
    ensure_frames,
    ensure_ipv6,
    ensure_switches,
)
from hivelet.network.sandbox import Sandbox, SandboxRequest
from hivelet.network.sandboxes import SandboxKeeper
from hivelet.network.sockets import (
    SocketsUnseen,
    list_listeners_of,
    list_sockets_of,
)
from hivelet.network.writer import RuleWriter
from hivelet.objects.common import ContainerId, NetworkId, ServiceId, TaskId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

log = structlog.get_logger(__name__)


class NetworkPlane:
    """This node's data plane. Between `start` and `resume` rule writes are held, so that adoption never flaps."""

    def __init__(
        self, *, run: Path, root: Path, clock: Clock, adjust_firewalls: bool = True
    ) -> None:
        self._clock = clock
        self._root = root
        self._home = run / "network"
        self._kernel = Kernel()
        self._connections = Kernel("connections")
        self._nft = Nft()
        self._state = DesiredState()
        self._ledger = Ledger(self._home)
        self._resolvers = ResolverKeeper(
            self._home / "dns", self._state, self._ledger, self._kernel
        )
        self._sandboxes = SandboxKeeper(
            run / "netns", self._state, self._ledger, self._kernel, self._resolvers
        )
        self._writer = RuleWriter(self._state, self._resolvers, self._kernel, self._nft)
        self._firewalls = FirewallKeeper(
            FirewallDoor(self._nft, self._kernel), self._state, adjust=adjust_firewalls
        )
        self._guard = Guard(
            GuardParts(
                state=self._state,
                kernel=self._kernel,
                nft=self._nft,
                writer=self._writer,
                sandboxes=self._sandboxes,
                resolvers=self._resolvers,
                firewalls=self._firewalls,
            ),
            clock,
        )
        self._networks = NetworkKeeper(
            NetworkParts(
                state=self._state,
                ledger=self._ledger,
                kernel=self._kernel,
                sandboxes=self._sandboxes,
                writer=self._writer,
                firewalls=self._firewalls,
            )
        )
        self._supervisor = Supervisor("network")

    @property
    def without_ipv6(self) -> str:
        """Why networks can't have IPv6 on this host, and the way out; "" where they can."""
        return self._networks.without_ipv6

    async def start(self) -> None:
        """Bring the host's prerequisites about and adopt what exists; rules stay as they are until `resume`.

        Raises:
            System: a program or a kernel switch is missing; says which, and the way out.
        """
        check_programs()
        self._ledger.prepare()
        await ensure_switches(self._kernel)
        self._networks.without_ipv6 = await ensure_ipv6(self._kernel, self._nft)
        await ensure_frames(self._nft)
        self._networks.load()
        for resolver in self._ledger.resolvers():
            self._state.put_resolver(resolver)
        await self._sandboxes.adopt()
        await self._networks.adopt()
        await self._sandboxes.adopt_local_way()
        await self._resolvers.adopt()
        self._supervisor.keep("writer", self._writer.run)
        self._supervisor.keep("guard", self._guard.run)
        self._supervisor.keep(
            "resolvers", lambda: self._resolvers.replace_failed(self._clock, self._writer.poke)
        )

    async def resume(self) -> None:
        """Make rules and names say what was admitted since `start`; whatever they say already is not touched."""
        self._writer.release()
        await self._writer.settle()
        stale = self._state.gone_among(await self._connections.call(conntrack.list_translated_udp))
        for address in stale:
            log.info("flows to a task that is gone are forgotten", address=address)
            await self._connections.call(conntrack.flush_udp, address)
        await self._firewalls.ensure()
        for finding in await self._hindrances():
            log.warning(finding.meaning, finding=finding.name, repair=finding.repair)

    async def findings(self) -> tuple[Finding, ...]:
        """What on this host may stand in the way of packets."""
        crowding = read_crowding()
        crowded = crowding is not None and crowding.is_crowded()
        return (*([crowding.describe()] if crowding and crowded else []), *await self._hindrances())

    async def _hindrances(self) -> tuple[Finding, ...]:
        refused = describe_refusal(self._writer.failure)
        try:
            return (*refused, *await self._firewalls.findings())
        except NftRefused as error:
            return refused or describe_refusal(error.message)

    def networks(self) -> Mapping[NetworkId, BridgeNetwork]:
        """The networks that have a bridge here, adopted ones included. The executor compares them with the cluster's."""
        return dict(self._state.networks)

    async def ensure_network(self, network: BridgeNetwork) -> None:
        """Make the network's bridge exist as described; idempotent, repairs what was removed by hand.

        On a host without IPv6 it is made without. Of a new network that cannot be made, nothing is left.

        Raises:
            Conflict: its bridge's name is another network's, or that of a link that is no bridge.
        """
        await self._networks.ensure(network)

    async def remove_network(self, network_id: NetworkId) -> None:
        """Remove the network's rules and its bridge, unless that was there before; one that is not there is no error.

        Raises:
            Conflict: a sandbox still has a leg in it.
        """
        await self._networks.remove(network_id)

    async def create_sandbox(self, request: SandboxRequest) -> Sandbox:
        """Make the container's network namespace, with its names and rules in effect; its networks are ensured.

        Raises:
            Conflict: the container has one already, or a network has no address left.
        """
        request = await self._with_networks(request)
        return await self._sandboxes.make(request, self._writer.settle)

    async def change_sandbox(self, request: SandboxRequest) -> Sandbox:
        """Join the container, which may be running, to these networks and take it out of all others.

        Returns once links, names and rules are in effect; its connections through a network that it has left are forgotten.

        Raises:
            NotFound: it has no sandbox.
            Conflict: an address is taken, or a network has none left.
        """
        request = await self._with_networks(request)
        before = self._state.containers.get(request.container_id)
        sandbox = await self._sandboxes.change(request, self._writer.settle)
        if before is not None:
            await self._forget_connections(before.addresses)
            await self._forget_connections(before.addresses6)
        await self._resolvers.stop_unused()
        self._writer.poke()
        return sandbox

    async def remove_sandbox(self, container_id: ContainerId) -> None:
        """Remove the namespace, its links, names and connections; idempotent."""
        record = self._state.containers.get(container_id)
        await self._sandboxes.remove(container_id)
        if record is not None:
            await self._forget_connections(record.addresses)
            await self._forget_connections(record.addresses6)
        await self._resolvers.stop_unused()
        self._writer.poke()

    async def _with_networks(self, request: SandboxRequest) -> SandboxRequest:
        """The request as far as this host can fulfil it; its networks exist then."""
        for leg in request.legs:
            await self._networks.ensure(leg.network)
        legs = (replace(leg, network=self._networks.possible(leg.network)) for leg in request.legs)
        return replace(request, legs=tuple(legs))

    async def _forget_connections(self, addresses: Mapping[NetworkId, str]) -> None:
        """Forget the connections of a sandbox that is gone, unless its address has found a new holder already."""
        held = {
            item
            for record in self._state.containers.values()
            for known in (record.addresses, record.addresses6)
            for item in known.items()
        }
        for network_id, address in addresses.items():
            if (network_id, address) not in held:
                await self._connections.call(conntrack.flush_all, address)

    def sandbox(self, container_id: ContainerId) -> Sandbox | None:
        """The sandbox of a container, adopted ones included."""
        return self._sandboxes.get(container_id)

    def set_services(self, entries: Mapping[ServiceId, ServiceEntry]) -> None:
        """State all services of this node's concern; the writer applies what changed, in one transaction."""
        self._state.set_services(entries)
        self._writer.poke()

    async def admit(self, backend: Backend) -> None:
        """Let a task take connections; returns once rules and names are in effect (at once while held)."""
        self._state.admit(backend)
        await self._writer.settle()

    async def withdraw(self, task_id: TaskId, *, with_flows: bool = True) -> None:
        """Take a task out; returns once no new connection can reach it by VIP, port or name. Idempotent.

        Its UDP flows are forgotten too, or left to `forget_flows`, so that what has been asked can be answered.
        """
        backend = self._state.withdraw(task_id)
        await self._writer.settle()
        if backend is not None and with_flows:
            await self._flush((*backend.addresses.values(), *backend.addresses6.values()))

    async def forget_flows(self, task_id: TaskId) -> None:
        """From now on UDP clients of a task that has been withdrawn are given to others, the same sockets included."""
        await self._flush(self._state.addresses_of(task_id))

    async def unanswered(self, task_id: TaskId) -> int:
        """How many UDP clients wait for a first answer of the task; an answer that is forgotten before it is sent is lost."""
        addresses = self._state.addresses_of(task_id)
        return sum([await self._connections.call(conntrack.count_unanswered, a) for a in addresses])

    async def _flush(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            await self._connections.call(conntrack.flush_udp, address)

    async def publish(self, backend: Backend) -> None:
        """Lead ports of the host to a plain container; returns once the rules are in effect. `withdraw` ends it."""
        self._state.publish(backend)
        await self._writer.settle()

    def held_ports(self) -> set[tuple[str, str, int]]:
        """The ports of the host that services and containers have: address ("" is all), protocol, port."""
        return self._state.held_ports()

    def is_admitted(self, task_id: TaskId) -> bool:
        """Whether the task takes new connections, as far as is desired."""
        return task_id in self._state.backends

    async def traffic(self, task_id: TaskId, idle_after: float) -> Traffic:
        """The connections that others have to the task, those idle that were silent for so many seconds.

        Where the kernel does not tell of its sockets, those through a balancer count, as busy until they end.
        """
        netns = self._sandboxes.of_task(task_id)
        if netns is None:
            return Traffic()
        try:
            sockets = await self._connections.call(list_sockets_of, netns)
        except SocketsUnseen:
            addresses = self._state.addresses_of(task_id)
            counted = [
                await self._connections.call(conntrack.count_connections, a) for a in addresses
            ]
            return Traffic(busy=sum(counted))
        return count_traffic(sockets, idle_after)

    async def open_ports(self, pid: int, *, udp: bool = False) -> OpenPorts:
        """The TCP ports that others can reach where that process lives, and UDP's on request; none once it has ended."""
        netns = Path(f"/proc/{pid}/ns/net")
        look = partial(list_listeners_of, netns, udp=udp)
        return select_open(*await self._connections.call(look))

    def resolvers(self) -> tuple[int, int]:
        """How many resolvers run, and how many have failed and are being replaced."""
        return self._resolvers.count()

    async def used_subnets(self) -> dict[str, str]:
        """Subnets in use on this host, each with who uses it ("route through eth0", "network myapp_webnet")."""
        host = await self._kernel.call(host_links.list_used_subnets)
        ours: dict[str, str] = {}
        for network in self._state.networks.values():
            subnets = filter(None, (network.subnet, network.subnet6))
            ours |= dict.fromkeys(subnets, f"network {network.name}")
        # Networks first: who overlaps one is told its name, not that of the link that it happens to have.
        return ours | {subnet: owner for subnet, owner in host.items() if subnet not in ours}

    async def check_port_free(self, port: PortConfig) -> None:
        """Refuse a published port that a foreign process holds, or a container that was started by hand.

        Raises:
            Conflict: naming the port and, where it can be seen, the process.
        """
        if holder := self._state.publisher_of(port):
            raise Conflict(
                f"port {port.published_port}/{port.protocol} is published by the container {holder} on this node: "
                "remove the container, or choose another port"
            )
        await asyncio.to_thread(ports.check_port_free, port)

    async def stop(self) -> None:
        """End this process's part; all links, rules and resolvers stay."""
        await self._supervisor.stop()
        self._kernel.close()
        self._connections.close()
        self._nft.close()

    async def leave(self, kept: Collection[NetworkId]) -> None:
        """Remove the swarm's part: services, and all networks but these; containers that are in these stay as they are."""
        self._state.set_services({})
        for network_id in [key for key in self._state.networks if key not in kept]:
            await self.remove_network(network_id)
        await self._resolvers.stop_unused()
        await self._writer.settle()

    async def tear_down(self) -> None:
        """Remove all that is hivelet's: sandboxes, bridges, tables, resolvers, files. The plane stays usable."""
        await self._sandboxes.remove_all()
        self._state.set_services({})
        for task_id in list(self._state.backends):
            self._state.withdraw(task_id)
        await self._resolvers.stop_all()
        for network_id in list(self._state.networks):
            await self.remove_network(network_id)
        await self._writer.settle()
        self._writer.forget()
        await self._firewalls.remove()
        await self._nft.remove_table()
        await self._kernel.call(joiner.remove_links, [joiner.RESOLVER_BRIDGE])
        self._ledger.remove()
        shutil.rmtree(self._home)
        self._ledger.prepare()
