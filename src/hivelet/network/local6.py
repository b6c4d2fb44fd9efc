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

What always holds: the kernel does all of it, so it outlives hiveletd; whatever of it is missing is made again. The rules are in
`hivelet.network.rules.base`. All functions block.
"""

from __future__ import annotations

import socket

from hivelet.network import netlink, sysctls
from hivelet.network.names import LOCAL_BACK, LOCAL_CLIENT, LOCAL_LINK, LOCAL_SOURCE

LOOPBACK = "::1"
_MAIN, _TABLE = 254, 26742
_METRIC = 512
"""Behind the loopback link's own route (metric 0)."""
_MTU = 1500
_MAC = "02:42:68:76:00:01"
"""Of both ends: a link without neighbour discovery sends to its own."""


def ensure_local_way() -> None:
    """Both links, their address and routes; what is there stays."""
    if netlink.link_index(LOCAL_LINK) is None:
        netlink.execute([netlink.new_pair(LOCAL_LINK, LOCAL_BACK, _MAC, _MTU)])
        for link in (LOCAL_LINK, LOCAL_BACK):
            sysctls.ensure_interface_ipv6(link)
            sysctls.ensure_sysctl(f"net/ipv6/conf/{link}/addr_gen_mode", "1")
    there, back = map(socket.if_nametoindex, (LOCAL_LINK, LOCAL_BACK))
    netlink.execute(
        [
            netlink.set_up(there, neighbours=False),
            netlink.set_up(back, neighbours=False),
            netlink.new_address(there, LOCAL_SOURCE, 128),
            netlink.new_route("::/0", there, via="", source="", table=_TABLE),
            netlink.new_route(f"{LOCAL_CLIENT}/128", back, via="", source="", table=_MAIN),
            netlink.new_source_rule(LOOPBACK, _TABLE),
            netlink.new_local_route(LOOPBACK, there, _METRIC),
        ]
    )


def remove_local_way() -> None:
    """Remove all of it. Idempotent."""
    netlink.execute([netlink.delete_source_rule(LOOPBACK, _TABLE), netlink.delete_link(LOCAL_LINK)])
