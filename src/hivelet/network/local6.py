"""The way of IPv6 connections from the host's loopback ([::1]) to tasks.

IPv4 lets a bridge route to loopback (`route_localnet`). IPv6 has no such switch: an answer that bridge netfilter translates
back to ::1 while it still is on a bridge is dropped as soon as the host's own IPv6 sees it. So these packets take a turn
through a pair of links that are no bridges, `hv-local` and `hv-back`, and their answers the same turn backwards:

    ::1 → ::1, published port    nat-output: to a task's address; the rule "from ::1" sends it out by hv-local,
                                 nat-postrouting gives it the source LOCAL_SOURCE
    in by hv-back                raw-prerouting: the source becomes LOCAL_CLIENT, before connection tracking sees it
    from there to the task       an ordinary forwarded connection of LOCAL_CLIENT, which is what the application sees
    the answer, to LOCAL_CLIENT  out by hv-back, in by hv-local; raw-prerouting: its destination becomes LOCAL_SOURCE
    conntrack                    knows it as the first connection's answer: back to ::1, which a local route of this link lets in

What always holds: the kernel does all of it, so it outlives hiveletd; whatever of it is missing (a link, or that it is up, its
address, a route, the rule) is found by `find_fault` and made again. The rules are in `hivelet.network.rules.base_chains`. All
functions block, save that one, which is pure.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Set
from dataclasses import dataclass

from hivelet.network import sysctls
from hivelet.network.names import LOCAL_BACK, LOCAL_CLIENT, LOCAL_LINK, LOCAL_SOURCE
from hivelet.network.netlink.addresses import new_address
from hivelet.network.netlink.door import execute
from hivelet.network.netlink.links import LinkState, delete_link, link_index, new_pair, set_link_up
from hivelet.network.netlink.routes import TABLE_LOCAL, list_routes_by, new_local_route, new_route
from hivelet.network.netlink.source_rules import (
    delete_source_rule,
    list_source_rules,
    new_source_rule,
)

LOOPBACK = "::1"
_MAIN, _TABLE = 254, 26742
_METRIC = 512
"""Behind the loopback link's own route (metric 0)."""
_MTU = 1500
_MAC = "02:42:68:76:00:01"
"""Of both ends: a link without neighbour discovery sends to its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWay:
    """The way as it is: what is made of it beside its links and their addresses."""

    routes: frozenset[tuple[str, int, str]] = frozenset()
    """Of both links: the link, the table, the destination."""
    rule: bool = False


_ROUTES = (
    (LOCAL_LINK, _TABLE, "::/0"),
    (LOCAL_BACK, _MAIN, f"{LOCAL_CLIENT}/128"),
    (LOCAL_LINK, TABLE_LOCAL, f"{LOOPBACK}/128"),
)
WHOLE = LocalWay(routes=frozenset(_ROUTES), rule=True)


def find_fault(
    links: Mapping[str, LinkState], addresses: Set[tuple[str, str]], way: LocalWay
) -> str:
    """What the way of [::1] lacks, in words; "" where it is whole."""
    for name in (LOCAL_LINK, LOCAL_BACK):
        if name not in links:
            return f"the link {name} is gone"
        if not links[name].up:
            return f"the link {name} is down"
    if (LOCAL_LINK, LOCAL_SOURCE) not in addresses:
        return f"the link {LOCAL_LINK} has lost its address {LOCAL_SOURCE}"
    for link, table, destination in _ROUTES:
        if (link, table, destination) not in way.routes:
            return f"the route to {destination} by {link} (table {table}) is gone"
    return "" if way.rule else f"the routing rule for {LOOPBACK} is gone"


def read_local_way(links: Mapping[str, LinkState]) -> LocalWay:
    """The way as it is; nothing where its links are not there."""
    if not {LOCAL_LINK, LOCAL_BACK} <= links.keys():
        return LocalWay()
    return LocalWay(
        routes=frozenset(
            (name, table, destination)
            for name in (LOCAL_LINK, LOCAL_BACK)
            for table, destination in list_routes_by(links[name].index)
        ),
        rule=(LOOPBACK, _TABLE) in list_source_rules(),
    )


def ensure_local_way() -> None:
    """Both links, their address and routes; what is there stays."""
    if None in map(link_index, (LOCAL_LINK, LOCAL_BACK)):
        # One end alone (the other was renamed, or moved into a namespace) leads nowhere.
        execute([delete_link(name) for name in (LOCAL_LINK, LOCAL_BACK)])
        execute([new_pair(LOCAL_LINK, LOCAL_BACK, _MAC, _MTU)])
    for link in (LOCAL_LINK, LOCAL_BACK):
        sysctls.ensure_interface_ipv6(link)
        sysctls.ensure_sysctl(f"net/ipv6/conf/{link}/addr_gen_mode", "1")
    there, back = map(socket.if_nametoindex, (LOCAL_LINK, LOCAL_BACK))
    execute(
        [
            set_link_up(there, neighbours=False),
            set_link_up(back, neighbours=False),
            new_address(there, LOCAL_SOURCE, 128),
            new_route("::/0", there, via="", source="", table=_TABLE),
            new_route(f"{LOCAL_CLIENT}/128", back, via="", source="", table=_MAIN),
            new_source_rule(LOOPBACK, _TABLE),
            new_local_route(LOOPBACK, there, _METRIC),
        ]
    )


def remove_local_way() -> None:
    """Remove all of it. Idempotent."""
    execute([delete_source_rule(LOOPBACK, _TABLE), delete_link(LOCAL_LINK)])
