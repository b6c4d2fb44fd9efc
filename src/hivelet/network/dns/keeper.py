"""Which resolvers there are: one for each distinct set of networks and outside servers in use, made on demand.

A resolver's name follows from what it is for, so that asking twice finds the same one. Members of internal networks
alone get no outside names: a name server that forwards would be a way out.

What always holds: a resolver that can't be had hurts those alone who would ask it. The others are published without it;
it is replaced in the background, and a container that needs it meanwhile is told why it can't be made.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from hivelet.kit.backoff import Backoff
from hivelet.kit.clock import Clock
from hivelet.network.contributions import build_zones
from hivelet.network.desired import DesiredState
from hivelet.network.dns.configuration import ResolverConfig, read_host_resolv_conf
from hivelet.network.dns.process import NOBODY, end_process, find_resolvers
from hivelet.network.dns.server import Resolver, ResolverFailed
from hivelet.network.ipam import AddressPool
from hivelet.network.joiner import ensure_resolver_bridge, remove_resolver_address
from hivelet.network.kernel import Kernel
from hivelet.network.ledger import Ledger
from hivelet.network.names import RESOLVER_SUBNET
from hivelet.network.records import ResolverRecord
from hivelet.network.sandbox import SandboxRequest
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.name_rules import check_nameserver

log = structlog.get_logger(__name__)


_LOOK_EVERY = 2.0
_RETRY = Backoff(first=2.0, ceiling=60.0, jitter=0.0)


@dataclass(slots=True, eq=False)
class _Failure:
    """Why a resolver can't be had, and when to try again."""

    error: ResolverFailed
    attempts: int = 0
    next_attempt: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ResolverKeeper:
    """Starts, feeds and stops the resolvers that the desired state names."""

    def __init__(self, home: Path, state: DesiredState, ledger: Ledger, kernel: Kernel) -> None:
        self._home = home
        self._state = state
        self._ledger = ledger
        self._kernel = kernel
        self._running: dict[str, Resolver] = {}
        self._failed: dict[str, _Failure] = {}
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
        for server in request.dns.nameservers:
            check_nameserver(server)
        joined = [leg.network for leg in request.legs]
        own = tuple(sorted(network.id for network in joined if has_names(network)))
        forward = any(not network.internal for network in joined)
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
            await asyncio.gather(
                *(self._publish(name, owners, whole=name in fresh) for name in list(self._running))
            )

    async def _publish(self, name: str, owners: Collection[str], *, whole: bool) -> None:
        resolver = self._running[name]
        if name in self._failed or not (whole or resolver.settled):
            return  # made since, or to be made anew: its whole records come with the next change
        zones = build_zones(self._state, name, None if whole else owners)
        if not whole and not zones:
            return
        try:
            await resolver.publish(zones, whole=whole)
        except ResolverFailed as error:
            self._failed[name] = _Failure(error)
            log.error("a resolver has failed", resolver=name, error=error.message)

    async def require(self, name: str) -> None:
        """Return once this resolver answers, or raise what it failed with.

        Raises:
            ResolverFailed: it could not be replaced either.
        """
        await self._replace(name)
        if (failure := self._failed.get(name)) is not None:
            raise ResolverFailed(failure.error.message)

    async def replace_failed(self, clock: Clock, replaced: Callable[[], None]) -> None:
        """Replace resolvers that have failed, for ever, with growing pauses; `replaced` has the state written again."""
        while True:
            await clock.sleep(_LOOK_EVERY)
            due = [n for n, f in self._failed.items() if f.next_attempt <= clock.steady()]
            if any(await asyncio.gather(*(self._try_again(name, clock) for name in due))):
                replaced()

    async def _try_again(self, name: str, clock: Clock) -> bool:
        failure = self._failed[name]
        done = await self._replace(name)
        failure.attempts += 1
        failure.next_attempt = clock.steady() + _RETRY.delay(failure.attempts)
        return done

    async def _replace(self, name: str) -> bool:
        """Try once more with a new daemon; what changes meanwhile is published after that, by its mark."""
        failure, resolver = self._failed.get(name), self._running.get(name)
        if failure is None or resolver is None:
            return False
        async with failure.lock:
            if self._failed.get(name) is not failure or self._running.get(name) is not resolver:
                return False
            try:
                await self.ensure_addresses()
                await resolver.renew(build_zones(self._state, name, None))
            except ResolverFailed as error:
                failure.error = error
                return False
            self._failed.pop(name, None)
            self._state.mark_resolver(name)
            log.info("a resolver was replaced", resolver=name)
            return True

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

    def count(self) -> tuple[int, int]:
        """How many resolvers there are, and how many that have failed and are being replaced."""
        return len(self._running) - len(self._failed), len(self._failed)

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
            self._failed.pop(record.name, None)
            self._state.drop_resolver(record.name)
            self._ledger.drop_resolver(record.name)
        for record, resolver in doomed:
            try:
                await resolver.stop()
            except OSError as error:
                # Its files are in a directory that is emptied at the next start of the machine.
                log.error(
                    "what is left of a resolver cannot be removed",
                    resolver=record.name,
                    error=str(error),
                )
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
