"""The door to nftables: one script, one transaction.

Either all of a script is in effect when `apply` returns, or nothing of it is and `NftRefused` is raised. nft's own
library works in this process: measured at 500 services, a change takes 5 ms by the library and 28 ms by the
program (0.5 against 17 at 10), most of which is the kernel's cleaning up after a short-lived netlink socket. Where
the library cannot be loaded the program does the same. Either reads all chains and sets before each transaction. So
what happens often goes to the kernel without them (`hivelet.network.nfwire`), and only the rest is for the library.
"""

from __future__ import annotations

import ctypes
import json
import socket
import subprocess
from typing import Any, Protocol

import structlog

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.network.family import IPV4, Family
from hivelet.network.kernel import Kernel
from hivelet.network.netlink import nlmsg
from hivelet.network.nfwire.batch import encode
from hivelet.network.nfwire.door import BatchDoor, BatchRefused, BatchUnanswered
from hivelet.network.nfwire.unspoken import NotSpoken
from hivelet.network.rules.listing import TableState, parse_listing
from hivelet.network.rules.patience import patience_object
from hivelet.network.rules.ruleset import EMPTY, Fragment
from hivelet.network.rules.table import render_table

log = structlog.get_logger(__name__)

_LIBRARY = "libnftables.so.1"
_JSON_OUTPUT = 1 << 4
_TIMEOUT = 30.0
_NETFILTER = 12
_NFTABLES = 10 << 8
_NEW_GENERATION, _GET_GENERATION, _GENERATION_ID = _NFTABLES | 15, _NFTABLES | 16, 1


class NftRefused(System):
    """The kernel or nft did not accept a transaction; nothing of it is in effect."""


class _Engine(Protocol):
    def run(self, script: str, *, as_json: bool) -> str: ...


class Nft:
    """nftables in the namespace in which this was made; calls are carried out one after the other."""

    def __init__(self) -> None:
        self._thread = Kernel("rules")
        self._engine: _Engine | None = None
        self._batches: BatchDoor | None = None
        self._commits = 0
        self.under_way = 0
        """Transactions that have been begun and have not ended."""
        self.carried_out = 0
        self.by_wire = 0
        """Transactions that went to the kernel as a batch of ours."""
        self.by_library = 0
        """Transactions that were nft's to translate: whole tables, subnets, what repairs the table itself."""
        self.families: tuple[Family, ...] = (IPV4,)
        """The families in which this host has our table."""

    async def apply(self, script: str) -> None:
        """Carry out a script of nft commands as one transaction."""
        self.under_way += 1
        try:
            await self._thread.call(self._carry_out, script)
            self.carried_out += 1
        finally:
            self.under_way -= 1

    async def supports(self, family: Family, fragment: Fragment = EMPTY) -> bool:
        """Whether this kernel takes a family's rules, these among them; asked with a table that is removed at once."""
        table = f"{family.table}-probe"
        probe = render_table(fragment, patience=False, family=family, table=table)
        try:
            await self.apply(f"{probe}delete table {table}\n")
        except NftRefused:
            return False
        return True

    async def remove_table(self, *tables: str) -> None:
        """Remove tables of ours (none named: the one of each family) and all that is in them; no table is no error."""
        doomed = tables or [family.table for family in self.families]
        await self.apply("".join(f"table {table}\ndelete table {table}\n" for table in doomed))

    async def supports_patience(self) -> bool:
        """Whether this kernel lets a rule set a connection's timeouts."""
        probe = f"{IPV4.table}-probe"
        body = patience_object(IPV4)
        try:
            await self.apply(
                "\n".join([f"table {probe} {{", *body, "}", f"delete table {probe}", ""])
            )
        except NftRefused:
            return False
        return True

    async def read_table(self, table: str = IPV4.table) -> TableState | None:
        """A table as the kernel has it; None where it is not there."""
        return await self._thread.call(self._read, table)

    async def list_base_chains(self) -> list[dict[str, Any]]:
        """All base chains of the host as nft's JSON describes them: family, table, name, hook, prio, policy."""
        listing: str = await self._thread.call(self._run, "list chains", True)
        entries = _entries(listing)
        return [entry["chain"] for entry in entries if "hook" in entry.get("chain", {})]

    async def list_table(self, family: str, name: str) -> list[dict[str, Any]]:
        """Chains and rules of one table as nft's JSON describes them; none where there is no such table."""
        try:
            listing: str = await self._thread.call(self._run, f"list table {family} {name}", True)
        except NftRefused:
            return []  # gone between two looks
        return _entries(listing)

    async def foreign_generation(self) -> int:
        """A number that is another one after each change of the host's rules that was not made here."""
        return await self._thread.call(self._foreign_generation)

    def close(self) -> None:
        """End the thread."""
        self._thread.close()
        if self._batches is not None:
            self._batches.close()
            self._batches = None

    def _read(self, table: str) -> TableState | None:
        if f"table {table}" not in self._run("list tables", False).splitlines():
            return None
        return parse_listing(_entries(self._run(f"list table {table}", True)))

    def _foreign_generation(self) -> int:
        # The kernel counts transactions, ours among them. In one thread, so that none of ours is between the two numbers.
        return (read_generation() - self._commits) % (1 << 32)

    def _carry_out(self, script: str) -> None:
        point("rules.apply")
        self._send(script)
        point("rules.applied")
        self._commits += 1

    def _send(self, script: str) -> None:
        if self._batches is None:
            self._batches = _open_batches()
        try:
            batch = encode(script, self._batches.numbers)
        except NotSpoken:
            self._run(script, False)
            self.by_library += 1
            return
        try:
            self._batches.carry_out(batch)
            self.by_wire += 1
        except BatchRefused as refusal:
            self._ask_again(script, refusal)
        except BatchUnanswered as loss:
            # Not to be tried again: rules would stand twice. The writer reads what is there after a failure.
            raise NftRefused(f"nftables has not said whether it took a change: {loss}") from loss

    def _ask_again(self, script: str, refusal: BatchRefused) -> None:
        """Nothing is in effect: nft says what is wrong, unless it was the translation and not what was asked for."""
        try:
            self._run(script, False)
        except NftRefused as error:
            raise error from refusal
        self.by_library += 1
        log.warning("the kernel took from nft what it refused of us", refusal=str(refusal))

    def _run(self, script: str, as_json: bool) -> str:
        if self._engine is None:
            self._engine = _load_engine()
        return self._engine.run(script, as_json=as_json)


