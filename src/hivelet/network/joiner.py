"""Make bridges and sandboxes in the kernel. Blocking: everything here runs in the thread of `network.kernel.Kernel`."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

from hivelet.errors import Conflict
from hivelet.network import sysctls
from hivelet.network.ipam import prefix_length
from hivelet.network.layout import Link, SandboxLayout
from hivelet.network.layout_change import diff_layouts
from hivelet.network.names import bridge_name, mac_address
from hivelet.network.netlink.addresses import (
    delete_address,
    host_prefix,
    list_addresses,
    new_address,
)
from hivelet.network.netlink.door import Request, execute, execute_on, open_door
from hivelet.network.netlink.links import (
    VethPair,
    delete_link,
    filter_bridge,
    link_index,
    list_links,
    new_bridge,
    new_veth,
    open_port,
    set_link_up,
    set_master,
)
from hivelet.network.netlink.routes import (
    delete_route,
    new_route,
    new_subnet_route,
)
from hivelet.network.netlink.source_rules import delete_source_rule, new_source_rule
from hivelet.network.netns import inside, new_namespace, pin_namespace
from hivelet.objects.endpoint import BridgeNetwork

RESOLVER_BRIDGE = "hv-resolvers"
"""A bridge without ports: where the resolvers' addresses live."""

_LOOPBACK = 1


def ensure_bridge(network: BridgeNetwork) -> bool:
    """The network's bridge, up, with its gateway's addresses; True where it had to be made.

    One that exists is taken as it is, save that nftables gets to see what crosses it: it may be the user's or Docker's
    own `docker_gwbridge`.
    """
    name = bridge_name(network)
    index = link_index(name)
    made = index is None
    if index is None:
        mac = mac_address(network.gateway)
        execute([new_bridge(name, mac, network.mtu)])
        index = socket.if_nametoindex(name)
    sysctls.ensure_bridge_sysctls(name, ipv6=bool(network.subnet6))
    gateways = [(network.gateway, network.subnet), (network.gateway6, network.subnet6)]
    execute(
        [
            filter_bridge(name),
            *(
                new_address(index, gateway, prefix_length(subnet))
                for gateway, subnet in gateways
                if subnet
            ),
            set_link_up(index),
        ]
    )
    return made


def ensure_routes(network: BridgeNetwork) -> None:
    """The routes to the network's subnets, which came with the gateways' addresses."""
    index = link_index(bridge_name(network))
    if index is None:
        return
    gateways = [(network.gateway, network.subnet), (network.gateway6, network.subnet6)]
    execute(
        new_subnet_route(index, str(ip_network(subnet)), gateway)
        for gateway, subnet in gateways
        if subnet
    )


def find_foreign_bridge(name: str) -> list[str] | None:
    """The addresses of a bridge that is there already; None where there is no such link.

    Raises:
        Conflict: there is a link of that name and it is no bridge.
    """
    link = list_links().get(name)
    if link is None:
        return None
    if link.kind != "bridge":
        raise Conflict(
            f"the link {name} exists and is no bridge: give the network another name for its bridge, or remove the link"
        )
    return [address for index, address, _ in list_addresses() if index == link.index]


def leave_bridge(network: BridgeNetwork, kept: Collection[str]) -> None:
    """Take a network's gateways off a bridge that is not ours, save those that it had before."""
    index = link_index(bridge_name(network))
    if index is None:
        return
    gateways = [(network.gateway, network.subnet), (network.gateway6, network.subnet6)]
    execute(
        [
            delete_address(index, gateway, prefix_length(subnet))
            for gateway, subnet in gateways
            if subnet and gateway not in kept
        ]
    )


def ensure_resolver_bridge(addresses: Iterable[str]) -> None:
    """The resolvers' addresses, on a bridge that leads nowhere."""
    index = link_index(RESOLVER_BRIDGE)
    if index is None:
        execute([new_bridge(RESOLVER_BRIDGE, mac_address("169.254.52.0"), 1500)])
        index = socket.if_nametoindex(RESOLVER_BRIDGE)
        sysctls.ensure_sysctl(f"net/ipv6/conf/{RESOLVER_BRIDGE}/disable_ipv6", "1", optional=True)
    execute([set_link_up(index)])
    execute(new_address(index, address, 32) for address in addresses)


def remove_resolver_address(address: str) -> None:
    """Take a resolver's address away."""
    index = link_index(RESOLVER_BRIDGE)
    if index is not None:
        execute([delete_address(index, address, 32)])


