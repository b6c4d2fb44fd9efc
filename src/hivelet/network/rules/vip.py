"""A service's virtual addresses: one chain per network, reached from that network's bridge and from the host. Pure.

The dispatch is by bridge *and* address: a VIP must not be a way from one network into another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hivelet.network.family import IPV4, Family
from hivelet.network.names import bridge_name, vip_chain
from hivelet.network.rules.balance import PROTOCOLS, spread_addresses
from hivelet.network.rules.ruleset import Chain, Fragment, Key
from hivelet.network.rules.sets import BALANCED, HOST_VIPS, VIPS
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry


def build_protocols() -> Fragment:
    """What all VIPs' chains ask: a set that no change of a service touches."""
    return Fragment(elements={(BALANCED, protocol): "" for protocol in PROTOCOLS})


def build_vips(
    entry: ServiceEntry,
    backends: Sequence[Backend],
    networks: Mapping[NetworkId, BridgeNetwork],
    family: Family = IPV4,
) -> Fragment:
    """The VIP chains of a service; networks that this node does not have are left out."""
    chains: dict[str, Chain] = {}
    elements: dict[Key, str] = {}
    if entry.mode != "vip":
        return Fragment()
    for network_id, vip in sorted(family.vips(entry).items()):
        network = networks.get(network_id)
        if network is None or network.kind == "ingress" or not family.subnet(network):
            continue
        places = map(family.addresses, backends)
        addresses = [place[network_id] for place in places if network_id in place]
        name = vip_chain(entry.service_id, network_id)
        chains[name] = Chain(
            rules=spread_addresses(addresses, affinity=entry.affinity, family=family),
            comment=f"{entry.name} in {network.name}",
        )
        elements[VIPS, f'"{bridge_name(network)}" . {vip}'] = f"goto {name}"
        elements[HOST_VIPS, vip] = f"goto {name}"
    return Fragment(chains=chains, elements=elements)
