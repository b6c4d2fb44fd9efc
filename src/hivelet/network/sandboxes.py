"""The sandboxes of this node: made, adopted after a restart, removed. Writes the ledger's container files.

What always holds: a sandbox in the kernel has a record (a crash leaves at most a record without its namespace, which
the next start drops), a namespace that has its name is whole, and an address chosen here is not given twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import structlog

from hivelet.errors import Conflict, NotFound
from hivelet.kit.files import ensure_private
from hivelet.network import host_links, joiner, local6
from hivelet.network.addresses import SandboxAddresses
from hivelet.network.desired import DesiredState
from hivelet.network.dns.files import (
    HostResolver,
    parse_resolv_conf,
    render_hosts,
    render_resolv_conf,
)
from hivelet.network.dns.keeper import ResolverKeeper
from hivelet.network.ipam import prefix_length
from hivelet.network.kernel import Kernel
from hivelet.network.layout import SandboxLayout, build_layout
from hivelet.network.ledger import Ledger
from hivelet.network.names import EMBEDDED_RESOLVER, LOCAL_LINK, bridge_name, port_ordinal
from hivelet.network.netlink.links import link_index, list_links
from hivelet.network.netns import is_namespace, remove_namespace
from hivelet.network.records import ContainerRecord, ResolverRecord
from hivelet.network.sandbox import Leg, Sandbox, SandboxRequest
from hivelet.objects.common import ContainerId, NetworkId, TaskId
from hivelet.objects.endpoint import BridgeNetwork

log = structlog.get_logger(__name__)

_HOST_RESOLV_CONF = Path("/etc/resolv.conf")
_LOOKS_UNTIL_GONE = 50
_LOOK_EVERY = 0.02


class SandboxKeeper:
    """Makes and removes sandboxes; names and rules follow by the desired state."""

    def __init__(
        self,
        home: Path,
        state: DesiredState,
        ledger: Ledger,
        kernel: Kernel,
        resolvers: ResolverKeeper,
    ) -> None:
        self._home = home
        self._state = state
        self._ledger = ledger
        self._kernel = kernel
        self._resolvers = resolvers
        self._addresses = SandboxAddresses(state)
        self._making: set[ContainerId] = set()
        self._bridged: set[NetworkId] = set()

    async def adopt(self) -> None:
        """Take over the sandboxes of a former life; remove what belongs to none of them."""
        ensure_private(self._home)
        for record in self._ledger.containers():
            if await self._kernel.call(is_namespace, self._home / record.container_id):
                self._state.put_container(record)
            else:
                self._ledger.drop_container(record.container_id)
        for path in self._home.iterdir():
            if path.name not in self._state.containers:
                await self._kernel.call(remove_namespace, path)
        bridges = {bridge_name(network) for network in self._state.networks.values()}
        stray = await self._kernel.call(host_links.list_stray_ports, self._ports())
        stray += await self._kernel.call(host_links.list_stray_bridges, bridges)
        if stray:
            log.warning("links that a crash left are removed", links=sorted(stray))
        await self._kernel.call(joiner.remove_links, stray)

    async def make(self, request: SandboxRequest, settle: Callable[[], Awaitable[None]]) -> Sandbox:
        """A new sandbox; `settle` brings its names and rules into effect meanwhile.

        Raises:
            Conflict: the container has one already, or a network has no address left.
            ResolverFailed: the resolver of its networks and name servers can't be had.
        """
        container_id = request.container_id
        if container_id in self._state.containers or container_id in self._making:
            raise Conflict(f"container {container_id[:12]} already has a network sandbox")
        self._making.add(container_id)
        try:
            legs = tuple(self._addresses.give(leg) for leg in request.legs)
            resolver = self._resolvers.choose(request) if legs else None
            layout = build_layout(container_id, legs, resolver.address if resolver else None)
            record = _record(request, legs, layout, resolver)
            self._ledger.put_container(record)
            self._state.put_container(record)
            await asyncio.gather(
                self._kernel.call(joiner.make_sandbox, self._home / container_id, layout), settle()
            )
            if resolver is not None:
                await self._resolvers.require(resolver.name)
        except BaseException:
            await self.remove(container_id)
            raise
        finally:
            self._making.discard(container_id)
        return self._describe(record)

    async def change(
        self, request: SandboxRequest, settle: Callable[[], Awaitable[None]]
    ) -> Sandbox:
        """Have a sandbox in which processes run as `request` says from now on; what it has already stays as it is.

        Raises:
            NotFound: there is no such sandbox.
            Conflict: an address is taken, or a network has none left.
        """
        container_id = request.container_id
        before = self._state.containers.get(container_id)
        if before is None or container_id in self._making:
            raise NotFound(f"container {container_id[:12]} has no network sandbox")
        self._making.add(container_id)
        after = before
        try:
            legs = self._numbered(request.legs, before)
            resolver = self._resolvers.choose(request) if legs else None
            old = self._layout(before)
            new = build_layout(container_id, legs, resolver.address if resolver else None)
            after = _record(request, legs, new, resolver)
            self._ledger.put_container(after)
            self._state.put_container(after)
            await asyncio.gather(
                self._kernel.call(joiner.change_sandbox, self._home / container_id, old, new),
                settle(),
            )
            if resolver is not None:
                await self._resolvers.require(resolver.name)
        except BaseException:
            if after is not before:
                self._ledger.put_container(before)
                self._state.put_container(before)
                await self._kernel.call(joiner.change_sandbox, self._home / container_id, new, old)
                self._addresses.take_back(after, kept=before)
            raise
        finally:
            self._making.discard(container_id)
        self._addresses.take_back(before, kept=after)
        return self._describe(after)

    def _numbered(self, legs: Iterable[Leg], before: ContainerRecord) -> tuple[Leg, ...]:
        """The legs as they will be: those that are there keep their addresses and numbers, others get free ones."""
        held = {n: port_ordinal(port) for n, port in before.ports.items()}
        numbered: list[Leg] = []
        for leg in legs:
            key = leg.network.id
            if key in held:
                address = before.addresses.get(key, "")
                address6 = before.addresses6.get(key, "")
                numbered.append(
                    replace(
                        leg,
                        address=_with_prefix(address, leg.network.subnet),
                        address6=_with_prefix(address6, leg.network.subnet6),
                        mac=before.macs.get(key, ""),
                        ordinal=held[key],
                    )
                )
                continue
            taken = {*held.values(), *(other.ordinal for other in numbered)}
            free = next(n for n in range(len(taken) + 1) if n not in taken)
            numbered.append(replace(self._addresses.give(leg), ordinal=free))
        return tuple(numbered)

    def of_task(self, task_id: TaskId) -> Path | None:
        """The namespace of a task's container, if it has one of its own."""
        for record in self._state.containers.values():
            if record.task_id == task_id:
                return self._home / record.container_id
        return None

    async def remove(self, container_id: ContainerId) -> None:
        """Remove a sandbox; the kernel removes its links once the last process in it has ended. Idempotent."""
        record = self._state.drop_container(container_id)
        await self._kernel.call(remove_namespace, self._home / container_id)
        if record is None:
            return
        self._ledger.drop_container(container_id)
        self._addresses.take_back(record)

    async def remove_all(self) -> None:
        """Remove all sandboxes and return when their links are gone."""
        ports = self._ports()
        for container_id in list(self._state.containers):
            await self.remove(container_id)
        # The kernel removes a namespace's links by itself, many at a time; one by one each would cost it a wait of its
        # own. Only what it keeps (a process still lives in the namespace) is removed by name.
        for _ in range(_LOOKS_UNTIL_GONE):
            ports &= (await self._kernel.call(list_links)).keys()
            if not ports:
                return
            await asyncio.sleep(_LOOK_EVERY)
        await self._kernel.call(joiner.remove_links, ports)

    def get(self, container_id: ContainerId) -> Sandbox | None:
        """The sandbox of a container, None where it has none."""
        record = self._state.containers.get(container_id)
        return None if record is None else self._describe(record)

    async def ensure_bridge(self, network: BridgeNetwork) -> bool:
        """The network's bridge with the ports of its members in it; True where it had to be made.

        With a first network that has IPv6 comes the way of [::1] to tasks.
        """
        made = await self._kernel.call(joiner.ensure_bridge, network)
        if made:
            self._ledger.drop_foreign_link(network.id)
        if network.subnet6 and link_index(LOCAL_LINK) is None:
            await self._kernel.call(local6.ensure_local_way)
        # All of it is there now: the guard holds what is missing from here on against somebody.
        if network.id in self._state.networks:
            self._bridged.add(network.id)
        if made:
            await self._reattach(network)
        return made

    def has_bridge(self, network: BridgeNetwork) -> bool:
        """Whether the network's bridge was made, and is still there."""
        return network.id in self._bridged and link_index(bridge_name(network)) is not None

    def bridged(self) -> list[BridgeNetwork]:
        """The networks whose bridges have been made."""
        return [n for n in self._state.networks.values() if n.id in self._bridged]

    def made(self) -> list[ContainerRecord]:
        """The sandboxes that have been made."""
        return [r for r in self._state.containers.values() if r.container_id not in self._making]

    async def mend(self, container_id: ContainerId) -> None:
        """Give a sandbox back the links that it lost; one that is gone is no error."""
        record = self._state.containers.get(container_id)
        if record is not None and container_id not in self._making:
            layout = self._layout(record)
            await self._kernel.call(joiner.mend_sandbox, self._home / container_id, layout)

    async def attach(self, port: str) -> None:
        """Put a port back into its bridge, up and in hairpin mode; one that is gone is no error."""
        for record in self._state.containers.values():
            for network_id, name in record.ports.items():
                if name == port and (network := self._state.networks.get(network_id)):
                    await self._kernel.call(joiner.attach_port, port, bridge_name(network))

    def forget_network(self, network_id: NetworkId) -> None:
        """Forget a network's addresses."""
        self._addresses.forget_network(network_id)
        self._bridged.discard(network_id)

    async def adopt_local_way(self) -> None:
        """Have the way of [::1] whole, where there is one."""
        if link_index(LOCAL_LINK) is not None:
            await self._kernel.call(local6.ensure_local_way)

    async def remove_local_way(self) -> None:
        """Remove the way of [::1] to tasks."""
        await self._kernel.call(local6.remove_local_way)

    async def _reattach(self, network: BridgeNetwork) -> None:
        for record in [r for r in self._state.containers.values() if network.id in r.ports]:
            port = record.ports[network.id]
            await self._kernel.call(joiner.attach_port, port, bridge_name(network))

    def _layout(self, record: ContainerRecord) -> SandboxLayout:
        # The record has the addresses in the order of the links, which is the layout's own.
        legs = tuple(
            Leg(
                network=network,
                address=f"{address}/{prefix_length(network.subnet)}",
                address6=_with_prefix(record.addresses6.get(network_id, ""), network.subnet6),
                mac=record.macs.get(network_id, ""),
                priority=record.priorities.get(network_id, 0),
                ordinal=port_ordinal(record.ports[network_id]),
            )
            for network_id, address in record.addresses.items()
            if (network := self._state.networks.get(network_id)) is not None
        )
        resolver = self._state.resolvers.get(record.resolver or "")
        return build_layout(record.container_id, legs, resolver.address if resolver else None)

    def _ports(self) -> set[str]:
        return {p for record in self._state.containers.values() for p in record.ports.values()}

    def _describe(self, record: ContainerRecord) -> Sandbox:
        return Sandbox(
            container_id=record.container_id,
            netns=self._home / record.container_id,
            addresses=record.addresses,
            addresses6=record.addresses6,
            macs=record.macs,
            gateway=record.gateway,
            gateway6=record.gateway6,
            resolv_conf=record.resolv_conf,
            hosts=record.hosts,
            way_out=record.way_out,
        )


