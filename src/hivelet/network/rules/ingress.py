"""Published ports: from the host's addresses to the tasks, in ingress and in host mode. Pure.

A port leads to the task's address on its way out (see `hivelet.network.layout`), so that answers come back the same
way. In host mode only the tasks that hold the port on this node take part. `host_ip` is honoured and never widened. A port
without a backend has no rule: it is the host's own then, which refuses at once, or answers where a program of the
host's holds the port that a service in vain asks for. To IPv6 belongs who listens there: a task that is known to
listen for IPv4 alone takes no part in it, and where all do so, the port refuses there like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from hivelet.network.family import IPV4, Family
from hivelet.network.names import port_chain
from hivelet.network.rules.balance import spread_port
from hivelet.network.rules.ruleset import Chain, Fragment, Key
from hivelet.network.rules.sets import PUBLISHED, PUBLISHED_AT
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

_RANK = {"ingress": 0, "gateway": 1, "bridge": 2}
_ANY = ("", "0.0.0.0", "::")


def build_ports(
    entry: ServiceEntry,
    backends: Sequence[Backend],
    networks: Mapping[NetworkId, BridgeNetwork],
    family: Family = IPV4,
) -> Fragment:
    """The published ports of a service and of the host-mode ports that its tasks hold."""
    chains: dict[str, Chain] = {}
    elements: dict[Key, str] = {}
    for port, members in _port_members(entry, backends, family):
        able = [b for b in members if family.version == 4 or not _only_ipv4(b, port)]
        addresses = [a for b in able if (a := reachable_at(b, networks, family))]
        if not addresses:
            # Nobody listens, as the kernel says itself; and a foreign program that holds the port keeps its clients.
            continue
        if not port.published_port or not addresses:
            continue
        name = port_chain(entry.service_id, port.publish_mode, port.protocol, port.target_port)
        chains[name] = Chain(
            rules=spread_port(
                addresses, port.protocol, port.target_port, affinity=entry.affinity, family=family
            ),
            comment=f"{entry.name} port {port.target_port}/{port.protocol}",
        )
        elements[dispatch_key(port)] = f"goto {name}"
    return Fragment(chains=chains, elements=elements)


def dispatch_key(port: PortConfig) -> Key:
    """The map element that leads from the host to a published port."""
    if port.host_ip in _ANY:
        return PUBLISHED, f"{port.protocol} . {port.published_port}"
    # As the kernel lists it: there are many ways to write an IPv6 address.
    address = ip_address(port.host_ip)
    return PUBLISHED_AT, f"{address} . {port.protocol} . {port.published_port}"


def clashes(port: PortConfig, other: PortConfig) -> bool:
    """Whether two published ports are one: the same on an address that both have."""
    same = (port.protocol, port.published_port) == (other.protocol, other.published_port)
    anywhere = port.host_ip in _ANY or other.host_ip in _ANY
    return same and (anywhere or port.host_ip == other.host_ip)


def reachable_at(
    backend: Backend, networks: Mapping[NetworkId, BridgeNetwork], family: Family = IPV4
) -> str:
    """The address at which the host reaches a task's published ports; "" where it has no way out."""
    legs = sorted(
        (_RANK[network.kind], address)
        for network_id, address in family.addresses(backend).items()
        if (network := networks.get(network_id)) is not None
        and network.kind in _RANK
        and not network.internal
        and family.subnet(network)
    )
    return legs[0][1] if legs else ""


def _only_ipv4(backend: Backend, port: PortConfig) -> bool:
    return port.protocol == "tcp" and port.target_port in backend.ipv4_only


def _port_members(
    entry: ServiceEntry, backends: Sequence[Backend], family: Family
) -> list[tuple[PortConfig, list[Backend]]]:
    ports = [
        _ingress_members(port, backends)
        for port in entry.ports
        if port.publish_mode != "host" and family.publishes(port.host_ip)
    ]
    held = _handed_over(entry, backends, family)
    for backend in backends:
        for port in backend.host_ports:
            if not family.publishes(port.host_ip):
                continue
            pinned = port.replaced(publish_mode="host")
            before = held.get(dispatch_key(pinned))
            if before is not None and _serve_alike(before[0], pinned):
                before[1].append(backend)
            else:
                # An update has moved the target, or the port to this mode: the newer task, which is ready, takes over from
                # the older at once.
                held[dispatch_key(pinned)] = (pinned, [backend])
    return ports + list(held.values())


def _serve_alike(port: PortConfig, other: PortConfig) -> bool:
    return (port.publish_mode, port.target_port) == (other.publish_mode, other.target_port)


def _handed_over(
    entry: ServiceEntry, backends: Sequence[Backend], family: Family
) -> dict[Key, tuple[PortConfig, list[Backend]]]:
    """Ports that an update moves from ingress to host mode: served by the old tasks until a new one holds them."""
    wanted = {dispatch_key(p) for p in entry.host_ports if family.publishes(p.host_ip)}
    found: dict[Key, tuple[PortConfig, list[Backend]]] = {}
    for backend in backends:
        for port in backend.ingress_ports:
            key = dispatch_key(port)
            if (
                key in wanted
                and found.setdefault(key, (port, []))[0].target_port == port.target_port
            ):
                found[key][1].append(backend)
    return found


def _ingress_members(
    port: PortConfig, backends: Sequence[Backend]
) -> tuple[PortConfig, list[Backend]]:
    """Who serves a port, and where: while an update moves the target, the old tasks until the first new one is ready."""
    able = [b for b in backends if _target(b, port) == port.target_port]
    if able or not backends:
        return port, able
    before = _target(backends[0], port)
    return (
        port.replaced(target_port=before),
        [b for b in backends if _target(b, port) == before],
    )


def _target(backend: Backend, port: PortConfig) -> int:
    """The port inside the container that the task was made to serve `port` on."""
    for own in backend.ingress_ports:
        if dispatch_key(own) == dispatch_key(port):
            return own.target_port
    return port.target_port
