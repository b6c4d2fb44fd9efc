"""Whether a subnet that somebody asks for could carry a network at all. Pure.

Docker takes such subnets and then never gives an address, or gives one that no packet reaches; here it is told when the
network is created. That the parts of a pool lie inside of each other is checked elsewhere.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network

from hivelet.errors import InvalidParameter
from hivelet.network.ipam import IPAddress, IPNetwork, choose_gateway, contains, usable_span
from hivelet.objects.network import IpamConfig


def find_unusable(config: IpamConfig, *, overlay: bool = False) -> str:
    """Why no network can live in this pool, in words that name the value; "" where it can, or is no pool.

    An overlay network needs room for its gateway, a VIP and a task, a bridge for its gateway and a container.
    """
    try:
        subnet = ip_network(config.subnet)
        window = ip_network(config.ip_range) if config.ip_range else subnet
        gateway = ip_address(config.gateway) if config.gateway else None
        auxiliary = {n: ip_address(a) for n, a in config.auxiliary_addresses.items()}
    except ValueError:
        return ""
    return (
        _find_small(subnet, overlay=overlay)
        or _find_reserved(subnet)
        or _find_misplaced(subnet, gateway)
        or _find_twice(gateway, auxiliary)
        or _find_crowded(config, subnet, window, needed=2 if overlay else 1)
    )


_RESERVED = {
    "this host": ("127.0.0.0/8", "::1/128"),
    "multicast and the future": ("224.0.0.0/3", "ff00::/8"),
    "the name servers of tasks": ("169.254.0.0/16",),
    "single links": ("fe80::/10",),
    "IPv4 addresses in IPv6": ("::ffff:0:0/96",),
    "nobody": ("0.0.0.0/8", "::/96"),
}

_LONGEST = {4: 30, 6: 126}
"""A gateway and one address more; an overlay network is one bit larger."""


def _find_small(subnet: IPNetwork, *, overlay: bool) -> str:
    longest = _LONGEST[subnet.version] - overlay
    if subnet.prefixlen <= longest:
        return ""
    needs = "a gateway, a VIP and a task" if overlay else "a gateway and an address"
    return f"subnet {subnet} is too small: a network needs {needs}; take a /{longest} or larger"


def _find_reserved(subnet: IPNetwork) -> str:
    for what, blocks in _RESERVED.items():
        for block in map(ip_network, blocks):
            if block.version == subnet.version and subnet.overlaps(block):
                return f"subnet {subnet} overlaps {block}, which is for {what}"
    return ""


def _find_misplaced(subnet: IPNetwork, gateway: IPAddress | None) -> str:
    if gateway is None:
        return ""
    if not contains(subnet, ip_network(gateway)):
        return f"subnet {subnet} does not contain gateway {gateway}"
    ends = (subnet.network_address, subnet.broadcast_address)
    if isinstance(subnet, IPv4Network) and gateway in ends:
        return f"gateway {gateway} is the network's or the broadcast address of {subnet}"
    return ""


def _find_twice(gateway: IPAddress | None, auxiliary: dict[str, IPAddress]) -> str:
    taken = {gateway: "the gateway"} if gateway is not None else {}
    for name, address in auxiliary.items():
        if address in taken:
            return f"auxiliary address {name} is {address}, and so is {taken[address]}"
        taken[address] = f"the auxiliary address {name}"
    return ""


def _find_crowded(config: IpamConfig, subnet: IPNetwork, window: IPNetwork, *, needed: int) -> str:
    others = config.auxiliary_addresses.values()
    what = f"range {window}" if config.ip_range else f"subnet {subnet}"
    try:
        gateway = choose_gateway(
            config.subnet, ip_range=config.ip_range, requested=config.gateway, auxiliary=others
        )
    except InvalidParameter as error:
        return error.message
    low, high = usable_span(subnet, window)
    held = {int(ip_address(address)) for address in (gateway, *others)}
    left = high - low + 1 - sum(low <= number <= high for number in held)
    if left >= needed:
        return ""
    return (
        f"{what} is too small: beside the gateway {gateway} and the auxiliary addresses {max(left, 0)} are left, "
        f"and {needed} must be; take a larger one"
    )
