"""Who may reach whom: networks are closed to each other, and some are closed within. Pure.

Members of a network may talk directly unless it is `ingress` (whose members share nothing but the balancer) or was
made with `enable_icc=false`, as `docker_gwbridge` is. A resolver knows the names of all networks of the sandboxes that it
is for, so it answers those and not whoever else is in one of these networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network

from hivelet.network.family import IPV4, Family
from hivelet.network.names import bridge_name
from hivelet.network.rules.ruleset import Fragment, Key
from hivelet.network.rules.sets import ASKERS, BRIDGES, HOME, INTERNAL, MEMBERS, OPEN, SUBNETS
from hivelet.objects.endpoint import BridgeNetwork


def is_open(network: BridgeNetwork) -> bool:
    """Whether the network's members may reach each other's addresses directly."""
    return network.icc and network.kind != "ingress"


def build_isolation(networks: Iterable[BridgeNetwork], family: Family = IPV4) -> Fragment:
    """The bridges of ours and what is allowed between their members."""
    elements: dict[Key, str] = {}
    for network in networks:
        link = f'"{bridge_name(network)}"'
        elements[BRIDGES, link] = ""
        if subnet := family.subnet(network):
            subnet = str(ip_network(subnet))
            elements[SUBNETS, subnet] = ""
            elements[HOME, f"{link} . {_home(network, subnet)}"] = ""
        if network.internal:
            elements[INTERNAL, link] = ""
        if is_open(network):
            elements[OPEN, f"{link} . {link}"] = ""
    return Fragment(elements=elements)


def _home(network: BridgeNetwork, subnet: str) -> str:
    # A bridge that the user named may be one of his own, with a wire to the world in it: anybody may be behind that.
    if network.bridge and network.kind == "bridge":
        return "::/0" if ":" in subnet else "0.0.0.0/0"
    return subnet


def build_members(places: Iterable[tuple[BridgeNetwork, str]]) -> Fragment:
    """One sandbox's addresses, each with the network that it was given in: what it sends from there is believed."""
    return Fragment(
        elements={
            (MEMBERS, f'"{bridge_name(network)}" . {address}'): "" for network, address in places
        }
    )


def build_asker(addresses: Mapping[str, str], resolver: str) -> Fragment:
    """The resolver that one sandbox may ask, from its address on each of these bridges."""
    return Fragment(
        elements={
            (ASKERS, f'"{bridge}" . {address} . {resolver}'): ""
            for bridge, address in addresses.items()
        }
    )
