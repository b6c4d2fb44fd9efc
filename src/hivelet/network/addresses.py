"""The addresses that sandboxes have in each network: reserved where others chose them, chosen where nobody did.

What always holds: an address chosen here is not given twice while its holder has it.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

from hivelet.network.desired import DesiredState
from hivelet.network.ipam import AddressPool, prefix_length
from hivelet.network.records import ContainerRecord
from hivelet.network.sandbox import Leg
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import BridgeNetwork


class SandboxAddresses:
    """A pool for each network and family, filled from the sandboxes that there are."""

    def __init__(self, state: DesiredState) -> None:
        self._state = state
        self._pools: dict[tuple[NetworkId, int], AddressPool] = {}

    def give(self, leg: Leg) -> Leg:
        """The leg with an address of each family that its network has.

        Raises:
            AddressesExhausted: the network has none left.
            Conflict: the one that a user asked for is taken.
            InvalidParameter: it is not of the network.
        """
        return replace(
            leg,
            address=self._address(leg, 4, leg.address),
            address6=self._address(leg, 6, leg.address6),
        )

    def take_back(self, record: ContainerRecord, *, kept: ContainerRecord | None = None) -> None:
        """Free a sandbox's addresses, save those that it has as `kept` as well."""
        own = {**kept.addresses, **kept.addresses6} if kept is not None else {}
        for version, addresses in ((4, record.addresses), (6, record.addresses6)):
            for network_id, address in addresses.items():
                pool = self._pools.get((network_id, version))
                if pool is not None and address not in own.values():
                    pool.release(address)

    def forget_network(self, network_id: NetworkId) -> None:
        """Forget a network's addresses."""
        for version in (4, 6):
            self._pools.pop((network_id, version), None)

    def _address(self, leg: Leg, version: int, wanted: str | None) -> str | None:
        network = leg.network
        subnet = network.subnet if version == 4 else network.subnet6
        if not subnet:
            return None
        pool = self._pool(network, version)
        if wanted is not None and leg.asked:
            return f"{pool.allocate(str(ip_interface(wanted).ip))}/{prefix_length(subnet)}"
        if wanted is not None:
            # The allocator has chosen; a stale reservation of ours must not stand in its way.
            pool.reserve(str(ip_interface(wanted).ip))
            return wanted
        return f"{pool.allocate()}/{prefix_length(subnet)}"

    def _pool(self, network: BridgeNetwork, version: int) -> AddressPool:
        subnet, gateway = (
            (network.subnet, network.gateway)
            if version == 4
            else (network.subnet6, network.gateway6)
        )
        pool = self._pools.get((network.id, version))
        if pool is None or pool.subnet != subnet:
            pool = AddressPool(
                subnet,
                ip_range=network.ip_range if version == 4 else network.ip_range6,
                name=network.name,
            )
            pool.reserve(gateway)
            for address in network.reserved:
                if (":" in address) is (version == 6):
                    pool.reserve(address)
            for record in self._state.containers.values():
                addresses = record.addresses if version == 4 else record.addresses6
                if network.id in addresses:
                    pool.reserve(addresses[network.id])
            self._pools[network.id, version] = pool
        return pool
