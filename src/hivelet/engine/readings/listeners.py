"""Which TCP ports the processes of a network namespace listen on, read from the kernel's tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_LISTEN = "0A"
"""The state's number in these tables (Linux `include/net/tcp_states.h`)."""

_LOOPBACK = ("0100007F", "00000000000000000000000001000000")
"""127.0.0.1 and ::1 as they stand there, in the byte order of little-endian machines."""


_IPV4_IN_IPV6 = "0000000000000000FFFF0000"
"""How an IPv4 address begins in the table of IPv6 (::ffff:a.b.c.d): such a socket takes IPv4 alone."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """The ports listened on in each family. A socket on `::` takes IPv4 as well, and counts in `ipv6`."""

    ipv4: frozenset[int] = frozenset()
    ipv6: frozenset[int] = frozenset()


def parse_listeners(tables: Iterable[str]) -> Listeners:
    """The ports listened on, other than on loopback alone, out of `/proc/PID/net/tcp` and `tcp6`."""
    found: dict[bool, set[int]] = {False: set(), True: set()}
    for table in tables:
        for line in table.splitlines()[1:]:
            fields = line.split()
            if len(fields) < 4 or fields[3] != _LISTEN:
                continue
            address, _, port = fields[1].rpartition(":")
            if address not in _LOOPBACK:
                ipv6 = len(address) > 8 and not address.startswith(_IPV4_IN_IPV6)
                found[ipv6].add(int(port, 16))
    return Listeners(frozenset(found[False]), frozenset(found[True]))
