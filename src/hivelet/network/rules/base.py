"""The fixed part of our tables: sets, maps and base chains, as tables of data; one table for each family. Pure.

Everything that varies is an element of a set or map declared here, or a regular chain that a map leads to. The way of
a packet through these chains is drawn in README.md.
"""

from __future__ import annotations

from hivelet.network.family import FRAMES, IPV4, Family
from hivelet.network.names import (
    EMBEDDED_RESOLVER,
    LOCAL_BACK,
    LOCAL_CLIENT,
    LOCAL_LINK,
    LOCAL_SOURCE,
    RESOLVER_SUBNET,
)
from hivelet.network.rules import frames
from hivelet.network.rules.parts import BaseChain, Container
from hivelet.network.rules.ruleset import Fragment, elements_of, render_chains, tagged

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


_PORTS = f"iifname @{BRIDGES}"
_RESOLVERS_STAY = f"ip daddr {RESOLVER_SUBNET} accept"
"""A service that publishes port 53 gets the questions asked of the host's addresses, but not those of the resolvers."""
_OPENING = "tcp flags syn,rst ct direction reply ct status dnat iifname {links} jump opening"


def base_chains(family: Family = IPV4, *, patience: bool) -> tuple[BaseChain, ...]:
    """The chains that the kernel enters; `patience` False where it has no timeouts for single connections.

    What every packet meets is kept short: all that a connection's first packet has settled is behind an `established`, or
    in a chain of type nat, which the kernel enters for first packets alone.
    """
    if family is FRAMES:
        return frames.BASE_CHAINS
    word, ipv4 = family.word, family.version == 4
    opening = _OPENING.format(links=f"@{BRIDGES}")
    # Nobody can be reached at, or answer to, an IPv6 address of one link from another one: such a packet is the host's.
    routable = "" if ipv4 else "ip6 saddr != fe80::/10 ip6 daddr != fe80::/10 "
    dispatch = (
        *((_RESOLVERS_STAY,) if ipv4 else ()),
        f"{word} daddr . meta l4proto . th dport vmap @{PUBLISHED_AT}",
        f"{routable}fib daddr type local meta l4proto . th dport vmap @{PUBLISHED}",
    )
    to_resolver = (
        (f"ip daddr {EMBEDDED_RESOLVER} {_PORTS} dnat to ip saddr map @{RESOLVER_OF}",)
        if ipv4
        else ()
    )
    # Who has an address is asked across the bridge, as by ARP, also where the members may not talk to each other: an answer
    # that goes from one to the other through the balancer needs it. Routers are only we.
    neighbours = (
        ()
        if ipv4
        else (
            f"{_PORTS} icmpv6 type {{ nd-router-advert, nd-redirect }} drop",
            f"{_PORTS} icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept",
        )
    )
    from_loopback = f"ip saddr {family.loopback} oifname @{BRIDGES} masquerade"
    if not ipv4:
        from_loopback = f'ip6 saddr ::1 oifname "{LOCAL_LINK}" snat to {LOCAL_SOURCE}'
    return (
        BaseChain(
            "raw-prerouting",
            "type filter hook prerouting priority -300",
            # Bridges route to loopback so that localhost reaches published ports; their members must not use that
            # to reach the loopback of the host or, over the bridge, of each other. And a neighbour on any wire must not
            # reach a port published on 127.0.0.1: it would be translated before the kernel looks for such addresses.
            (
                f"iifname . {word} saddr @{MEMBERS} goto from-member",
                f"{_PORTS} jump from-container",
                *(() if ipv4 else _TURN),
                f'{word} daddr {family.loopback} iifname != "lo" drop',
            ),
        ),
        BaseChain(
            "nat-prerouting",
            "type nat hook prerouting priority -100",
            (*to_resolver, f"iifname . {word} daddr vmap @{VIPS}", *dispatch),
        ),
        BaseChain(
            "nat-output",
            "type nat hook output priority -100",
            (f'oifname "lo" {word} daddr vmap @{HOST_VIPS}', *dispatch),
        ),
        BaseChain(
            "filter-input",
            "type filter hook input priority 0",
            (
                opening,
                *(() if ipv4 else (_OPENING.format(links=f'"{LOCAL_LINK}"'),)),
                "ct state established,related accept",
                *((_OTHERS_RESOLVERS,) if ipv4 else ()),
                *_to_host(family),
            ),
        ),
        BaseChain(
            "filter-forward",
            "type filter hook forward priority 0",
            (
                opening,
                # Nearly all packets end here: whoever may not talk to whom was told so at the connection's first one.
                "ct state established,related accept",
                # An answer that conntrack cannot place goes out untranslated, and its receiver resets the connection.
                f"{_PORTS} ct state invalid drop",
                *neighbours,
                f"iifname . oifname @{OPEN} accept",
                *(() if ipv4 else _TURNED),
                f"oifname @{BRIDGES} jump to-container",
                f"iifname @{INTERNAL} drop",
            ),
        ),
        BaseChain(
            "nat-postrouting",
            "type nat hook postrouting priority 100",
            (
                *((_PATIENCE_RULE,) if patience else ()),
                f"{word} saddr . {word} daddr @{HAIRPIN} masquerade",
                from_loopback,
                f"{word} saddr @{UPLINKS} oifname != @{BRIDGES} masquerade",
            ),
        ),
    )


