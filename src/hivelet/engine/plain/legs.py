"""What a plain container asks of its networks: which, in which order, and under which conditions. Pure.

Refusals are in Docker's words, because clients match on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hivelet.engine.plain.wish import DEFAULT_MODES
from hivelet.engine.registry import LegRecord
from hivelet.errors import InvalidParameter
from hivelet.network.ipam import prefix_length
from hivelet.objects.container import EndpointIpam, EndpointRequest
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.name_rules import check_hostname

_MAC = re.compile(r"[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(\1[0-9a-fA-F]{2}){4}")

ALONE = (
    "container cannot be connected to multiple networks with one of the networks in private (none) "
    "mode"
)
HOST = "container cannot be disconnected from host network or connected to host network"
SHARED = (
    "container sharing network namespace with another container or host cannot be connected to any "
    "other network"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network that a container may join; `given_subnet` says whether its user chose the addresses."""

    network: BridgeNetwork
    given_subnet: bool
    default: bool = False


def asked_networks(
    mode: str, wishes: Mapping[str, EndpointRequest], mac: str = ""
) -> dict[str, EndpointRequest]:
    """The networks that a new container names, the one of its mode first; none where it has no network of its own."""
    if mode in ("none", "host") or mode.startswith("container:"):
        return {}
    main = "bridge" if mode in DEFAULT_MODES else mode
    own = wishes.get(main) or wishes.get(mode) or EndpointRequest()
    if mac and not own.mac_address:
        own = own.replaced(mac_address=mac)
    others = {name: wish for name, wish in wishes.items() if name not in (mode, main, "default")}
    return {main: own, **others}


def check_other_network(mode: str, network: str) -> None:
    """Refuse to join a container of this mode to a further network, or to leave one.

    Raises:
        InvalidParameter: it cannot be.
    """
    if network == "host":
        raise InvalidParameter(HOST)
    if mode == "host" or mode.startswith("container:"):
        raise InvalidParameter(SHARED)
    if "none" in (mode, network):
        raise InvalidParameter(ALONE)


def build_leg(candidate: Candidate, wish: EndpointRequest) -> LegRecord:
    """A container's place in a network, as it asks for it.

    Raises:
        InvalidParameter: the network cannot give that.
    """
    network, asked = candidate.network, wish.ipam_config
    _check_addresses(candidate, asked)
    if candidate.default and wish.aliases:
        raise InvalidParameter(
            "network-scoped alias is supported only for containers in user defined networks"
        )
    for alias in wish.aliases:
        check_hostname(alias)
    if wish.mac_address and not _MAC.fullmatch(wish.mac_address):
        raise InvalidParameter(f"invalid MAC address: {wish.mac_address}")
    overlay = network.kind == "overlay"
    return LegRecord(
        network=network,
        address="" if overlay else _with_prefix(asked.ipv4_address, network.subnet),
        address6="" if overlay else _with_prefix(asked.ipv6_address, network.subnet6),
        aliases=wish.aliases,
        asked=asked,
        mac_address=wish.mac_address.lower().replace("-", ":"),
        links=wish.links,
        driver_opts=wish.driver_opts,
        priority=wish.gw_priority,
        named=True,
    )


def _check_addresses(candidate: Candidate, asked: EndpointIpam) -> None:
    for kind, text in ((IPv4Address, asked.ipv4_address), (IPv6Address, asked.ipv6_address)):
        try:
            _ = text and kind(text)
        except ValueError:
            raise InvalidParameter(f"invalid {kind.__name__[:4]} address: {text}") from None
    if not (asked.ipv4_address or asked.ipv6_address):
        return
    if candidate.default:
        raise InvalidParameter(
            "user specified IP address is supported on user defined networks only"
        )
    for text, subnet in (
        (asked.ipv4_address, candidate.network.subnet),
        (asked.ipv6_address, candidate.network.subnet6),
    ):
        if candidate.given_subnet and text and not (subnet and _is_of(text, subnet)):
            raise InvalidParameter(
                f"Invalid address {text}: It does not belong to any of this network's subnets"
            )
    if not candidate.given_subnet:
        raise InvalidParameter(
            "user specified IP address is supported only when connecting to networks with user "
            "configured subnets"
        )


def _is_of(address: str, subnet: str) -> bool:
    return ip_address(address) in ip_network(subnet)


def _with_prefix(address: str, subnet: str) -> str:
    return f"{address}/{prefix_length(subnet)}" if address and subnet else ""
