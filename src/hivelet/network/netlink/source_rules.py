"""Rules that have packets from one address take their routes from a table of their own, as requests and as they are."""

from __future__ import annotations

import errno
import socket
import struct
import sys

from hivelet.network.netlink import nlmsg
from hivelet.network.netlink.addresses import host_prefix
from hivelet.network.netlink.door import Request, dump

_RULE = struct.Struct("=BBBBBBBBI")
"""`fib_rule_hdr` of linux/fib_rules.h."""

_NEWRULE, _DELRULE, _GETRULE = 32, 33, 34
_FRA_SRC, _FRA_PRIORITY, _FRA_TABLE = 2, 6, 15
_TO_TABLE = 1
_SOURCE_RULE_PRIORITY = 1000


def new_source_rule(source: str, table: int) -> Request:
    """Packets from `source` take their routes from `table`."""
    return Request(
        what=f"add the rule for {source}",
        verb=_NEWRULE,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=_source_rule(source, table),
        harmless=(errno.EEXIST,),
    )


def delete_source_rule(source: str, table: int) -> Request:
    """Remove such a rule; one that is not there is no error."""
    return Request(
        what=f"remove the rule for {source}",
        verb=_DELRULE,
        flags=0,
        body=_source_rule(source, table),
        harmless=(errno.ENOENT, errno.ESRCH),
    )


def _source_rule(source: str, table: int) -> bytes:
    return (
        _RULE.pack(nlmsg.family_of(source), 0, host_prefix(source), 0, 0, 0, 0, _TO_TABLE, 0)
        + nlmsg.attribute(_FRA_SRC, nlmsg.pack_address(source))
        + nlmsg.number(_FRA_TABLE, table)
        + nlmsg.number(_FRA_PRIORITY, _SOURCE_RULE_PRIORITY)
    )


def list_source_rules() -> list[tuple[str, int]]:
    """The IPv6 rules that send packets from one address to a table, as (address, table)."""
    found: list[tuple[str, int]] = []
    for body in dump(_GETRULE, _RULE.pack(socket.AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0)):
        attributes = nlmsg.split_attributes(body, _RULE.size)
        source = attributes.get(_FRA_SRC)
        if body[0] == socket.AF_INET6 and source is not None and body[2] == 8 * len(source):
            table = int.from_bytes(attributes.get(_FRA_TABLE, body[4:5]), sys.byteorder)
            found.append((nlmsg.unpack_address(source), table))
    return found
