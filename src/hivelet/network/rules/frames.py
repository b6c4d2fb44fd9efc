"""What a container may put on the wire: the table of the link layer, which sees frames before any other table. Pure.

Bridge netfilter shows the tables of IPv4 and IPv6 their packets alone, and no packet that wears a VLAN tag, which the
receiver takes off without a word. So tagged frames cross no port of ours, whatever bridge it is in. And on a bridge
whose members share nothing (`ingress`, `docker_gwbridge`, `enable_icc=false`) a port speaks for its own addresses only:
it can neither claim another member's by ARP or a neighbour advertisement, nor teach the bridge another member's MAC.
What always holds: such a port has its chain before its container starts, until its container is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

from hivelet.network.rules.parts import BaseChain, Container
from hivelet.network.rules.ruleset import Chain, Fragment

PORTS = "ports"

CONTAINERS = (
    Container(
        "map", PORTS, "type ifname : verdict", "ports that speak for nobody but their container"
    ),
)

_TAGGED = "8021q, 8021ad, 0x8863, 0x8864"
"""VLAN tags of both kinds, PPPoE: what carries an IP packet past bridge netfilter."""

BASE_CHAINS = (
    BaseChain(
        "raw-prerouting",
        "type filter hook prerouting priority -300",
        (f'iifname "hv*" ether type {{ {_TAGGED} }} drop', f"iifname vmap @{PORTS}"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A container's leg on a bridge whose members share nothing."""

    port: str
    mac: str
    address: str
    address6: str = ""


def build_frames(speakers: Iterable[Speaker]) -> Fragment:
    """A container's part: what each of its ports may send."""
    legs = tuple(speakers)
    return Fragment(
        chains={_chain(leg): Chain(rules=_rules(leg)) for leg in legs},
        elements={(PORTS, f'"{leg.port}"'): f"goto {_chain(leg)}" for leg in legs},
    )


def _chain(leg: Speaker) -> str:
    return f"from_{leg.port}"


def _rules(leg: Speaker) -> tuple[str, ...]:
    own = f"::, fe80::/10, {leg.address6}" if leg.address6 else "::, fe80::/10"
    return (
        f"ether saddr != {leg.mac} drop",
        f"ip saddr {leg.address} accept",
        # 0.0.0.0 asks whether an address is in use, and claims none.
        f"arp saddr ether {leg.mac} arp saddr ip {{ 0.0.0.0, {leg.address} }} accept",
        f"icmpv6 type nd-neighbor-advert {_not_own_target(leg.address6)} drop",
        f"ip6 saddr {{ {own} }} accept",
        "drop",
    )


def _not_own_target(address6: str) -> str:
    """An advertisement's target, by its place behind the header: neither of the link (fe80::) nor the leg's own."""
    other = f" @th,64,128 != {int(IPv6Address(address6)):#034x}" if address6 else ""
    return f"@th,64,16 != 0xfe80{other}"


SPECIMEN = build_frames(
    [Speaker(port="hvport", mac="02:42:c0:00:02:01", address="192.0.2.1", address6="2001:db8::1")]
)
"""What a kernel must know to have this table."""