def _to_host(family: Family) -> tuple[str, ...]:
    """What our networks' members may ask of the host.

    It is in all networks, and answers at all its addresses: another network's are not among them for a member of this
    one, and for an internal network's member none but its resolver's are.
    """
    word = family.word
    but_resolvers = f"ip daddr != {RESOLVER_SUBNET} " if family.version == 4 else ""
    return (
        f"{_PORTS} {word} daddr @{SUBNETS} iifname . {word} daddr != @{HOME} drop",
        *(
            f"iifname @{INTERNAL} ct state new {but_resolvers}meta l4proto {protocol} {refusal}"
            for protocol, refusal in (
                ("tcp", "reject with tcp reset"),
                ("udp", family.unreachable),
            )
        ),
    )


# The turn that connections from the host's ::1 take on their way to a task (`hivelet.network.local6`).
_TURN = (
    f'iifname "{LOCAL_BACK}" ip6 saddr {LOCAL_SOURCE} ip6 saddr set {LOCAL_CLIENT}',
    f'iifname "{LOCAL_LINK}" ip6 daddr {LOCAL_CLIENT} ip6 daddr set {LOCAL_SOURCE}',
)
_TURNED = (
    f'iifname "{LOCAL_BACK}" oifname @{BRIDGES} accept',
    f'oifname "{LOCAL_BACK}" ct state new drop',
)

_OTHERS_RESOLVERS = (
    f'ip daddr {RESOLVER_SUBNET} iifname != "lo" iifname . ip saddr . ip daddr != @{ASKERS} drop'
)
"""By sandbox, not by bridge: who shares one network with a sandbox must not ask the resolver that knows all networks of it."""

PATIENT = "patient"
_PATIENCE = 2_000_000
"""Seconds for which a balanced TCP connection may be silent: 23 days, near what the kernel can count in a tick counter
at 1000 Hz. Its default is 5 days, and hosts are tuned down to minutes; then idle pools of AMQP or database
connections break without a word."""


def patience_object(family: Family) -> tuple[str, ...]:
    """The timeout of balanced connections, as it stands inside a table block."""
    return (
        f"  ct timeout {PATIENT} {{",
        "    protocol tcp;",
        f"    l3proto {family.word};",
        f"    policy = {{ established : {_PATIENCE} }};",
        "  }",
    )


_PATIENCE_RULE = f'ct status dnat meta l4proto tcp ct timeout set "{PATIENT}"'
"""Before the source is chosen, which ends the way through the chain; a timeout can be set until the connection is confirmed."""

