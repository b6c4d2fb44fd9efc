"""Keeps what we made from vanishing: a flushed ruleset, a bridge removed by hand, a resolver that died.

Looks once a second at what can be seen for microseconds, and has the writer and the keepers repair it. Each loss is
logged: somebody on this host did it, and should know that it matters.
"""

from __future__ import annotations

import structlog

from hivelet.kit.clock import Clock
from hivelet.network.desired import DesiredState
from hivelet.network.dns.keeper import ResolverKeeper
from hivelet.network.firewall.keeper import FirewallKeeper
from hivelet.network.names import bridge_name
from hivelet.network.netlink import link_index
from hivelet.network.nft import Nft
from hivelet.network.sandboxes import SandboxKeeper
from hivelet.network.writer import RuleWriter

log = structlog.get_logger(__name__)

_LOOK_EVERY = 0.5


class Guard:
    """The look, once and for ever."""

    def __init__(
        self,
        state: DesiredState,
        writer: RuleWriter,
        nft: Nft,
        sandboxes: SandboxKeeper,
        resolvers: ResolverKeeper,
        firewalls: FirewallKeeper,
    ) -> None:
        self._state = state
        self._writer = writer
        self._nft = nft
        self._sandboxes = sandboxes
        self._resolvers = resolvers
        self._firewalls = firewalls

    async def run(self, clock: Clock) -> None:
        """Look for ever: the body of the plane's background work."""
        while True:
            await clock.sleep(_LOOK_EVERY)
            if not self._writer.held:
                await self.look()

    async def look(self) -> None:
        """Look once, and repair."""
        rewrite = False
        for network in list(self._state.networks.values()):
            gone = link_index(bridge_name(network)) is None
            if gone and network.id in self._state.networks:
                rewrite |= await self._sandboxes.ensure_bridge(network)
        for name in self._resolvers.find_dead():
            log.warning("a resolver has died and is started again", resolver=name)
            self._state.mark_resolver(name)
            self._writer.poke()
        if self._writer.has_written and not await self._nft.has_table():
            log.warning("another program has removed hivelet's nftables rules; they are restored")
            rewrite = True
        if rewrite:
            self._writer.rewrite()
        await self._firewalls.look()
