"""The kernel: its version, and what of it hivelet stands on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hivelet.doctor.finding import Finding, Level, load_module, set_switch
from hivelet.network.neighbours import NEIGHBOURS

OLDEST = (5, 6)
"""Sets of links with ranges of addresses, by which networks are kept apart; and pidfd_open (5.3), by which the end of a
container is seen in the same millisecond."""
TRIED = (5, 13)
"""What docs/getting-started.md asks for."""

FILE_SYSTEMS = {
    "overlay": "containers share their image's layers",
    "tmpfs": "secrets never reach a disk",
}
NFT_FEATURES = {
    "nat": "service addresses and published ports",
    "fib": "published ports at all addresses of the host",
    "numgen": "balancing in turn",
    "ct timeout": "connections that are silent for long",
    "bridge": "members of ingress and docker_gwbridge that forge ARP, or tag their frames",
}
_NICE_TO_HAVE = ("ct timeout", "bridge")
_FULL = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """`nft`: by feature what the kernel said when it was tried, "" for yes; None where it could not be tried."""

    release: str = ""
    version: tuple[int, int] = (0, 0)
    file_systems: frozenset[str] = frozenset()
    pidfd: bool = True
    links: str | None = ""
    nft: Mapping[str, str] | None = field(default_factory=dict)
    bridge_netfilter: bool = True
    forwarding: bool = True
    connections: tuple[int, int] | None = None
    """Connections that are tracked, and the limit."""
    neighbours: Mapping[str, int] = field(default_factory=dict)
    """Of how many neighbours there may be, the switches that are lower than hivelet sets them."""


def check_kernel(facts: KernelFacts) -> Iterator[Finding]:
    """All that concerns the kernel."""
    yield _version(facts)
    for name, purpose in FILE_SYSTEMS.items():
        there = name in facts.file_systems
        yield Finding(
            name=f"file-system-{name}",
            seen=f"the kernel {'knows' if there else 'does not know'} {name}",
            level="ok" if there else "serious",
            meaning=f"without it no container starts: {purpose}",
            repairs=(load_module(name),),
        )
    yield _links(facts)
    yield from _nft(facts)
    yield Finding(
        name="bridge-netfilter",
        seen=f"br_netfilter is {'there' if facts.bridge_netfilter else 'not loaded'}",
        level="ok" if facts.bridge_netfilter else "serious",
        meaning="answers of a service address would reach a caller in the same network untranslated; hiveletd loads it "
        "at its start, where it may",
        repairs=(load_module("br_netfilter"),),
    )
    yield Finding(
        name="forwarding",
        seen=f"net.ipv4.ip_forward is {int(facts.forwarding)}",
        level="ok" if facts.forwarding else "note",
        meaning="no packet passes from outside to a container; hiveletd switches it on at its start",
        repairs=(set_switch("net.ipv4.ip_forward", "1"),),
    )
    if facts.connections is not None:
        yield _connections(*facts.connections)
    if facts.neighbours:
        yield Finding(
            name="neighbours",
            seen=", ".join(f"{name} is {value}" for name, value in facts.neighbours.items()),
            level="note",
            meaning="with some 250 tasks packets to addresses that are not known yet are dropped; hiveletd raises it at its start",
            repairs=tuple(
                set_switch(name, str(NEIGHBOURS[name.rpartition(".")[2]]))
                for name in reversed(list(facts.neighbours))
            ),
        )


def _version(facts: KernelFacts) -> Finding:
    seen = f"Linux {facts.release}" + ("" if facts.pidfd else ", without pidfd_open")
    if not facts.pidfd and facts.version >= OLDEST:
        return Finding(
            name="kernel",
            seen=seen,
            level="serious",
            meaning="the end of a container cannot be seen",
            way_out="let this environment use pidfd_open (a seccomp filter forbids it)",
        )
    level: Level = "serious" if facts.version < OLDEST else "note"
    return Finding(
        name="kernel",
        seen=seen,
        level="ok" if facts.version >= TRIED else level,
        meaning="networks cannot be kept apart, and the end of a container cannot be seen"
        if level == "serious"
        else "hivelet is made for kernels from {}.{} on, and has not been tried with this one".format(
            *TRIED
        ),
        way_out="upgrade the kernel",
    )


def _links(facts: KernelFacts) -> Finding:
    if facts.links is None:
        return _untried("links", "bridges and veth pairs")
    return Finding(
        name="links",
        seen=f"a bridge or a veth pair could not be made: {facts.links}"
        if facts.links
        else "bridges, veth pairs and network namespaces can be made",
        level="serious" if facts.links else "ok",
        meaning="no container gets a network",
        way_out="modprobe bridge; modprobe veth. In a container: run it privileged",
        repairs=(load_module("bridge"), load_module("veth")),
    )


def _nft(facts: KernelFacts) -> Iterator[Finding]:
    if facts.nft is None:
        yield _untried("nftables", "nftables")
        return
    for feature, purpose in NFT_FEATURES.items():
        refusal = facts.nft.get(feature, "")
        needed = feature not in _NICE_TO_HAVE
        yield Finding(
            name=f"nftables-{feature.replace(' ', '-')}",
            seen=f"nftables refuses {feature}: {refusal}"
            if refusal
            else f"nftables does {feature}",
            level="ok" if not refusal else "serious" if needed else "note",
            meaning=f"needed for {purpose}" if needed else f"wanted for {purpose}",
            way_out="use a kernel with nf_tables (CONFIG_NFT_NAT, CONFIG_NFT_FIB_IPV4, CONFIG_NFT_NUMGEN, CONFIG_NFT_CT, CONFIG_NF_TABLES_BRIDGE)",
        )


def _untried(name: str, what: str) -> Finding:
    return Finding(
        name=name,
        seen=f"{what} could not be tried: not root",
        level="note",
        meaning="whether they work is not known",
        way_out="run it as root: sudo hivelet doctor",
    )


def _connections(used: int, limit: int) -> Finding:
    full = used > limit * _FULL
    return Finding(
        name="connection-tracking",
        seen=f"{used} of {limit} connections are tracked",
        level="serious" if full else "ok",
        meaning="once the table is full, new connections are dropped without a word",
        repairs=(set_switch("net.netfilter.nf_conntrack_max", str(limit * 2)),),
    )