def _with_prefix(address: str, subnet: str) -> str | None:
    return f"{address}/{prefix_length(subnet)}" if address and subnet else None


def read_host_resolver() -> HostResolver:
    """The host's resolv.conf; none at all counts as an empty one."""
    try:
        return parse_resolv_conf(_HOST_RESOLV_CONF.read_text())
    except FileNotFoundError:
        return HostResolver()


def _record(
    request: SandboxRequest,
    legs: tuple[Leg, ...],
    layout: SandboxLayout,
    resolver: ResolverRecord | None,
) -> ContainerRecord:
    # The legs that are only ways in and out are none of the application's affair.
    ways = {leg.network.id for leg in legs if leg.network.kind in ("ingress", "gateway")}
    own = [link for link in layout.links if link.network_id not in ways]
    shown = own or layout.links
    addresses = [link.address for link in shown] + [
        link.address6 for link in shown if link.address6
    ]
    resolv_conf = ""
    if resolver is not None:
        asked = EMBEDDED_RESOLVER if request.moves else resolver.address
        resolv_conf = render_resolv_conf(asked, request.dns, read_host_resolver())
    return ContainerRecord(
        container_id=request.container_id,
        task_id=request.task_id,
        addresses={link.network_id: link.address for link in layout.links},
        addresses6={link.network_id: link.address6 for link in layout.links if link.address6},
        macs={link.network_id: link.mac for link in layout.links},
        names={
            leg.network.id: tuple(dict.fromkeys((*request.names, *leg.aliases))) for leg in legs
        },
        ports={link.network_id: link.port for link in layout.links},
        gateway=layout.gateway,
        gateway6=layout.gateway6,
        resolver=resolver.name if resolver else None,
        resolv_conf=resolv_conf,
        hosts=render_hosts(
            request.hostname, addresses, request.extra_hosts, layout.gateway, request.linked
        ),
        way_out=layout.way_out,
        priorities={leg.network.id: leg.priority for leg in legs if leg.priority},
    )
