"""The door to nftables: one script, one transaction.

Either all of a script is in effect when `apply` returns, or nothing of it is and `NftRefused` is raised.
"""

from __future__ import annotations

import json
from typing import Any

from hivelet.errors import System
from hivelet.kit.process import CommandFailed, run_command
from hivelet.network.rules.base import FAMILY_TABLE

_TIMEOUT = 30.0


class NftRefused(System):
    """The kernel or nft did not accept a transaction; nothing of it is in effect."""


async def apply(script: str) -> None:
    """Carry out a script of nft commands as one transaction."""
    try:
        await run_command(["nft", "-f", "-"], stdin=script.encode(), timeout=_TIMEOUT)
    except CommandFailed as error:
        raise NftRefused(
            f"nftables refused a change of the rules: {error.stderr.strip()}"
        ) from error


async def remove_table() -> None:
    """Remove our table and all that is in it; no table is no error."""
    await apply(f"table {FAMILY_TABLE}\ndelete table {FAMILY_TABLE}\n")


async def has_table() -> bool:
    """Whether our table is there: another program may have flushed the whole ruleset."""
    output = await run_command(["nft", "list", "tables"], timeout=_TIMEOUT)
    return f"table {FAMILY_TABLE}" in output.stdout.decode().splitlines()


async def list_base_chains() -> list[dict[str, Any]]:
    """All base chains of the host as nft's JSON describes them: family, table, name, hook, prio, policy."""
    output = await run_command(["nft", "-j", "list", "chains"], timeout=_TIMEOUT)
    entries = json.loads(output.stdout)["nftables"]
    return [entry["chain"] for entry in entries if "hook" in entry.get("chain", {})]
