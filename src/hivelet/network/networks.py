"""The life of a network on this node: its bridge is claimed, made, mended and removed, and the rules follow.

What always holds: of a network that could not be made nothing is left, and a link that was there before the network is there
after it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from hivelet.errors import Conflict
from hivelet.network import joiner
from hivelet.network.desired import DesiredState
from hivelet.network.firewall.keeper import FirewallKeeper
from hivelet.network.kernel import Kernel
from hivelet.network.ledger import ForeignLink, Ledger
from hivelet.network.link_options import BRIDGE_NAME, read_bridge_name
from hivelet.network.names import bridge_name, is_bridge_name
from hivelet.network.sandboxes import SandboxKeeper
from hivelet.network.writer import RuleWriter
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import BridgeNetwork

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkParts:
    """What takes part when a network comes or goes."""

    state: DesiredState
    ledger: Ledger
    kernel: Kernel
    sandboxes: SandboxKeeper
    writer: RuleWriter
    firewalls: FirewallKeeper


class NetworkKeeper:
    """Makes and removes networks."""

    def __init__(self, parts: NetworkParts) -> None:
        self._state = parts.state
        self._ledger = parts.ledger
        self._kernel = parts.kernel
        self._sandboxes = parts.sandboxes
        self._writer = parts.writer
        self._firewalls = parts.firewalls
        self._locks: WeakValueDictionary[NetworkId, asyncio.Lock] = WeakValueDictionary()
        self.without_ipv6 = "the network plane has not started yet"
        """Why networks can't have IPv6 on this host, and the way out; "" where they can."""

    def load(self) -> None:
        """Have what the ledger knows be desired."""
        for network in self._ledger.networks():
            self._state.put_network(self.possible(network))

    async def adopt(self) -> None:
        """Make the bridges anew that are gone."""
        for network in self._state.networks.values():
            if await self._sandboxes.ensure_bridge(network):
                log.warning(
                    "a bridge had vanished and was made anew",
                    **{"network.id": network.id, "network.name": network.name},
                )

    def possible(self, network: BridgeNetwork) -> BridgeNetwork:
        """The network as far as this host can have it."""
        return network.replaced(subnet6="", gateway6="") if self.without_ipv6 else network

    async def ensure(self, network: BridgeNetwork) -> None:
        """Make the network's bridge exist as described; idempotent, repairs what was removed by hand.

        Raises:
            Conflict: its bridge's name is another network's, or that of a link that is no bridge.
        """
        network = self.possible(network)
        async with self._lock(network.id):
            if network.id in self._state.networks:
                await self._bring(network)
                return
            await self._claim_link(network)
            try:
                await self._bring(network)
            except BaseException:
                await self._forget(network)
                self._writer.poke()
                raise

    async def remove(self, network_id: NetworkId) -> None:
        """Remove the network's rules and its bridge, unless that was there before; one that is not there is no error.

        Raises:
            Conflict: a sandbox still has a leg in it.
        """
        async with self._lock(network_id):
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
            self._sandboxes.forget_network(network_id)
            await self._writer.settle()
            await self._forget(network)

    def _lock(self, network_id: NetworkId) -> asyncio.Lock:
        """Held while one network is made or removed: who comes second finds it whole or not at all."""
        return self._locks.setdefault(network_id, asyncio.Lock())

    async def _claim_link(self, network: BridgeNetwork) -> None:
        """Refuse a link that a new network can't have, and remember one that was there before it."""
        name = bridge_name(network)
        for other in self._state.networks.values():
            if bridge_name(other) == name:
                raise Conflict(
                    f"network {network.name}: the bridge {name} belongs to network {other.name}"
                )
        if is_bridge_name(name):
            return
        read_bridge_name({BRIDGE_NAME: name})
        addresses = await self._kernel.call(joiner.find_foreign_bridge, name)
        if addresses is not None:
            self._ledger.put_foreign_link(network.id, ForeignLink(name=name, addresses=addresses))

    async def _bring(self, network: BridgeNetwork) -> None:
        changed = self._state.networks.get(network.id) != network
        if not changed and self._sandboxes.has_bridge(network):
            return  # what else of it may have been changed meanwhile is the guard's
        if changed:
            self._ledger.put_network(network)
            self._state.put_network(network)
        made = await self._sandboxes.ensure_bridge(network)
        if made and not changed:
            self._writer.inspect("a bridge had vanished")  # its VIPs went with it
        if made or changed:
            await self._writer.settle()
            await self._firewalls.ensure_links()

    async def _forget(self, network: BridgeNetwork) -> None:
        self._state.drop_network(network.id)
        self._sandboxes.forget_network(network.id)
        foreign = self._ledger.foreign_link(network.id)
        if foreign is None:
            await self._kernel.call(joiner.remove_links, [bridge_name(network)])
        else:
            await self._kernel.call(joiner.leave_bridge, network, foreign.addresses)
        if network.subnet6 and not any(n.subnet6 for n in self._state.networks.values()):
            await self._sandboxes.remove_local_way()
        self._ledger.drop_network(network.id)
        self._ledger.drop_foreign_link(network.id)
