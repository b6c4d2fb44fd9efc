"""What links, addresses and routes this host has. Blocking: everything here runs in the thread of `network.kernel.Kernel`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network

from hivelet.network import local6, sysctls
from hivelet.network.drift import HostState
from hivelet.network.ipam import ROUTE
from hivelet.network.names import is_bridge_name, is_port_name
from hivelet.network.netlink.addresses import host_prefix, list_addresses
from hivelet.network.netlink.links import link_index, list_links
from hivelet.network.netlink.routes import list_routes, list_subnet_routes


def read_host(switches: Collection[str]) -> HostState:
    """The host's links, addresses, and these kernel switches."""
    links = list_links()
    names = {link.index: name for name, link in links.items()}
    return HostState(
        links=links,
        addresses=frozenset(
            (names.get(index, ""), address) for index, address, _ in list_addresses()
        ),
        local_way=local6.read_local_way(links),
        routes=frozenset((names.get(index, ""), subnet) for index, subnet in list_subnet_routes()),
        switches=sysctls.read_sysctls(switches),
    )


def list_used_subnets() -> dict[str, str]:
    """Every subnet that a route or an address of this host covers, and whose it is."""
    names = {link.index: name for name, link in list_links().items()}
    used = {
        str(ip_network(f"{address}/{prefix}", strict=False)): f"interface {names.get(index, '?')}"
        for index, address, prefix in list_addresses()
        if prefix < host_prefix(address)
    }
    for destination, index in list_routes():
        used.setdefault(destination, f"{ROUTE}{names.get(index, '?')}")
    return used


def list_vips(subnets: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """The VIPs that each bridge has: single addresses of its network's subnets. Others aren't ours."""
    by_index = {
        index: (name, [ip_network(subnet) for subnet in own])
        for name, own in subnets.items()
        if (index := link_index(name)) is not None
    }
    found: dict[str, set[str]] = {name: set() for name, _ in by_index.values()}
    for index, address, prefix in list_addresses():
        if prefix == host_prefix(address) and index in by_index:
            name, own = by_index[index]
            if any(ip_address(address) in subnet for subnet in own):
                found[name].add(address)
    return found


def list_stray_ports(known: Collection[str]) -> list[str]:
    """Ports with names like ours that belong to no sandbox we know: left by a crash."""
    return [
        link.name
        for link in list_links().values()
        if link.kind == "veth" and is_port_name(link.name) and link.name not in known
    ]


def list_stray_bridges(known: Collection[str]) -> list[str]:
    """Bridges with names like ours that belong to no network we know."""
    return [
        link.name
        for link in list_links().values()
        if link.kind == "bridge" and is_bridge_name(link.name) and link.name not in known
    ]
