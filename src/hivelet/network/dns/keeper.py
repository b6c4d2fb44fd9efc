"""Which resolvers there are: one for each distinct set of networks and outside servers in use, made on demand.

A resolver's name follows from what it is for, so that asking twice finds the same one. Members of internal networks
alone get no outside names: a name server that forwards would be a way out.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

import structlog

from hivelet.network.desired import DesiredState, ResolverRecord
from hivelet.network.dns.process import NOBODY, end_process, find_resolvers
from hivelet.network.dns.server import Resolver, ResolverConfig, read_host_resolv_conf
from hivelet.network.ipam import AddressPool
from hivelet.network.joiner import ensure_resolver_bridge, remove_resolver_address
from hivelet.network.ledger import Ledger
from hivelet.network.names import RESOLVER_SUBNET
from hivelet.network.netlink import Kernel
from hivelet.network.sandbox import SandboxRequest
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.name_rules import check_nameserver

log = structlog.get_logger(__name__)


class ResolverKeeper:
    """Starts, feeds and stops the resolvers that the desired state names."""

    def __init__(self, home: Path, state: DesiredState, ledger: Ledger, kernel: Kernel) -> None:
        self._home = home
        self._state = state
        self._ledger = ledger
        self._kernel = kernel
        self._running: dict[str, Resolver] = {}
        self._changing = asyncio.Lock()
        self._last_address = ""
        self._host_says = ""

    async def adopt(self) -> None:
        """Take over the resolvers of a former life; those that have died are started by the next `publish`.

        What a crash left (a daemon or a directory that no record names) is removed.
        """
        running = await asyncio.to_thread(find_resolvers, self._home)
        there = running.keys() | {path.name for path in self._home.glob("*")}
        for name in sorted(there - self._state.resolvers.keys()):
            log.warning("a resolver that a crash left is removed", resolver=name)
            if name in running:
                await end_process(running[name])
            shutil.rmtree(self._home / name, ignore_errors=True)
        if self._state.resolvers:
            await self.ensure_addresses()
        for record in self._state.resolvers.values():
            self._running[record.name] = self._make(record)
            self._running[record.name].last_pid = running.get(record.name, NOBODY)

    def choose(self, request: SandboxRequest) -> ResolverRecord:
        """The resolver for a container's networks; recorded, and running after its first `publish`.

        Raises:
            InvalidParameter: a name server is no address.
        """
        joined = [leg.network for leg in request.legs]
        own = tuple(sorted(network.id for network in joined if has_names(network)))
        forward = any(not network.internal for network in joined)
        for server in request.dns.nameservers:
            check_nameserver(server)
        upstreams = request.dns.nameservers if forward else ()
        name = resolver_name(own, upstreams, forward)
        known = self._state.resolvers.get(name)
        if known is not None:
            return known
        record = ResolverRecord(
            name=name,
            address=self._free_address(),
            networks=own,
            upstreams=upstreams,
            forward=forward,
        )
        self._ledger.put_resolver(record)
        self._state.put_resolver(record)
        self._running[name] = self._make(record)
        return record

    async def publish(self, owners: Collection[str], fresh: Collection[str]) -> None:
        """Let all resolvers answer with what these owners now contribute, and the `fresh` ones with everything."""
        if not self._state.resolvers:
            return
        async with self._changing:
            if fresh:
                await self.ensure_addresses()
            for name in list(self._running):
                resolver, whole = self._running[name], name in fresh
                if not whole and not resolver.settled:
                    continue  # made since, or to be made anew: its whole records come with the next change
                zones = self._state.build_zones(name, None if whole else owners)
                if whole or zones:
                    await resolver.publish(zones, whole=whole)

    def find_faults(self) -> dict[str, str]:
        """The resolvers that are not as they were left, each with what is wrong."""
        if self._changing.locked():
            return {}
        found = {name: resolver.find_fault() for name, resolver in self._running.items()}
        return {name: what for name, what in found.items() if what}

    def follow_host(self) -> None:
        """Hand on the host's resolv.conf if it has changed since this was last called."""
        text = read_host_resolv_conf()
        if text != self._host_says:
            self._host_says = text
            for resolver in self._running.values():
                if resolver.settled:
                    resolver.follow(text)

    async def probe(self) -> dict[str, str]:
        """The resolvers that do not answer as they should; each is asked one question."""
        if self._changing.locked():
            return {}
        names = list(self._running)
        answers = await asyncio.gather(*(self._running[name].probe() for name in names))
        return {name: what for name, what in zip(names, answers, strict=True) if what}

    def served(self) -> frozenset[str]:
        """The addresses of the resolvers that have been started."""
        return frozenset(r.config.address for r in self._running.values() if r.settled)

    async def ensure_addresses(self) -> None:
        """Make the resolvers' addresses exist, and the bridge that has them."""
        addresses = [record.address for record in self._state.resolvers.values()]
        await self._kernel.call(ensure_resolver_bridge, addresses)

    async def stop_unused(self) -> None:
        """End the resolvers that no container asks any more."""
        if self._state.resolvers_unused():
            async with self._changing:
                await self._stop(self._state.resolvers_unused())

    async def stop_all(self) -> None:
        """End all resolvers."""
        async with self._changing:
            await self._stop(list(self._state.resolvers))

    async def _stop(self, names: Iterable[str]) -> None:
        # Forgotten before the first wait: whoever needs the same one meanwhile makes a new one, which is started when
        # this one has ended.
        doomed = [(self._state.resolvers[name], self._running.pop(name)) for name in names]
        for record, _ in doomed:
            self._state.drop_resolver(record.name)
            self._ledger.drop_resolver(record.name)
        for record, resolver in doomed:
            await resolver.stop()
            await self._kernel.call(remove_resolver_address, record.address)

    def _free_address(self) -> str:
        # Never the one that was given back last: its daemon may be about to end.
        pool = AddressPool(RESOLVER_SUBNET, after=self._last_address)
        for record in self._state.resolvers.values():
            pool.reserve(record.address)
        self._last_address = pool.allocate()
        return self._last_address

    def _make(self, record: ResolverRecord) -> Resolver:
        return Resolver(
            self._home / record.name,
            ResolverConfig(
                name=record.name,
                address=record.address,
                upstreams=record.upstreams,
                forward=record.forward,
            ),
        )


def has_names(network: BridgeNetwork) -> bool:
    """Whether members of a network know each other by name; as in Docker, not on the node's default bridge."""
    return network.kind == "overlay" or (network.kind == "bridge" and network.name != "bridge")


def resolver_name(
    networks: tuple[NetworkId, ...], upstreams: tuple[str, ...], forward: bool
) -> str:
    """A name that follows from what the resolver is for."""
    text = "\n".join((*networks, "", *upstreams, str(forward)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
