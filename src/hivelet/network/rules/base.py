"""The fixed part of our table: its sets, its maps and its base chains, as tables of data. Pure.

Everything that varies is an element of a set or map declared here, or a regular chain that a map leads to. The way of
a packet through these chains is drawn in README.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from hivelet.network.names import EMBEDDED_RESOLVER, RESOLVER_SUBNET, TABLE
from hivelet.network.rules.ruleset import Fragment, elements_of, render_chains, tagged

FAMILY_TABLE = f"ip {TABLE}"

BRIDGES = "bridges"
INTERNAL = "internal"
OPEN = "open"
UPLINKS = "uplinks"
HAIRPIN = "hairpin"
RESOLVER_AT = "resolver_at"
RESOLVER_OF = "resolver_of"
VIPS = "vips"
PUBLISHED = "published"
PUBLISHED_AT = "published_at"
ANSWERING = "answering"
RETRIED = "retried"


@dataclass(frozen=True, slots=True)
class Container:
    """A set or map: what it is, its type, and what it is for."""

    kind: str
    name: str
    definition: str
    purpose: str


CONTAINERS = (
    Container("set", BRIDGES, "type ifname", "all bridges of ours"),
    Container("set", INTERNAL, "type ifname", "bridges without a way out"),
    Container("set", OPEN, "type ifname . ifname", "bridges whose members may talk to each other"),
    Container(
        "set",
        UPLINKS,
        "type ipv4_addr; flags interval",
        "subnets that leave through the host's address",
    ),
    Container(
        "set", HAIRPIN, "type ipv4_addr . ipv4_addr", "addresses of one and the same sandbox"
    ),
    Container(
        "set", RESOLVER_AT, "type ifname . ipv4_addr", "resolvers that a bridge's members may ask"
    ),
    Container(
        "map", RESOLVER_OF, "type ipv4_addr : ipv4_addr", "a sandbox's address to its resolver"
    ),
    Container(
        "map", VIPS, "type ifname . ipv4_addr : verdict", "VIPs, as seen from a bridge or the host"
    ),
    Container(
        "set",
        ANSWERING,
        "type ipv4_addr . inet_service; flags dynamic, timeout; timeout 60s",
        "backends' ports that have accepted a connection lately (kept by the rules)",
    ),
    Container(
        "set",
        RETRIED,
        "type ipv4_addr . inet_service; flags dynamic, timeout; timeout 10s",
        "clients whose SYN was not answered, for it to come again (kept by the rules)",
    ),
    Container(
        "map",
        PUBLISHED_AT,
        "type ipv4_addr . inet_proto . inet_service : verdict",
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


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that a netfilter hook enters."""

    name: str
    hook: str
    rules: tuple[str, ...]


_DISPATCH = (
    f"ip daddr . meta l4proto . th dport vmap @{PUBLISHED_AT}",
    f"fib daddr type local meta l4proto . th dport vmap @{PUBLISHED}",
)
_PORTS = f"iifname @{BRIDGES}"
_RESOLVERS_STAY = f"ip daddr {RESOLVER_SUBNET} accept"
"""A service that publishes port 53 gets the questions asked of the host's addresses, but not those of the resolvers."""
_OPENING = f"tcp flags syn,rst ct direction reply ct status dnat {_PORTS} jump opening"

BASE_CHAINS = (
    BaseChain(
        "raw-prerouting",
        "type filter hook prerouting priority -300",
        # Bridges route to loopback so that localhost reaches published ports; their members must not use that
        # to reach the loopback of the host or, over the bridge, of each other. And a neighbour on any wire must not
        # reach a port published on 127.0.0.1: it would be translated before the kernel looks for such addresses.
        (
            f"{_PORTS} ip daddr {EMBEDDED_RESOLVER} meta l4proto {{ tcp, udp }} th dport 53 accept",
            'iifname != "lo" ip daddr 127.0.0.0/8 drop',
        ),
    ),
    BaseChain(
        "nat-prerouting",
        "type nat hook prerouting priority -100",
        (
            f"ip daddr {EMBEDDED_RESOLVER} {_PORTS} dnat to ip saddr map @{RESOLVER_OF}",
            f"iifname . ip daddr vmap @{VIPS}",
            _RESOLVERS_STAY,
            *_DISPATCH,
        ),
    ),
    BaseChain(
        "nat-output",
        "type nat hook output priority -100",
        (f"oifname . ip daddr vmap @{VIPS}", _RESOLVERS_STAY, *_DISPATCH),
    ),
    BaseChain(
        "filter-input",
        "type filter hook input priority 0",
        (
            _OPENING,
            f'ip daddr {RESOLVER_SUBNET} iifname != "lo" iifname . ip daddr != @{RESOLVER_AT} drop',
        ),
    ),
    BaseChain(
        "filter-forward",
        "type filter hook forward priority 0",
        (
            _OPENING,
            # An answer that conntrack cannot place goes out untranslated, and its receiver resets the connection.
            f"{_PORTS} ct state invalid drop",
            f"iifname . oifname @{OPEN} accept",
            f"oifname @{BRIDGES} jump to-container",
            f"iifname @{INTERNAL} drop",
        ),
    ),
    BaseChain(
        "nat-postrouting",
        "type nat hook postrouting priority 100",
        (
            f"ip saddr . ip daddr @{HAIRPIN} masquerade",
            f"ip saddr 127.0.0.0/8 oifname @{BRIDGES} masquerade",
            f"ip saddr @{UPLINKS} oifname != @{BRIDGES} masquerade",
        ),
    ),
)

