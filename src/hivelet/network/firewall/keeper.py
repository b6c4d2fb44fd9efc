"""Lets packets of our bridges pass other firewalls, for as long as we have bridges, whatever those firewalls do.

Looks when another program has changed a rule of the host (by a number that the kernel keeps for nftables; once a second where the
old iptables is in use, which has none), and takes away what it added when the last bridge goes. Where hiveletd may not
touch other firewalls, it only finds and tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from hivelet.kit.process import CommandFailed
from hivelet.network.desired import DesiredState
from hivelet.network.findings import Finding, describe_step
from hivelet.network.firewall.door import FirewallDoor, uses_legacy
from hivelet.network.firewall.passes import BRIDGE_PREFIX, Step, Wish, name_links, plan_steps
from hivelet.network.names import bridge_name
from hivelet.network.netlink.links import LinkState

log = structlog.get_logger(__name__)

_LEGACY_EVERY = 2
"""Looks between two at the old iptables."""
_LAN_KINDS = ("veth", "tun")


class FirewallKeeper:
    """Keeps our bridges passing. `adjust` False: other programs' firewalls are looked at and left as they are."""

    def __init__(self, door: FirewallDoor, state: DesiredState, *, adjust: bool) -> None:
        self._door = door
        self._state = state
        self._adjust = adjust
        self._lock = asyncio.Lock()
        self._generation = -1
        self._seen: tuple[str, ...] | None = None
        self._former: set[str] = set()
        self._looks = 0
        self._done: set[Step] = set()
        self._unshown: tuple[Step, ...] = ()
        """What was carried out, or could not be, and is still missing: not tried again and again."""
        self._failures: dict[Step, str] = {}

    async def look(self) -> None:
        """Look, if there may be something to see; called twice a second."""
        self._looks += 1
        generation = await self._door.generation()
        legacy = self._looks % _LEGACY_EVERY == 0 and (uses_legacy("ip") or uses_legacy("ip6"))
        if legacy or generation != self._generation or self._links() != self._seen:
            await self.ensure()

    async def ensure(self) -> None:
        """Let our bridges pass all firewalls that are there now, if we may; idempotent."""
        async with self._lock:
            await self._ensure()

    async def ensure_links(self) -> None:
        """The same, where the bridges have changed since the last look; returns when they pass."""
        async with self._lock:
            if self._links() != self._seen:
                await self._ensure()

    async def _ensure(self) -> None:
        self._generation = await self._door.generation()
        links = self._links()
        steps = await self._plan() if self._adjust else ()
        if steps and steps != self._unshown:
            await self._carry_out(steps)
            left = await self._plan()
            # Unless somebody else was there meanwhile: then it is not known whether it has shown.
            undisturbed = await self._door.generation() == self._generation
            self._unshown = left if undisturbed else ()
        self._seen = links

    async def _plan(self) -> tuple[Step, ...]:
        return plan_steps(await self._door.read(), await self._wish(open_=True))

    async def remove(self) -> None:
        """Take away all that was added, whatever bridges there are."""
        async with self._lock:
            steps = plan_steps(await self._door.read(), await self._wish(open_=False))
            await self._carry_out(steps)
            self._done.clear()
            self._seen = None
            self._unshown = ()

    async def findings(self) -> tuple[Finding, ...]:
        """What still drops our packets, each with the commands that let them pass."""
        steps = await self._plan()
        return tuple(describe_step(s, self._failures.get(s, "")) for s in steps if s.adds)

    async def _carry_out(self, steps: tuple[Step, ...]) -> None:
        self._failures = {}
        for step in steps:
            try:
                await self._door.carry_out(step)
            except CommandFailed as error:
                self._failures[step] = error.message
                log.warning(
                    "cannot let packets of hivelet's bridges pass another firewall",
                    place=step.place,
                    error=error.message,
                    repair=step.command,
                )
                continue
            self._tell(step)

    def _tell(self, step: Step) -> None:
        if not step.adds:
            log.info("rules for hivelet's bridges removed from another firewall", place=step.place)
        elif step in self._done:
            log.warning(
                "another firewall has lost hivelet's rules; they are restored", place=step.place
            )
        else:
            self._done.add(step)
            log.info(
                "another firewall lets packets of hivelet's bridges pass now", place=step.place
            )

    def _links(self) -> tuple[str, ...]:
        return name_links(bridge_name(network) for network in self._state.networks.values())

    async def _wish(self, *, open_: bool) -> Wish:
        ours = {bridge_name(network) for network in self._state.networks.values()}
        others = other_bridges(await self._door.links(), ours)
        links = self._links()
        self._former |= set(links)
        return Wish(links=links, former=tuple(sorted(self._former)), others=others, open=open_)


def other_bridges(links: Mapping[str, LinkState], ours: set[str]) -> tuple[str, ...]:
    """Bridges that lead to other programs' containers and machines, and not out of this host.

    A bridge with a real network card in it is a way out, and so is none of these; an empty one is.
    """
    members: dict[int, set[str]] = {}
    for link in links.values():
        members.setdefault(link.master, set()).add(link.kind)
    return tuple(
        sorted(
            link.name
            for link in links.values()
            if link.kind == "bridge"
            and link.name not in ours
            and not link.name.startswith(BRIDGE_PREFIX)
            and members.get(link.index, set()) <= set(_LAN_KINDS)
        )
    )
