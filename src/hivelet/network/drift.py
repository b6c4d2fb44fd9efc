"""What on this host is no longer as it was made: bridges, ports, addresses, kernel switches. Pure.

Only what is ours is compared: a link, an address or a switch that nothing here names does not exist for this module.
Inside of a sandbox only the presence of its links is ours; what a container does to its own interfaces is its affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hivelet.network.local6 import LocalWay, find_fault
from hivelet.network.netlink.links import LinkState
from hivelet.objects.common import ContainerId, NetworkId


class Repair(StrEnum):
    """How a drift is mended."""

    NETWORK = "network"
    ROUTES = "routes"
    VIPS = "vips"
    PORT = "port"
    SANDBOX = "sandbox"
    RESOLVERS = "resolvers"
    LOCAL_WAY = "local way"
    SWITCHES = "switches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing that drifted: what it is in words, and what mends it (`subject`: of which network, port, container)."""

    repair: Repair
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """The host's part of the network as it is."""

    links: Mapping[str, LinkState] = field(default_factory=dict)
    addresses: frozenset[tuple[str, str]] = frozenset()
    """Pairs of a link's name and an address on it."""
    routes: frozenset[tuple[str, str]] = frozenset()
    """Pairs of a link's name and a subnet that an address on it leads to."""
    local_way: LocalWay = field(default_factory=LocalWay)
    switches: Mapping[str, str] = field(default_factory=dict)
    """Kernel switches as asked for; one that does not exist is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBridge:
    """A bridge: its network, the gateway's addresses, their subnets, and the VIPs that it was given."""

    network_id: NetworkId
    network_name: str
    gateways: tuple[str, ...]
    subnets: tuple[str, ...] = ()
    vips: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPort:
    """The host's end of a container's veth pair."""

    container_id: ContainerId
    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHost:
    """What has been made on this host and is still wanted."""

    bridges: Mapping[str, WantedBridge] = field(default_factory=dict)
    ports: Mapping[str, WantedPort] = field(default_factory=dict)
    resolver_bridge: str = ""
    resolvers: frozenset[str] = frozenset()
    local_way: bool = False
    """Whether [::1] leads to tasks (`hivelet.network.local6`)."""
    switches: Mapping[str, str] = field(default_factory=dict)


def find_drift(actual: HostState, wanted: WantedHost) -> tuple[Drift, ...]:
    """All that drifted, in the order in which it should be mended: bridges before what is attached to them."""
    return (
        *_switches(actual, wanted),
        *_bridges(actual, wanted),
        *_ports(actual, wanted),
        *_resolvers(actual, wanted),
        *_local_way(actual, wanted),
    )


def _switches(actual: HostState, wanted: WantedHost) -> Iterator[Drift]:
    for name, value in wanted.switches.items():
        found = actual.switches.get(name)
        if found is not None and found != value:
            yield Drift(
                repair=Repair.SWITCHES,
                subject=name,
                what=f"the kernel switch {name.replace('/', '.')} is {found}, not {value}",
            )


def _bridges(actual: HostState, wanted: WantedHost) -> Iterator[Drift]:
    for name, bridge in wanted.bridges.items():
        link = actual.links.get(name)
        of = f"of the network {bridge.network_name}"
        without = [g for g in bridge.gateways if (name, g) not in actual.addresses]
        if link is None:
            what = f"the bridge {name} {of} is gone"
        elif not link.up:
            what = f"the bridge {name} {of} is down"
        elif not link.filtered:
            what = f"the bridge {name} {of} does not show nftables what crosses it"
        elif without:
            what = f"the bridge {name} {of} has lost its address {without[0]}"
        else:
            what = ""
        if what:
            yield Drift(repair=Repair.NETWORK, subject=bridge.network_id, what=what)
        else:
            # A bridge that is made, or set up, or given an address has its routes again with that.
            astray = [subnet for subnet in bridge.subnets if (name, subnet) not in actual.routes]
            if astray:
                what = f"the bridge {name} {of} has lost its route to {astray[0]}"
                yield Drift(repair=Repair.ROUTES, subject=bridge.network_id, what=what)
        lost = sorted(vip for vip in bridge.vips if (name, vip) not in actual.addresses)
        if lost:
            yield Drift(
                repair=Repair.VIPS,
                subject=name,
                what=f"the bridge {name} {of} has lost service addresses: {', '.join(lost)}",
            )


def _ports(actual: HostState, wanted: WantedHost) -> Iterator[Drift]:
    for name, port in wanted.ports.items():
        link = actual.links.get(name)
        of = f"of the container {port.container_id[:12]}"
        if link is None:
            yield Drift(
                repair=Repair.SANDBOX,
                subject=port.container_id,
                what=f"the link {name} {of} is gone",
            )
            continue
        bridge = actual.links.get(port.bridge)
        if bridge is None or link.master != bridge.index:
            what = f"the link {name} {of} is not in its bridge {port.bridge}"
        elif not link.up:
            what = f"the link {name} {of} is down"
        elif not link.hairpin:
            what = f"the link {name} {of} has lost its hairpin mode"
        else:
            continue
        yield Drift(repair=Repair.PORT, subject=name, what=what)


def _resolvers(actual: HostState, wanted: WantedHost) -> Iterator[Drift]:
    name = wanted.resolver_bridge
    link = actual.links.get(name)
    if not wanted.resolvers:
        return
    lost = sorted(a for a in wanted.resolvers if (name, a) not in actual.addresses)
    if link is None:
        what = f"the bridge {name} of the resolvers is gone"
    elif not link.up:
        what = f"the bridge {name} of the resolvers is down"
    elif lost:
        what = f"the bridge {name} has lost resolvers' addresses: {', '.join(lost)}"
    else:
        return
    yield Drift(repair=Repair.RESOLVERS, subject=name, what=what)


def _local_way(actual: HostState, wanted: WantedHost) -> Iterator[Drift]:
    if wanted.local_way and (fault := find_fault(actual.links, actual.addresses, actual.local_way)):
        yield Drift(
            repair=Repair.LOCAL_WAY, subject="", what=f"on the way of [::1] to tasks, {fault}"
        )