def change_vips(bridge: str, add: Collection[str], remove: Collection[str]) -> None:
    """Let a bridge answer for VIPs where its neighbours ask for their link address, or no longer."""
    index = link_index(bridge)
    if index is None:
        return
    execute(
        [
            *(delete_address(index, vip, host_prefix(vip)) for vip in sorted(remove)),
            *(new_address(index, vip, host_prefix(vip)) for vip in sorted(add)),
        ]
    )


def make_sandbox(path: Path, layout: SandboxLayout) -> None:
    """The namespace at `path` with all its links, addresses, routes and rules.

    It gets its name when it is whole: what is at `path`, also after a crash, can be joined; of a half-made one nothing stays.
    """
    with new_namespace() as namespace:
        with inside(namespace):
            sysctls.ensure_sandbox_sysctls(ipv6=any(link.address6 for link in layout.links))
            door = open_door()
        with closing(door):
            _make_links(namespace, layout.links)
            with inside(namespace):
                indexes = _prepare(layout.links, layout.links)
            execute_on(door, _requests_inside(layout, indexes))
        pin_namespace(namespace, path)


def mend_sandbox(path: Path, layout: SandboxLayout) -> None:
    """Make the links of a sandbox that are gone, with their addresses, and all its routes and rules again."""
    with inside(path):
        door = open_door()
    with closing(door):
        lost = tuple(link for link in layout.links if link_index(link.port) is None)
        _make_links(path, lost)
        with inside(path):
            indexes = _prepare(layout.links, lost)
        execute_on(door, _requests_inside(layout, indexes))


def change_sandbox(path: Path, before: SandboxLayout, after: SandboxLayout) -> None:
    """Turn a sandbox in which processes run from one layout into another; where this fails, call it the other way round.

    New links come first, so that whoever is joined to another network instead is never without any.
    """
    change = diff_layouts(before, after)
    with inside(path):
        door = open_door()
    with closing(door):
        _make_links(path, change.new)
        with inside(path):
            if any(link.address6 for link in change.new):
                sysctls.ensure_loopback_ipv6()
            indexes = _prepare(after.links, change.new)
            there = {link.interface: link_index(link.interface) for link in before.links}
        gone = [delete_source_rule(rule.source, rule.table) for rule in change.rules]
        gone += [
            delete_route(route.destination, index, via=route.via, table=route.table)
            for route in change.routes
            if (index := there[route.interface]) is not None
        ]
        execute_on(door, gone)
        execute([delete_link(link.port) for link in change.old])
        execute_on(door, _requests_inside(after, indexes))


def _prepare(links: Collection[Link], fresh: Collection[Link]) -> dict[str, int]:
    """Let those links of this sandbox that are `fresh` have IPv6, where they shall; the indexes of all."""
    for link in fresh:
        if link.address6:
            sysctls.ensure_interface_ipv6(link.interface)
    return {link.interface: socket.if_nametoindex(link.interface) for link in links}


def attach_port(port: str, bridge: str) -> None:
    """Put a port back into a bridge that was made anew; one that is gone is no error."""
    index = link_index(bridge)
    if index is not None and link_index(port) is not None:
        execute([set_master(port, index), open_port(port)])


def remove_links(names: Iterable[str]) -> None:
    """Remove links of ours; those that are gone are no error."""
    execute([delete_link(name) for name in names])


def _make_links(path: Path, links: Collection[Link]) -> None:
    # A namespace that was just removed may take a moment to give back the links of the same container's last run.
    execute([delete_link(link.port) for link in links])
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pairs = [
            VethPair(
                port=link.port,
                bridge_index=socket.if_nametoindex(link.bridge),
                interface=link.interface,
                mac=link.mac,
                mtu=link.mtu,
                namespace=namespace,
            )
            for link in links
        ]
        execute(map(new_veth, pairs))
    finally:
        os.close(namespace)
    for link in links:
        # Before the port is up: no link-local address is made, announced and taken away again.
        sysctls.ensure_sysctl(f"net/ipv6/conf/{link.port}/disable_ipv6", "1", optional=True)
    execute(open_port(link.port) for link in links)


def _requests_inside(layout: SandboxLayout, indexes: Mapping[str, int]) -> list[Request]:
    requests = [set_link_up(_LOOPBACK)]
    requests += [set_link_up(index) for index in indexes.values()]
    requests += [
        new_address(indexes[link.interface], link.address, link.prefix) for link in layout.links
    ]
    requests += [
        new_address(indexes[link.interface], link.address6, link.prefix6)
        for link in layout.links
        if link.address6
    ]
    requests += [
        new_route(
            route.destination,
            indexes[route.interface],
            via=route.via,
            source=route.source,
            table=route.table,
        )
        for route in layout.routes
    ]
    requests += [new_source_rule(rule.source, rule.table) for rule in layout.rules]
    return requests