PATIENT = "patient"
_PATIENCE = 2_000_000
"""Seconds for which a balanced TCP connection may be silent: 23 days, near what the kernel can count in a tick counter
at 1000 Hz. Its default is 5 days, and hosts are tuned down to minutes; then idle pools of AMQP or database
connections break without a word."""

PATIENCE_OBJECT = (
    f"  ct timeout {PATIENT} {{",
    "    protocol tcp;",
    "    l3proto ip;",
    f"    policy = {{ established : {_PATIENCE} }};",
    "  }",
)
PATIENCE_CHAIN = BaseChain(
    "filter-postrouting",
    "type filter hook postrouting priority 90",
    (f'ct state new ct status dnat meta l4proto tcp ct timeout set "{PATIENT}"',),
)

_OPENING_FLAGS = "syn,rst,ack"
OPENING = (
    f"tcp flags syn,ack / {_OPENING_FLAGS} update @{ANSWERING} {{ ip saddr . tcp sport }} return",
    f"tcp flags rst,ack / {_OPENING_FLAGS} tcp sequence 0 ip saddr . tcp sport @{ANSWERING}"
    f" ip daddr . tcp dport != @{RETRIED} add @{RETRIED} {{ ip daddr . tcp dport }} drop",
)
"""What a backend says to a new connection. A process that is killed refuses connections for the milliseconds until it is
out of the balancer. Such a refusal (a reset that answers a SYN has the sequence number 0), by a port that has accepted
connections lately, is kept from the client: conntrack has forgotten the connection with it, the client's SYN comes again
after a second, and meets another backend. The second refusal passes, and so does one by a port where nobody listens."""

TO_CONTAINER = (
    "ct state established,related accept",
    f"iifname @{INTERNAL} drop",
    "ct status dnat accept",
    "drop",
)
"""Into a container's network by routing: answers, and what a VIP or a published port has sent there; nothing else."""

FIXED_CHAINS = {"to-container": TO_CONTAINER, "opening": OPENING}
"""The regular chains that are always there."""


def base_chains(*, patience: bool) -> tuple[BaseChain, ...]:
    """The base chains; without the last one where the kernel has no timeouts for single connections."""
    return (*BASE_CHAINS, PATIENCE_CHAIN) if patience else BASE_CHAINS


def render_table(fragment: Fragment, *, patience: bool = True, table: str = FAMILY_TABLE) -> str:
    """The whole ruleset as one transaction that replaces our table, whatever was in it.

    The table is declared before it is deleted, so that the deletion cannot fail where there was none. `patience` False
    leaves out what a kernel without connection tracking timeouts refuses.
    """
    lines = [f"table {table}", f"delete table {table}", f"table {table} {{"]
    for container in CONTAINERS:
        lines.append(f"  {container.kind} {container.name} {{")
        lines.append(f"    {container.definition};")
        lines.append(f'    comment "{container.purpose}";')
        if items := elements_of(fragment, container.name):
            lines.append("    elements = {")
            lines.append(",\n".join(f"      {item}" for item in items))
            lines.append("    }")
        lines.append("  }")
    lines += PATIENCE_OBJECT if patience else ()
    lines += render_chains(fragment)
    for name, rules in FIXED_CHAINS.items():
        lines += [f"  chain {name} {{", *(f"    {tagged(rule)}" for rule in rules), "  }"]
    for chain in base_chains(patience=patience):
        lines.append(f"  chain {chain.name} {{")
        lines.append(f"    {chain.hook}; policy accept;")
        lines += [f"    {tagged(rule)}" for rule in chain.rules]
        lines.append("  }")
    lines.append("}")
    return "\n".join(lines) + "\n"
