"""How a new connection is given to one of several backends. Pure.

Strictly in turn (`numgen inc`), or by the client's address where the service wants affinity. The kernel decides once
per connection; a change of the backends never touches established ones. Without a backend the answer is a prompt
refusal: a client that may retry must not sit in a timeout.
"""

from __future__ import annotations

from collections.abc import Sequence

REFUSE = ("meta l4proto tcp reject with tcp reset", "reject with icmp port-unreachable")
_AFFINITY = "jhash ip saddr mod {count} seed 0x68697665"


def spread_addresses(addresses: Sequence[str], *, affinity: bool) -> tuple[str, ...]:
    """Rules that give all ports of a VIP to one of `addresses`. ICMP is left to the host, which answers pings."""
    if not addresses:
        return ("meta l4proto icmp accept", *REFUSE)
    return (f"meta l4proto {{ tcp, udp, sctp }} dnat to {_choice(addresses, affinity)}",)


def spread_port(
    addresses: Sequence[str], protocol: str, target_port: int, *, affinity: bool
) -> tuple[str, ...]:
    """Rules that give one published port to the target port of one of `addresses`."""
    if not addresses:
        return REFUSE
    if len(addresses) == 1:
        return (f"meta l4proto {protocol} dnat to {addresses[0]}:{target_port}",)
    targets = [f"{address} . {target_port}" for address in addresses]
    return (f"meta l4proto {protocol} dnat to {_choice(targets, affinity)}",)


def _choice(targets: Sequence[str], affinity: bool) -> str:
    if len(targets) == 1:
        return targets[0]
    number = _AFFINITY.format(count=len(targets)) if affinity else f"numgen inc mod {len(targets)}"
    entries = ", ".join(f"{place} : {target}" for place, target in enumerate(targets))
    return f"{number} map {{ {entries} }}"
