"""The cluster's networks as a node builds them. Pure."""

from __future__ import annotations

from hivelet.network.link_options import read_mtu
from hivelet.network.pools import given_pools
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.network import Network


def bridge_of(network: Network) -> BridgeNetwork:
    """A network of the cluster as this node builds it. Its addresses are the allocator's.

    Raises:
        InvalidParameter: an option cannot be.
    """
    ipv4, ipv6 = given_pools(network.ipam.configs if network.ipam else [])
    options = network.spec.driver_configuration.options
    return BridgeNetwork(
        id=network.id,
        name=network.spec.name,
        kind="ingress" if network.spec.ingress else "overlay",
        subnet=ipv4.subnet,
        gateway=ipv4.gateway,
        subnet6=ipv6.subnet,
        gateway6=ipv6.gateway,
        internal=network.spec.internal,
        icc=options.get("com.docker.network.bridge.enable_icc", "true").lower() != "false",
        mtu=read_mtu(options, ipv6=bool(ipv6.subnet)),
    )
