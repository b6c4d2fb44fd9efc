"""The one writer of rules and names: what changed since its last transaction goes into the next one, together.
All tables change in one transaction.

While a transaction runs, further changes gather; nobody waits longer than two of them. To begin with, after a refused
transaction, and when another program may have changed the rules, the kernel's table is read and only what differs is
written: a table that serves packets is never made anew (see `hivelet.network.rules.repair`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from hivelet.errors import HiveletError
from hivelet.kit.backoff import Backoff
from hivelet.network.contributions import build_fragment
from hivelet.network.desired import DesiredState
from hivelet.network.dns.keeper import ResolverKeeper
from hivelet.network.family import FRAMES, IPV4, IPV6, Family
from hivelet.network.host_links import list_vips
from hivelet.network.joiner import change_vips
from hivelet.network.kernel import Kernel
from hivelet.network.nft import Nft
from hivelet.network.rules.repair import mend_table, stand_in
from hivelet.network.rules.ruleset import (
    EMPTY,
    Change,
    Fragment,
    RuleBook,
    find_unwritable,
    merge_scripts,
)

log = structlog.get_logger(__name__)

_RETRY = Backoff(first=0.05, ceiling=5.0, jitter=0.0)
_SHOWN = 8


class RuleWriter:
    """Makes the kernel and the resolvers follow the desired state. Held until `release`."""

    def __init__(
        self, state: DesiredState, resolvers: ResolverKeeper, kernel: Kernel, nft: Nft
    ) -> None:
        self._state = state
        self._resolvers = resolvers
        self._kernel = kernel
        self._nft = nft
        self._books = _new_books()
        self._whole = True
        self._suspicion = ""
        self._cleared = False
        self._patience: bool | None = None
        self._vips: dict[str, set[str]] = {}
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._held = True
        self._failures = 0
        self.failure = ""
        """Why the rules are not as they should be, at the moment."""

    @property
    def held(self) -> bool:
        """Whether writes are held back until the node has been adopted."""
        return self._held

    @property
    def has_written(self) -> bool:
        """Whether the kernel is supposed to have our table."""
        return not (self._held or self._whole)

    def release(self) -> None:
        """Begin to write; the first transaction is the whole ruleset."""
        self._held = False
        self._wake.set()

    def poke(self) -> None:
        """Have what changed written soon."""
        self._wake.set()

    @property
    def vips(self) -> dict[str, set[str]]:
        """The VIPs that each bridge has been given."""
        return {bridge: set(vips) for bridge, vips in self._vips.items()}

    def inspect(self, suspicion: str) -> None:
        """Have the kernel's rules and VIPs compared with what was written, for this reason, and mended."""
        if self.has_written:
            self._suspicion = suspicion
        self._wake.set()

    def forget(self) -> None:
        """Our table is gone on purpose: begin with a whole ruleset when there is something to write again."""
        self._books = _new_books()
        self._whole = True
        self._vips = {}

    async def settle(self) -> None:
        """Return when all that is desired now is in effect.

        Raises:
            HiveletError: it could not be brought into effect.
        """
        if self._held:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._wake.set()
        await done

    async def run(self) -> None:
        """Write for ever: the body of the plane's background work."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._held:
                continue
            waiting, self._waiting = self._waiting, []
            try:
                await self._write()
            except HiveletError as error:
                self._fail(waiting, error)
                await asyncio.sleep(_RETRY.delay(self._failures))
            except BaseException:
                self._waiting += waiting
                self._wake.set()
                raise
            else:
                if self.failure:
                    log.info("the rules are written again")
                self._failures, self.failure = 0, ""
                for done in waiting:
                    if not done.done():
                        done.set_result(None)

    async def _write(self) -> None:
        if not self._state.networks:
            await self._clear()
            return
        self._cleared = False
        whole, self._whole = self._whole, False
        suspicion, self._suspicion = self._suspicion, ""
        if whole:
            self._state.mark_all()
        owners, fresh = self._state.take_dirty()
        try:
            if whole or suspicion:
                self._vips = await self._kernel.call(list_vips, self._state.vip_subnets())
            wanted = self._state.vips()
            await self._change_vips(wanted, remove=False)
            if suspicion and not whole:
                await self._mend(suspicion)
            changes = [self._update(family, owners) for family in self._nft.families]
            if whole:
                await self._mend("")
            else:
                for script in merge_scripts(changes):
                    await self._nft.apply(script)
            await self._change_vips(wanted, remove=True)
            await self._resolvers.publish(owners, fresh)
        except BaseException:
            self._whole = True
            raise

    async def _mend(self, suspicion: str) -> None:
        """Read the tables, write what differs. With a suspicion nothing should differ, and what does is a warning."""
        if self._patience is None:
            self._patience = await self._nft.supports_patience()
            await self._nft.remove_table(*map(stand_in, self._nft.families))
        repairs: list[list[str]] = []
        for family in self._nft.families:
            actual = await self._nft.read_table(family.table)
            repair = mend_table(
                actual, self._books[family].merged(), patience=self._patience, family=family
            )
            if repair.found and suspicion:
                log.warning(
                    "another program has changed hivelet's nftables rules; they are mended",
                    seen_by=suspicion,
                    found=_shortened(repair.found),
                )
            elif repair.found and actual is not None:
                log.info("the rules are brought up to date", changed=_shortened(repair.found))
            repairs.append(list(repair.scripts))
        for script in merge_scripts(repairs):
            await self._nft.apply(script)

    def _update(self, family: Family, owners: Collection[str]) -> list[str]:
        """Take what these owners now contribute to a family's rules into its book; returns the transactions that do it."""
        change = self._books[family].update(
            {owner: build_alone(self._state, owner, family) for owner in owners}
        )
        _warn_of_contests(change)
        return change.scripts(family.table)

    async def _clear(self) -> None:
        """No network, no rules: a node outside of any swarm, or one that has just left it, shows no table."""
        self._state.take_dirty()
        if self._cleared:
            return
        self.forget()
        for family in self._nft.families:
            if await self._nft.read_table(family.table) is not None:
                await self._nft.remove_table(family.table)
        self._cleared = True

    async def _change_vips(self, wanted: dict[str, set[str]], *, remove: bool) -> None:
        # Added before the rules point to them, removed after: an ARP request never finds a VIP without its chain.
        if not remove:
            self._vips = {bridge: self._vips.get(bridge, set()) for bridge in wanted}
        for bridge, vips in wanted.items():
            have = self._vips[bridge]
            change = have - vips if remove else vips - have
            if not change:
                continue
            add, gone = (set(), change) if remove else (change, set())
            await self._kernel.call(change_vips, bridge, add, gone)
            self._vips[bridge] = have - gone | add

    def _fail(self, waiting: list[asyncio.Future[None]], error: HiveletError) -> None:
        self._failures += 1
        self._wake.set()
        if error.message != self.failure:
            self.failure = error.message
            log.error("the rules could not be written; it is tried again", error=error.message)
        for done in waiting:
            if not done.done():
                done.set_exception(error)


def build_alone(state: DesiredState, owner: str, family: Family) -> Fragment:
    """An owner's part of the rules, empty where it cannot be: one service's mistake must not keep the others from theirs."""
    try:
        fragment = build_fragment(state, owner, family)
    except (HiveletError, ValueError, LookupError) as error:
        log.error("an owner's rules cannot be built; it is left out", owner=owner, error=str(error))
        return EMPTY
    if flaw := find_unwritable(fragment):
        log.error("an owner's rules cannot be written; it is left out", owner=owner, flaw=flaw)
        return EMPTY
    return fragment


def _warn_of_contests(change: Change) -> None:
    for (where, key), claimants in change.contested.items():
        log.warning(
            "several claim one place; the first has it",
            place=f"{where} {key}",
            by=claimants,
        )


def _shortened(found: tuple[str, ...]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _new_books() -> dict[Family, RuleBook]:
    return {family: RuleBook() for family in (IPV4, IPV6, FRAMES)}
