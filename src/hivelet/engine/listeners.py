"""Which TCP ports the processes of a network namespace listen on, read from the kernel's tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_LISTEN = "0A"
"""The state's number in these tables (Linux `include/net/tcp_states.h`)."""

_LOOPBACK = ("0100007F", "00000000000000000000000001000000")
"""127.0.0.1 and ::1 as they stand there, in the byte order of little-endian machines."""


def parse_listeners(tables: Iterable[str]) -> frozenset[int]:
    """The ports listened on, other than on loopback alone, out of `/proc/PID/net/tcp` and `tcp6`."""
    found = set()
    for table in tables:
        for line in table.splitlines()[1:]:
            fields = line.split()
            if len(fields) < 4 or fields[3] != _LISTEN:
                continue
            address, _, port = fields[1].rpartition(":")
            if address not in _LOOPBACK:
                found.add(int(port, 16))
    return frozenset(found)