_OPENING_FLAGS = "syn,rst,ack"
OPENING = (
    "tcp flags syn,ack / {flags} update @{answering} {{ {word} saddr . tcp sport }} return",
    "tcp flags rst,ack / {flags} tcp sequence 0 {word} saddr . tcp sport @{answering}"
    " {word} daddr . tcp dport != @{retried} add @{retried} {{ {word} daddr . tcp dport }} drop",
)
"""What a backend says to a new connection. A process that is killed refuses connections for the milliseconds until it is
out of the balancer. Such a refusal (a reset that answers a SYN has the sequence number 0), by a port that has accepted
connections lately, is kept from the client: conntrack has forgotten the connection with it, the client's SYN comes again
after a second, and meets another backend. The second refusal passes, and so does one by a port where nobody listens."""

_TO_RESOLVER = f"ip daddr {EMBEDDED_RESOLVER} meta l4proto {{ tcp, udp }} th dport 53 accept"

FROM_MEMBER = {
    4: (_TO_RESOLVER, "ip daddr 127.0.0.0/8 drop"),
    6: ("ip6 daddr ::1 drop",),
}
"""What a sandbox sends from the very address that it was given, which is nearly all there is: one look instead of three."""

FROM_CONTAINER = {
    4: (
        f"iifname . ip saddr != @{HOME} drop",
        "fib saddr type local drop",
        _TO_RESOLVER,
    ),
    # Neighbours are asked for from the addresses of the link, or from none; nothing is balanced that comes from there.
    6: (
        "ip6 saddr { ::, fe80::/10 } return",
        f"iifname . ip6 saddr != @{HOME} drop",
        "fib saddr type local drop",
    ),
}
"""Whatever else comes from our bridges, by family. A container may write any source (NET_RAW): it must pass neither for another
network's member nor for a VIP."""

TO_CONTAINER = (
    f"iifname @{INTERNAL} drop",
    "ct status dnat accept",
    "drop",
)
"""Into a container's network by routing: what a VIP or a published port has sent there; nothing else."""


def fixed_chains(family: Family = IPV4) -> dict[str, tuple[str, ...]]:
    """The regular chains that are always there."""
    if family is FRAMES:
        return {}
    words = {
        "word": family.word,
        "flags": _OPENING_FLAGS,
        "answering": ANSWERING,
        "retried": RETRIED,
    }
    return {
        "from-member": FROM_MEMBER[family.version],
        "from-container": FROM_CONTAINER[family.version],
        "to-container": TO_CONTAINER,
        "opening": tuple(rule.format(**words) for rule in OPENING),
    }


def render_table(
    fragment: Fragment, *, patience: bool = True, family: Family = IPV4, table: str = ""
) -> str:
    """A family's whole ruleset as one transaction that replaces our table (or that other one), whatever was in it.

    The table is declared before it is deleted, so that the deletion cannot fail where there was none. `patience` False
    leaves out what a kernel without connection tracking timeouts refuses.
    """
    table = table or family.table
    lines = [f"table {table}", f"delete table {table}", f"table {table} {{"]
    for container in containers(family):
        lines.append(f"  {container.kind} {container.name} {{")
        lines.append(f"    {container.definition};")
        lines.append(f'    comment "{container.purpose}";')
        if items := elements_of(fragment, container.name):
            lines.append("    elements = {")
            lines.append(",\n".join(f"      {item}" for item in items))
            lines.append("    }")
        lines.append("  }")
    lines += patience_object(family) if patience and family.tracks else ()
    lines += render_chains(fragment)
    for name, rules in fixed_chains(family).items():
        lines += [f"  chain {name} {{", *(f"    {tagged(rule)}" for rule in rules), "  }"]
    for chain in base_chains(family, patience=patience):
        lines.append(f"  chain {chain.name} {{")
        lines.append(f"    {chain.hook}; policy accept;")
        lines += [f"    {tagged(rule)}" for rule in chain.rules]
        lines.append("  }")
    lines.append("}")
    return "\n".join(lines) + "\n"
