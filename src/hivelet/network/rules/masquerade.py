"""Whose source address is replaced, and when. Pure.

Only three kinds of packets are: those of the host's loopback (no sandbox could answer 127.0.0.1), those that a
balancer sends back to the very sandbox they came from, and those that leave the host. All others show the
application the client's real address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from itertools import product

from hivelet.network.family import IPV4, Family
from hivelet.network.rules.ruleset import Fragment, Key
from hivelet.network.rules.sets import HAIRPIN, RESOLVER_OF, UPLINKS
from hivelet.objects.endpoint import BridgeNetwork

_WAYS_OUT = ("ingress", "gateway", "bridge")


def build_uplinks(networks: Iterable[BridgeNetwork], family: Family = IPV4) -> Fragment:
    """The subnets whose packets leave the host with the host's address."""
    return Fragment(
        elements={
            (UPLINKS, str(ip_network(subnet))): ""
            for network in networks
            if (subnet := family.subnet(network))
            and network.kind in _WAYS_OUT
            and network.masquerade
            and not network.internal
        }
    )


def build_sandbox(addresses: Sequence[str], resolver: str | None) -> Fragment:
    """One sandbox's part: all pairs of its own addresses, and which resolver it asks."""
    elements: dict[Key, str] = {
        (HAIRPIN, f"{source} . {target}"): "" for source, target in product(addresses, addresses)
    }
    if resolver is not None:
        elements |= {(RESOLVER_OF, address): resolver for address in addresses}
    return Fragment(elements=elements)
