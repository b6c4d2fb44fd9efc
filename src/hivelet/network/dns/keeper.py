"""Which resolvers there are: one for each distinct set of networks and outside servers in use, made on demand.

A resolver's name follows from what it is for, so that asking twice finds the same one. Members of internal networks
alone get no outside names: a name server that forwards would be a way out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network
from pathlib import Path

from hivelet.errors import Conflict
from hivelet.network.desired import DesiredState, ResolverRecord
from hivelet.network.dns.server import Resolver, ResolverConfig
from hivelet.network.joiner import ensure_resolver_bridge, remove_resolver_address
from hivelet.network.ledger import Ledger
from hivelet.network.names import RESOLVER_SUBNET
from hivelet.network.netlink import Kernel
from hivelet.network.sandbox import SandboxRequest
from hivelet.objects.common import NetworkId


class ResolverKeeper:
    """Starts, feeds and stops the resolvers that the desired state names."""

    def __init__(self, home: Path, state: DesiredState, ledger: Ledger, kernel: Kernel) -> None:
        self._home = home
        self._state = state
        self._ledger = ledger
        self._kernel = kernel
        self._running: dict[str, Resolver] = {}

    async def adopt(self) -> None:
        """Take over the resolvers of a former life; those that have died are started by the next `publish`."""
        if self._state.resolvers:
            await self._ensure_addresses()
        for record in self._state.resolvers.values():
            self._running[record.name] = self._make(record)

    def choose(self, request: SandboxRequest) -> ResolverRecord:
        """The resolver for a container's networks; recorded, and running after its first `publish`."""
        joined = [leg.network for leg in request.legs]
        own = tuple(sorted(network.id for network in joined if network.kind == "overlay"))
        forward = any(not network.internal for network in joined)
        upstreams = request.dns.nameservers if forward else ()
        name = resolver_name(own, upstreams, forward)
        known = self._state.resolvers.get(name)
        if known is not None:
            return known
        record = ResolverRecord(
            name=name,
            address=_free_address(r.address for r in self._state.resolvers.values()),
            networks=own,
            upstreams=upstreams,
            forward=forward,
        )
        self._ledger.put_resolver(record)
        self._state.put_resolver(record)
        self._running[name] = self._make(record)
        return record

    async def publish(self, names: Collection[str]) -> None:
        """Let these resolvers answer with what the desired state says; returns when all do."""
        if not names:
            return
        await self._ensure_addresses()
        for name in sorted(names):
            if name in self._state.resolvers:
                await self._running[name].publish(self._state.build_resolver_records(name))

    async def stop_unused(self) -> None:
        """End the resolvers that no container asks any more."""
        await self._stop(self._state.resolvers_unused())

    async def stop_all(self) -> None:
        """End all resolvers."""
        await self._stop(list(self._state.resolvers))

    async def _stop(self, names: Iterable[str]) -> None:
        for name in names:
            record = self._state.resolvers[name]
            self._running.pop(name).stop()
            self._state.drop_resolver(name)
            await self._kernel.call(remove_resolver_address, record.address)
            self._ledger.drop_resolver(name)

    async def _ensure_addresses(self) -> None:
        addresses = [record.address for record in self._state.resolvers.values()]
        await self._kernel.call(ensure_resolver_bridge, addresses)

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


def resolver_name(
    networks: tuple[NetworkId, ...], upstreams: tuple[str, ...], forward: bool
) -> str:
    """A name that follows from what the resolver is for."""
    text = "\n".join((*networks, "", *upstreams, str(forward)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _free_address(taken: Iterable[str]) -> str:
    used = set(taken)
    for address in IPv4Network(RESOLVER_SUBNET).hosts():
        if str(address) not in used:
            return str(address)
    raise Conflict(f"all {len(used)} resolver addresses of {RESOLVER_SUBNET} are in use")
