"""Whether a subnet that somebody asks for could carry a network at all. Pure.

Docker takes such subnets and then never gives an address, or gives one that no packet reaches; here it is told when the
network is created. That the parts of a pool lie inside of each other is checked elsewhere.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hivelet.objects.network import IpamConfig

_LONGEST = 30
"""A gateway and one address more."""


def find_unusable(config: IpamConfig) -> str:
    """Why no network can live in this pool, in words that name the value; "" where it can, or is no pool."""
    try:
        subnet = ip_network(config.subnet)
        gateway = ip_address(config.gateway) if config.gateway else None
    except ValueError:
        return ""
    if not isinstance(subnet, IPv4Network):
        return ""
    if subnet.prefixlen > _LONGEST:
        return f"subnet {subnet} is too small: a network needs a gateway and an address; take a /{_LONGEST} or larger"
    for what, block in _RESERVED.items():
        if subnet.overlaps(block):
            return f"subnet {subnet} overlaps {block}, which is for {what}"
    if isinstance(gateway, IPv4Address) and gateway in _ends(subnet):
        return f"gateway {gateway} is the network's or the broadcast address of {subnet}"
    taken = {config.gateway: "the gateway"} if config.gateway else {}
    for name, address in config.auxiliary_addresses.items():
        if address in taken:
            return f"auxiliary address {name} is {address}, and so is {taken[address]}"
        taken[address] = f"the auxiliary address {name}"
    return ""


_RESERVED = {
    "this host": IPv4Network("127.0.0.0/8"),
    "multicast and the future": IPv4Network("224.0.0.0/3"),
    "the name servers of tasks": IPv4Network("169.254.0.0/16"),
    "nobody": IPv4Network("0.0.0.0/8"),
}


def _ends(subnet: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    return subnet.network_address, subnet.broadcast_address
