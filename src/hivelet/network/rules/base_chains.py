"""The chains that the kernel enters, as a table of data for each family. Pure.

The way of a packet through these chains is drawn in README.md.
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
from hivelet.network.rules.parts import BaseChain
from hivelet.network.rules.patience import PATIENCE_RULE
from hivelet.network.rules.sets import (
    ASKERS,
    BRIDGES,
    HAIRPIN,
    HOME,
    HOST_VIPS,
    INTERNAL,
    MEMBERS,
    OPEN,
    PUBLISHED,
    PUBLISHED_AT,
    RESOLVER_OF,
    SUBNETS,
    UPLINKS,
    VIPS,
)

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
                *((PATIENCE_RULE,) if patience else ()),
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
