"""The address pools that a network asks for: one of each family at most, checked and completed. Pure.

A network always has IPv4. It has IPv6 where that was asked for (`--ipv6`, `enable_ipv6`) or where one of its pools is an IPv6
one. Without a subnet of its own it gets a /64 of the asker's unique local prefix (RFC 4193): one /48 for each swarm and
for each node, made from its id, so that two of them hardly ever meet and one always gets the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from hivelet.network.ipam import (
    IPNetwork,
    check_subnet,
    choose_gateway,
    choose_subnet,
    contains,
    is_ipv6,
    parse_subnet,
)
from hivelet.network.usable import find_unusable
from hivelet.objects.network import IpamConfig, NetworkSpec

IPV6_PREFIX = 64
"""Prefix length of an IPv6 subnet that nobody asked for in particular."""


def ula_pools(owner: str) -> tuple[tuple[str, int], ...]:
    """The unique local prefix of a swarm or a node, as `choose_subnet` takes pools."""
    number = int.from_bytes(
        bytes([0xFD]) + hashlib.sha256(owner.encode()).digest()[:5] + bytes(10), "big"
    )
    return ((f"{IPv6Address(number)}/48", IPV6_PREFIX),)


def asked_pools(spec: NetworkSpec) -> tuple[IpamConfig, IpamConfig | None]:
    """The IPv4 pool that a network asks for, and the IPv6 one, None where it shall have none."""
    configs = spec.ipam.configs if spec.ipam is not None else []
    ipv4 = next((c for c in configs if not is_ipv6(c.subnet)), IpamConfig())
    ipv6 = next((c for c in configs if is_ipv6(c.subnet)), None)
    if ipv6 is None and spec.ipv6_enabled:
        ipv6 = IpamConfig()
    return ipv4, ipv6


def wants_ipv6(spec: NetworkSpec) -> bool:
    """Whether a network shall have IPv6."""
    return asked_pools(spec)[1] is not None


def given_pools(configs: Iterable[IpamConfig]) -> tuple[IpamConfig, IpamConfig]:
    """The pools that a network has, IPv4 and IPv6; one without a subnet where it has none."""
    pools = list(configs)
    ipv4 = next((c for c in pools if not is_ipv6(c.subnet)), IpamConfig())
    return ipv4, next((c for c in pools if is_ipv6(c.subnet)), IpamConfig())


def complete_pool(
    config: IpamConfig, pools: Sequence[tuple[str, int]], used: Mapping[str, str], name: str
) -> IpamConfig:
    """A pool with its subnet, the one asked for or one out of `pools`, and its gateway. `name` is the network's.

    Raises:
        InvalidParameter: what is asked for cannot be.
        PoolOverlaps: the subnet asked for is in use.
        PoolExhausted: all of `pools` is in use.
    """
    if config.subnet:
        check_subnet(config.subnet, used, name=name)
        subnet = str(parse_subnet(config.subnet))
    else:
        subnet = choose_subnet(pools, used)
    gateway = choose_gateway(
        subnet,
        ip_range=config.ip_range,
        requested=config.gateway,
        auxiliary=config.auxiliary_addresses.values(),
    )
    return config.replaced(subnet=subnet, gateway=gateway)


def find_fault(configs: Sequence[IpamConfig], *, overlay: bool = False) -> str:
    """What is wrong with the pools that a network asks for, in words that name the value; "" where nothing is."""
    for config in configs:
        if fault := _find_fault(config, overlay=overlay):
            return fault
    for version, kind in ((4, False), (6, True)):
        subnets = [c.subnet for c in configs if is_ipv6(c.subnet) is kind]
        if len(subnets) > 1:
            return (
                f"{len(subnets)} IPv{version} subnets ({', '.join(s or 'one to be chosen' for s in subnets)}): "
                "a network has one of each family; take a larger one instead of several"
            )
    return ""


def _find_fault(config: IpamConfig, *, overlay: bool) -> str:
    if not config.subnet:
        alone = config.gateway or config.ip_range or config.auxiliary_addresses
        return "invalid subnet " if alone else ""
    try:
        subnet = ip_network(config.subnet)
    except ValueError:
        return f"invalid subnet {config.subnet}"
    if subnet.version == 6 and subnet.is_link_local:
        return (
            f"invalid subnet {config.subnet}: link-local addresses belong to links, not to networks"
        )
    addresses = {"gateway": config.gateway} | {
        f"auxiliary address {name}": address for name, address in config.auxiliary_addresses.items()
    }
    faults = (
        _outside(subnet, what, text)
        for what, text in {"range": config.ip_range, **addresses}.items()
        if text
    )
    return next(filter(None, faults), "") or find_unusable(config, overlay=overlay)


def _outside(subnet: IPNetwork, what: str, text: str) -> str:
    try:
        # An address is a subnet of one.
        part = ip_network(text if what == "range" else ip_address(text))
    except ValueError:
        return f"invalid {what} {text}"
    return "" if contains(subnet, part) else f"subnet {subnet} does not contain {what} {text}"
