"""Which published ports and VIPs a service gets. Pure.

A port without a number gets the first free one from 30000 on, and keeps it through updates for the same target. A VIP stays as
long as the service stays in the network. A service that is being removed has given its ports up, so that a stack can be
deployed again while its predecessor still drains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hivelet.errors import Conflict
from hivelet.manager.allocator.book import PREDEFINED, AddressBook
from hivelet.objects.common import NetworkId, ServiceId
from hivelet.objects.defaults import DYNAMIC_PORTS
from hivelet.objects.service import Endpoint, EndpointSpec, EndpointVirtualIP, Service
from hivelet.objects.task import PortConfig

PortKey = tuple[str, int]


class PortTaken(Conflict):
    """A published port belongs to another service."""


def needs_ingress(service: Service) -> bool:
    """Whether the service publishes ports through the ingress network."""
    spec = service.spec.endpoint_spec
    return spec is not None and any(port.publish_mode == "ingress" for port in spec.ports)


def held_ports(services: Iterable[Service], but: ServiceId) -> dict[PortKey, Service]:
    """Ingress ports that are given, with their holders."""
    return {
        (port.protocol, port.published_port): service
        for service in services
        if service.id != but and not service.pending_delete and service.endpoint is not None
        for port in service.endpoint.ports
        if port.publish_mode == "ingress" and port.published_port
    }


def allocate_ports(service: Service, held: dict[PortKey, Service]) -> list[PortConfig]:
    """The service's ports, each with a number (host-mode ports without one get theirs on the node).

    Raises:
        PortTaken: another service has one of them.
    """
    spec = service.spec.endpoint_spec or EndpointSpec()
    taken = dict.fromkeys(held)
    fixed = [p for p in spec.ports if p.published_port or p.publish_mode != "ingress"]
    for port in fixed:
        key = (port.protocol, port.published_port)
        if port.publish_mode == "ingress" and key in held:
            raise PortTaken(
                f"port '{port.published_port}' is already in use by service "
                f"'{held[key].spec.name}' ({held[key].id}) as an ingress port"
            )
        taken[key] = None
    return [
        port if port in fixed else _number(port, service.endpoint, taken) for port in spec.ports
    ]


def _number(port: PortConfig, before: Endpoint | None, taken: dict[PortKey, None]) -> PortConfig:
    for old in before.ports if before is not None else ():
        key = (old.protocol, old.published_port)
        if old.replaced(published_port=0) == port and old.published_port and key not in taken:
            taken[key] = None
            return old
    for number in DYNAMIC_PORTS:
        if (port.protocol, number) not in taken:
            taken[port.protocol, number] = None
            return port.replaced(published_port=number)
    raise PortTaken(
        f"no free port between {DYNAMIC_PORTS.start} and {DYNAMIC_PORTS.stop - 1} "
        f"for {port.target_port}/{port.protocol}; publish it with a number of your choice"
    )


def allocate_endpoint(
    service: Service,
    networks: Collection[NetworkId],
    ports: list[PortConfig],
    book: AddressBook,
    ingress: NetworkId | None = None,
) -> Endpoint:
    """The endpoint that the service should have; the very same value where nothing changes.

    A VIP of each family for each network. `ingress` has no names that could lead to one: its VIP is there because Docker
    shows it, and IPv4 alone.

    Raises:
        Conflict: a network has no address left for a VIP.
    """
    spec = service.spec.endpoint_spec or EndpointSpec()
    before = service.endpoint.virtual_ips if service.endpoint is not None else []
    vips: list[EndpointVirtualIP] = []
    if spec.mode != "dnsrr":
        kept: dict[NetworkId, list[str]] = {}
        for vip in before:
            kept.setdefault(vip.network_id, []).append(vip.addr)
        vips = [
            EndpointVirtualIP(network_id=network_id, addr=address)
            for network_id in networks
            if network_id not in PREDEFINED
            for address in book.give_missing(
                network_id, service.id, kept.get(network_id, ()), ipv6=network_id != ingress
            )
        ]
    endpoint = Endpoint(spec=spec, ports=ports, virtual_ips=vips)
    return service.endpoint if service.endpoint == endpoint else endpoint
