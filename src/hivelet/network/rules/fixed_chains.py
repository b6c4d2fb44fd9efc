"""The regular chains that are always there, whatever networks and services there are. Pure."""

from __future__ import annotations

from hivelet.network.family import FRAMES, IPV4, Family
from hivelet.network.names import EMBEDDED_RESOLVER
from hivelet.network.rules.sets import ANSWERING, HOME, INTERNAL, RETRIED

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