class _Library:
    """libnftables with its output in buffers. Not thread-safe; made and used by one thread."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self._library = library
        self._context = ctypes.c_void_p(library.nft_ctx_new(0))
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def run(self, script: str, *, as_json: bool) -> str:
        library, context = self._library, self._context
        library.nft_ctx_output_set_flags(context, ctypes.c_uint(_JSON_OUTPUT if as_json else 0))
        status = library.nft_run_cmd_from_buffer(context, ctypes.c_char_p(script.encode()))
        output = (library.nft_ctx_get_output_buffer(context) or b"").decode()
        error = (library.nft_ctx_get_error_buffer(context) or b"").decode()
        if status:
            raise _refused(error)
        return output


class _Program:
    """The program nft, one process for each transaction."""

    def run(self, script: str, *, as_json: bool) -> str:
        argv = ["nft", *(["-j"] if as_json else []), "-f", "-"]
        done = subprocess.run(
            argv, input=script, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
        if done.returncode:
            raise _refused(done.stderr)
        return done.stdout


def read_generation() -> int:
    """Ask the kernel for the ruleset's number (NFT_MSG_GETGEN): some microseconds, where listing takes milliseconds."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER
    ) as door:
        door.sendto(nlmsg.message(_GET_GENERATION, nlmsg.REQUEST, bytes(4)), (0, 0))
        for kind, _, body in nlmsg.split_messages(door.recv(4096)):
            if kind == _NEW_GENERATION:
                number = nlmsg.split_attributes(body, 4)[_GENERATION_ID]
                return int.from_bytes(number[:4], "big")
    return -1


def _open_batches() -> BatchDoor:
    try:
        return BatchDoor()
    except OSError as error:
        raise NftRefused(f"nftables cannot be reached: {error.strerror}") from error


def _load_engine() -> _Engine:
    try:
        return _Library(ctypes.CDLL(_LIBRARY))
    except OSError:
        return _Program()


def _entries(listing: str) -> list[dict[str, Any]]:
    """What nft has listed.

    Raises:
        NftRefused: it is no whole JSON. nft 1.0.6 breaks off at a table that a program has claimed for itself.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(listing)["nftables"]
    except ValueError as error:
        raise NftRefused(
            "nftables cannot list a table: another program owns it (flags owner), or nft is broken; "
            "`nft list tables` shows which. End that program"
        ) from error
    return entries


def _refused(words: str) -> NftRefused:
    return NftRefused(f"nftables refused a change of the rules: {words.strip()[:2000]}")
