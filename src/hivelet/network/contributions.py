"""What each owner contributes to a family's rules and to a resolver's names. Pure.

An owner is one service, one container, or all networks: what changes with it is written anew, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hivelet.network.desired import DesiredState, owner_of_container, owner_of_service
from hivelet.network.dns.records import (
    ContainerNames,
    Records,
    build_container_zone,
    build_service_zone,
)
from hivelet.network.family import FRAMES, IPV4, Family
from hivelet.network.names import bridge_name, mac_address
from hivelet.network.rules.frames import Speaker, build_frames
from hivelet.network.rules.ingress import build_ports
from hivelet.network.rules.isolation import build_asker, build_isolation, build_members, is_open
from hivelet.network.rules.masquerade import build_sandbox, build_uplinks
from hivelet.network.rules.ruleset import EMPTY, Fragment
from hivelet.network.rules.vip import build_protocols, build_vips
from hivelet.objects.common import ContainerId, NetworkId, ServiceId
from hivelet.objects.endpoint import BridgeNetwork

_WITH_ZONE = ("service:", "container:")


def build_fragment(state: DesiredState, owner: str, family: Family = IPV4) -> Fragment:
    """An owner's part of a family's ruleset; empty where the owner is gone."""
    kind, _, name = owner.partition(":")
    if family is FRAMES:
        return _build_frames(state, ContainerId(name)) if kind == "container" else EMPTY
    match kind:
        case "networks":
            return _merge(
                build_protocols(),
                build_isolation(state.networks.values(), family),
                build_uplinks(state.networks.values(), family),
            )
        case "service":
            return _build_service(state, ServiceId(name), family)
        case "container":
            return _build_container(state, ContainerId(name), family)
        case _:
            raise AssertionError(owner)


def build_zones(
    state: DesiredState, name: str, owners: Collection[str] | None
) -> dict[str, Records]:
    """What these owners (None: all) contribute to a resolver; an empty zone where they contribute nothing."""
    record = state.resolvers[name]
    networks = {n: state.networks[n] for n in record.networks if n in state.networks}
    if owners is None:
        owners = [
            *map(owner_of_service, state.services),
            *map(owner_of_container, state.containers),
        ]
    return {
        owner: _build_zone(state, owner, networks)
        for owner in owners
        if owner.startswith(_WITH_ZONE)
    }


def _build_service(state: DesiredState, service_id: ServiceId, family: Family) -> Fragment:
    entry = state.services.get(service_id) or state.published.get(service_id)
    if entry is None:
        return EMPTY
    members = state.members_of(service_id)
    return _merge(
        build_vips(entry, members, state.networks, family),
        build_ports(entry, members, state.networks, family),
    )


def _build_container(state: DesiredState, container_id: ContainerId, family: Family) -> Fragment:
    record = state.containers.get(container_id)
    if record is None:
        return EMPTY
    own = record.addresses if family is IPV4 else record.addresses6
    places = [
        (network, address)
        for network_id, address in own.items()
        if (network := state.networks.get(network_id)) is not None
    ]
    members, addresses = build_members(places), sorted(own.values())
    resolver = state.resolvers.get(record.resolver) if record.resolver is not None else None
    if family is not IPV4 or resolver is None:
        return _merge(members, build_sandbox(addresses, None))
    asker = {bridge_name(network): address for network, address in places}
    return _merge(
        members,
        build_sandbox(addresses, resolver.address),
        build_asker(asker, resolver.address),
    )


def _build_frames(state: DesiredState, container_id: ContainerId) -> Fragment:
    record = state.containers.get(container_id)
    if record is None:
        return EMPTY
    return build_frames(
        Speaker(
            port=port,
            mac=record.macs.get(network_id) or mac_address(record.addresses[network_id]),
            address=record.addresses[network_id],
            address6=record.addresses6.get(network_id, ""),
        )
        for network_id, port in record.ports.items()
        if (network := state.networks.get(network_id)) is not None and not is_open(network)
    )


def _build_zone(
    state: DesiredState, owner: str, networks: Mapping[NetworkId, BridgeNetwork]
) -> Records:
    kind, _, name = owner.partition(":")
    if kind == "service":
        service_id = ServiceId(name)
        entry = state.services.get(service_id)
        members = state.members_of(service_id)
        if entry is None or entry.leaving:
            return {}
        return build_service_zone(networks, entry, members)
    record = state.containers.get(ContainerId(name))
    if record is None:
        return {}
    places = [
        ContainerNames(network_id=network_id, address=address, names=record.names[network_id])
        for addresses in (record.addresses, record.addresses6)
        for network_id, address in addresses.items()
        if record.names.get(network_id)
    ]
    return build_container_zone(networks, places)


def _merge(*parts: Fragment) -> Fragment:
    return Fragment(
        chains={name: chain for part in parts for name, chain in part.chains.items()},
        elements={key: item for part in parts for key, item in part.elements.items()},
    )
