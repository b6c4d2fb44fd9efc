"""The ear at the kernel: it tells of every change of links, of addresses, and of rules, and who made it.

Only *that* something changed is taken from the messages; what is wrong is found by looking. So a lost message (the
kernel says when it had to drop some) costs a look too many and never one too few. Changes of ours are heard as well:
of rules they are counted against the transactions that we made, of links they cost a look.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from hivelet.network.names import TABLE
from hivelet.network.netlink import nlmsg

_NETLINK_NETFILTER = 12
_LINK_GROUPS = (1 << 0) | (1 << 4) | (1 << 8)
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR."""
_RULE_GROUPS = 1 << 6
"""NFNLGRP_NFTABLES."""

_NFTABLES = 10 << 8
_NEW_GENERATION = _NFTABLES | 15
_GENERIC_SIZE = 4
_TABLE_NAME = 1
"""The number of the attribute with the table's name in each of nftables' messages."""
_PROGRAM_NAME = 3
_SO_RCVBUFFORCE = 33
_ROOM = 4 << 20
_PACKET = 1 << 17


class Watch:
    """Listens in the namespace in which `open` was called."""

    def __init__(self) -> None:
        self._links: socket.socket | None = None
        self._rules: socket.socket | None = None
        self._heard = asyncio.Event()
        self._ours = Path("/proc/self/comm").read_text().strip()
        self._touches = False
        self._links_changed = False
        self.transactions = 0
        """Transactions that touched a table of ours, whoever made them."""
        self.programs: set[str] = set()
        """Who made them, ourselves left out."""
        self.deaf = False
        """Whether messages about rules were lost."""

    def open(self) -> None:
        """Begin to listen; to be called in the event loop's thread."""
        loop = asyncio.get_running_loop()
        self._links = _listen(socket.NETLINK_ROUTE, _LINK_GROUPS)
        self._rules = _listen(_NETLINK_NETFILTER, _RULE_GROUPS)
        loop.add_reader(self._links, self.hear)
        loop.add_reader(self._rules, self.hear)

    def close(self) -> None:
        """Listen no more. Idempotent."""
        for door in (self._links, self._rules):
            if door is not None:
                asyncio.get_running_loop().remove_reader(door)
                door.close()
        self._links = self._rules = None

    async def wait(self, within: float) -> None:
        """Return when something was heard, or after that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._heard.wait()
        self._heard.clear()

    def hear(self) -> None:
        """Take over all that was said until now."""
        if self._links is not None:
            for _ in _packets(self._links):
                self._links_changed = True
                self._heard.set()
        if self._rules is not None:
            for packet in _packets(self._rules):
                self._hear_of_rules(packet)

    def take_links_changed(self) -> bool:
        """Whether links or addresses changed since this was last asked."""
        changed, self._links_changed = self._links_changed, False
        return changed

    def forget_rules(self) -> None:
        """What was heard about rules has been dealt with."""
        self.transactions, self.programs, self.deaf = 0, set(), False

    def _hear_of_rules(self, packet: bytes | None) -> None:
        if packet is None:
            self.deaf = True
            self._heard.set()
            return
        for kind, _, body in nlmsg.split_messages(packet):
            attributes = nlmsg.split_attributes(body, _GENERIC_SIZE)
            if kind != _NEW_GENERATION:
                name = attributes.get(_TABLE_NAME, b"").rstrip(b"\0").decode(errors="replace")
                self._touches |= name.startswith(TABLE)
                continue
            # The end of a transaction, and who made it.
            self._heard.set()
            if self._touches:
                self._touches = False
                self.transactions += 1
                program = attributes.get(_PROGRAM_NAME, b"").rstrip(b"\0").decode(errors="replace")
                self.programs |= {program} - {self._ours}


def _listen(protocol: int, groups: int) -> socket.socket:
    door = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol
    )
    try:
        with contextlib.suppress(PermissionError):
            door.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        door.bind((0, groups))
    except BaseException:
        door.close()
        raise
    return door


def _packets(door: socket.socket) -> Iterator[bytes | None]:
    """All packets that wait; None in place of those that were lost."""
    while True:
        try:
            yield door.recv(_PACKET)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None
