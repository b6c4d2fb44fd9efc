"""What a sandbox consists of: its links, addresses, routes and source rules. Pure.

The way out is one leg: the `ingress` leg where there is one, else `docker_gwbridge` (or a plain bridge). A task with
published ports is reached at its ingress address, so its default route must lead back through ingress, or replies of
an unconnected UDP socket would leave with another leg's source address; a second uplink would serve nothing and cost
a veth pair. The source rule is for clients that are on-link through another leg. Networks for which `internal` is
set, and overlay networks, never are the way out. IPv6 takes the same way where that leg has it, and has none otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface

from hivelet.network.names import (
    EMBEDDED_RESOLVER,
    bridge_name,
    interface_name,
    mac_address,
    port_name,
)
from hivelet.network.sandbox import Leg
from hivelet.objects.common import ContainerId, NetworkId

WAY_OUT_TABLE = 100
MAIN_TABLE = 254
LOCAL_TABLE = 255
_RANK = {"ingress": 0, "gateway": 1, "bridge": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A veth pair: `port` in `bridge` on the host, `interface` with its addresses in the sandbox."""

    network_id: NetworkId
    port: str
    bridge: str
    interface: str
    address: str
    prefix: int
    mac: str
    mtu: int
    address6: str = ""
    prefix6: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route inside the sandbox; `via` "" is on-link, `destination` "" is the default of `via`'s family."""

    destination: str
    interface: str
    via: str = ""
    source: str = ""
    table: int = MAIN_TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRule:
    """Packets from this address take their routes from that table."""

    source: str
    table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLayout:
    """All that must be made in the kernel for one sandbox, in this order."""

    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    rules: tuple[SourceRule, ...]
    gateway: str
    gateway6: str
    way_out: NetworkId | None


def way_out_leg(legs: tuple[Leg, ...]) -> Leg | None:
    """The leg that carries the default route: ingress before docker_gwbridge before a plain bridge.

    Of several plain bridges the one with the highest priority, then the one whose name comes first (Docker).
    """
    fit = [leg for leg in legs if leg.network.kind in _RANK and not leg.network.internal]
    return min(
        fit,
        key=lambda leg: (_RANK[leg.network.kind], -leg.priority, leg.network.name),
        default=None,
    )


def build_layout(
    container_id: ContainerId, legs: tuple[Leg, ...], resolver: str | None
) -> SandboxLayout:
    """The layout of a sandbox whose legs all have addresses.

    Interfaces are numbered with the application's own networks first, so that `eth0` is what a program that looks
    for "the" address should find; one that has a number keeps it, whatever comes and goes beside it. The resolver is reached through a gateway, never by ARP for its link-local address.
    """
    ordered = sorted(legs, key=lambda leg: _RANK.get(leg.network.kind, -1))
    links = tuple(
        _link(container_id, ordinal if leg.ordinal is None else leg.ordinal, leg)
        for ordinal, leg in enumerate(ordered)
    )
    by_network = {link.network_id: link for link in links}
    out = way_out_leg(legs)
    routes: list[Route] = []
    rules: list[SourceRule] = []
    if out is not None:
        link = by_network[out.network.id]
        ways = [(link.address, link.prefix, out.network.gateway)]
        if link.address6:
            ways.append((link.address6, link.prefix6, out.network.gateway6))
        for address, prefix, gateway in ways:
            routes.append(Route(destination="", via=gateway, interface=link.interface))
            if len(links) > 1:
                routes += _second_table(f"{address}/{prefix}", gateway, link.interface)
                rules.append(SourceRule(source=address, table=WAY_OUT_TABLE))
    if resolver is not None and links:
        routes += _resolver_routes(resolver, links[0], ordered[0].network.gateway)
    return SandboxLayout(
        links=links,
        routes=tuple(routes),
        rules=tuple(rules),
        gateway=out.network.gateway if out is not None else "",
        gateway6=out.network.gateway6 if out is not None else "",
        way_out=out.network.id if out is not None else None,
    )


def _link(container_id: ContainerId, ordinal: int, leg: Leg) -> Link:
    assert leg.address is not None, "legs get their addresses before the layout is built"
    interface = ip_interface(leg.address)
    second = ip_interface(leg.address6) if leg.address6 and leg.network.subnet6 else None
    return Link(
        network_id=leg.network.id,
        port=port_name(container_id, ordinal),
        bridge=bridge_name(leg.network),
        interface=interface_name(ordinal),
        address=str(interface.ip),
        prefix=interface.network.prefixlen,
        mac=leg.mac or mac_address(str(interface.ip)),
        mtu=leg.network.mtu,
        address6=str(second.ip) if second else "",
        prefix6=second.network.prefixlen if second else 0,
    )


def _second_table(address: str, gateway: str, interface: str) -> list[Route]:
    subnet = str(ip_interface(address).network)
    return [
        Route(destination=subnet, interface=interface, table=WAY_OUT_TABLE),
        Route(destination="", via=gateway, interface=interface, table=WAY_OUT_TABLE),
    ]


def _resolver_routes(resolver: str, link: Link, gateway: str) -> list[Route]:
    # 127.0.0.11 leaves the sandbox like any other address (a /32 in the local table is more specific than lo's /8);
    # the host translates it to the sandbox's resolver, so that `resolver 127.0.0.11;` in users' files just works.
    return [
        Route(destination=f"{resolver}/32", via=gateway, interface=link.interface),
        Route(
            destination=f"{EMBEDDED_RESOLVER}/32",
            via=gateway,
            interface=link.interface,
            source=link.address,
            table=LOCAL_TABLE,
        ),
    ]
