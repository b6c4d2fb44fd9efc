"""The door to other programs' firewalls: reads their tables, carries out a step. Decides nothing.

iptables' tables are read and written by iptables' own programs, firewalld's by its own command, all others by nft.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from hivelet.kit.process import CommandFailed, run_command
from hivelet.network.firewall.passes import TAG, Step
from hivelet.network.firewall.tables import (
    FIREWALLD,
    HOOKS,
    ForeignTable,
    IptablesTable,
    parse_firewalld,
    parse_iptables,
    parse_nft_chains,
)
from hivelet.network.kernel import Kernel
from hivelet.network.names import TABLE
from hivelet.network.netlink.links import LinkState, list_links
from hivelet.network.nft import Nft

_FAMILIES = ("ip", "ip6", "inet")
_LEGACY = {"ip": "iptables-legacy", "ip6": "ip6tables-legacy"}
_OVER_NFT = {"ip": "iptables-nft", "ip6": "ip6tables-nft"}
_BUILTIN = {"FORWARD", "INPUT"}
_TIMEOUT = 20.0
_NAMES_OF = {
    "ip": Path("/proc/thread-self/net/ip_tables_names"),
    "ip6": Path("/proc/thread-self/net/ip6_tables_names"),
}


class FirewallDoor:
    """The firewalls of the namespace in which this was made."""

    def __init__(self, nft: Nft, kernel: Kernel) -> None:
        self._nft = nft
        self._kernel = kernel

    async def generation(self) -> int:
        """A number that is another one after each change of any nftables rule by others than hivelet."""
        return await self._nft.foreign_generation()

    async def read(self) -> list[ForeignTable]:
        """Every table of another program that has a say about forwarded or incoming packets."""
        chains = await self._nft.list_base_chains()
        wanted = {
            (chain["family"], chain["table"]): chain["name"] in _BUILTIN
            for chain in chains
            if chain.get("hook") in HOOKS
            and chain.get("type") == "filter"
            and chain["family"] in _FAMILIES
            and chain["table"] != TABLE
        }
        found: list[ForeignTable] = []
        for (family, table), builtin in sorted(wanted.items()):
            compatible = None
            if builtin and table == "filter" and family in _OVER_NFT:
                compatible = await _read_iptables(_OVER_NFT[family], family)
            found += [compatible] if compatible else await self._read_native(family, table)
        for family, program in _LEGACY.items():
            if uses_legacy(family) and (legacy := await _read_iptables(program, family)):
                found.append(legacy)
        return found

    async def links(self) -> dict[str, LinkState]:
        """All links of the host."""
        return await self._kernel.call(list_links)

    async def carry_out(self, step: Step) -> None:
        """Carry out one step.

        Raises:
            CommandFailed: it could not be.
        """
        if step.unless and await _succeeds(step.unless):
            return
        await run_command(
            step.argv, stdin=step.script.encode() if step.script else None, timeout=_TIMEOUT
        )

    async def _read_native(self, family: str, table: str) -> Iterable[ForeignTable]:
        entries = await self._nft.list_table(family, table)
        if table == FIREWALLD:
            return [parse_firewalld(entries)]
        return parse_nft_chains(entries, TAG)


def uses_legacy(family: str) -> bool:
    """Whether a filter table of the old iptables is in the kernel; asking its program would make one."""
    try:
        return "filter" in _NAMES_OF[family].read_text().split()
    except FileNotFoundError:
        return False


async def _read_iptables(program: str, family: str) -> IptablesTable | None:
    """None where the program is missing, or says that it did not make this table."""
    if shutil.which(program) is None:
        return None
    try:
        output = await run_command([program, "-S"], timeout=_TIMEOUT)
    except CommandFailed:
        return None
    kind: Literal["ip", "ip6"] = "ip6" if family == "ip6" else "ip"
    return parse_iptables(program, kind, output.stdout.decode())


async def _succeeds(argv: tuple[str, ...]) -> bool:
    try:
        await run_command(argv, timeout=_TIMEOUT)
    except CommandFailed:
        return False
    return True
