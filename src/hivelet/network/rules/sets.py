"""The sets and maps of our tables, as a table of data for each family. Pure.

Everything that varies is an element of a set or map declared here, or a regular chain that a map leads to.
"""

from __future__ import annotations

from hivelet.network.family import FRAMES, Family
from hivelet.network.rules import frames
from hivelet.network.rules.parts import Container

BRIDGES = "bridges"
INTERNAL = "internal"
SUBNETS = "subnets"
HOME = "home"
MEMBERS = "members"
OPEN = "open"
UPLINKS = "uplinks"
HAIRPIN = "hairpin"
ASKERS = "askers"
RESOLVER_OF = "resolver_of"
BALANCED = "balanced"
VIPS = "vips"
HOST_VIPS = "vips_of_host"
PUBLISHED = "published"
PUBLISHED_AT = "published_at"
ANSWERING = "answering"
RETRIED = "retried"


def containers(family: Family) -> tuple[Container, ...]:
    """The sets and maps of a family's table. Resolvers are asked by IPv4 alone."""
    if family is FRAMES:
        return frames.CONTAINERS
    address = family.address_type
    resolvers = (
        Container(
            "set",
            ASKERS,
            f"type ifname . {address} . {address}",
            "sandboxes, each by its bridge and address, and the resolver it may ask",
        ),
        Container(
            "map", RESOLVER_OF, f"type {address} : {address}", "a sandbox's address to its resolver"
        ),
    )
    return (
        Container("set", BRIDGES, "type ifname", "all bridges of ours"),
        Container("set", INTERNAL, "type ifname", "bridges without a way out"),
        Container(
            "set", SUBNETS, f"type {address}; flags interval", "subnets of all networks of ours"
        ),
        Container(
            "set",
            HOME,
            f"type ifname . {address}; flags interval",
            "the addresses that a bridge's members may have",
        ),
        Container(
            "set",
            MEMBERS,
            f"type ifname . {address}",
            "sandboxes, each by its bridge and the address it was given",
        ),
        Container(
            "set", OPEN, "type ifname . ifname", "bridges whose members may talk to each other"
        ),
        Container(
            "set",
            UPLINKS,
            f"type {address}; flags interval",
            "subnets that leave through the host's address",
        ),
        Container(
            "set", HAIRPIN, f"type {address} . {address}", "addresses of one and the same sandbox"
        ),
        *(resolvers if family.version == 4 else ()),
        Container("set", BALANCED, "type inet_proto", "protocols that VIPs balance"),
        # Two maps, each for one hook: from every base chain the kernel goes through all chains that it leads to
        # whenever a rule is added (nft_chain_validate).
        Container("map", VIPS, f"type ifname . {address} : verdict", "VIPs, as seen from a bridge"),
        Container("map", HOST_VIPS, f"type {address} : verdict", "VIPs, as seen from the host"),
        Container(
            "set",
            ANSWERING,
            f"type {address} . inet_service; flags dynamic, timeout; timeout 60s",
            "backends' ports that have accepted a connection lately (kept by the rules)",
        ),
        Container(
            "set",
            RETRIED,
            f"type {address} . inet_service; flags dynamic, timeout; timeout 10s",
            "clients whose SYN was not answered, for it to come again (kept by the rules)",
        ),
        Container(
            "map",
            PUBLISHED_AT,
            f"type {address} . inet_proto . inet_service : verdict",
            "ports published on one address of the host",
        ),
        Container(
            "map",
            PUBLISHED,
            "type inet_proto . inet_service : verdict",
            "ports published on all addresses of the host",
        ),
    )


KEPT_BY_RULES = frozenset({ANSWERING, RETRIED})
"""The sets whose elements are none of ours to compare."""
