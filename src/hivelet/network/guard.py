"""Keeps what we made as we made it: rules, bridges, ports, addresses, kernel switches, resolvers.

What is there is compared with what was made: at once when the kernel tells of a change (`watch`), and from time to time
without that. The comparison is `drift`; here it is read, mended and logged, once for what is found. Somebody on this
host did it, and should know that it matters; where he does it again and again, he is told once a minute.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_network

import structlog

from hivelet.errors import HiveletError
from hivelet.kit.clock import Clock
from hivelet.network import local6, sysctls
from hivelet.network.crowding import Crowding, read_crowding
from hivelet.network.desired import DesiredState
from hivelet.network.dns.keeper import ResolverKeeper
from hivelet.network.drift import Drift, Repair, WantedBridge, WantedHost, WantedPort, find_drift
from hivelet.network.family import IPV6
from hivelet.network.firewall.keeper import FirewallKeeper
from hivelet.network.host_links import read_host
from hivelet.network.joiner import RESOLVER_BRIDGE, ensure_routes
from hivelet.network.kernel import Kernel
from hivelet.network.names import bridge_name
from hivelet.network.nft import Nft
from hivelet.network.sandboxes import SandboxKeeper
from hivelet.network.watch import Watch
from hivelet.network.writer import RuleWriter
from hivelet.objects.common import ContainerId, NetworkId

log = structlog.get_logger(__name__)

_LOOK_EVERY = 0.5
_REST = 0.1
"""Between two looks: a burst of changes, mostly ours, is looked at once."""
_HOST_RESTS, _LONGEST_REST = 10, 1.0
"""How many times longer than a look at all links the rest after it is, in seconds at most: while tasks come and go, their
links are heard of all the time, and one look would follow the other."""
_LOOK_AT_HOST_EVERY = 5.0
"""Of links and addresses the kernel tells; of its switches it does not, and the two for the whole host are read more
often than those of single bridges."""
_FAULTS_EVERY = 1.0
_PROBE_EVERY = 5.0
_COUNT_EVERY = 1.0
_COMPARE_RULES_EVERY = 60.0
_LOOK_AT_FIREWALLS_EVERY = 0.5
_REPEAT_AFTER = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardParts:
    """What the guard looks at and has repair it."""

    state: DesiredState
    kernel: Kernel
    nft: Nft
    writer: RuleWriter
    sandboxes: SandboxKeeper
    resolvers: ResolverKeeper
    firewalls: FirewallKeeper


class Guard:
    """The look, once and for ever."""

    def __init__(self, parts: GuardParts, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._watch = Watch()
        self._told: dict[str, float] = {}
        self._faults = _Rhythm(_FAULTS_EVERY)
        self._probe = _Rhythm(_PROBE_EVERY)
        self._count = _Rhythm(_COUNT_EVERY)
        self._crowding: Crowding | None = None
        self._crowded = False
        self._host = _Rhythm(_LOOK_AT_HOST_EVERY)
        self._host_rests_until = 0.0
        self._compare = _Rhythm(_COMPARE_RULES_EVERY)
        self._firewalls = _Rhythm(_LOOK_AT_FIREWALLS_EVERY)

    async def run(self) -> None:
        """Look for ever: the body of the plane's background work."""
        self._watch.open()
        try:
            while True:
                await self._watch.wait(_LOOK_EVERY)
                if not self._parts.writer.held:
                    await self.look()
                await self._clock.sleep(_REST)
        finally:
            self._watch.close()

    async def look(self) -> None:
        """Look once, and repair."""
        self._look_at_rules()
        self._parts.resolvers.follow_host()
        now = self._clock.steady()
        if self._firewalls.is_due(now):
            await self._parts.firewalls.look()
        if self._faults.is_due(now):
            self._renew(self._parts.resolvers.find_faults())
        if self._count.is_due(now):
            self._look_at_crowding()
        # A resolver whose answers the kernel drops does not hang.
        full = self._crowding is not None and self._crowding.full
        if not full and self._probe.is_due(now):
            self._renew(await self._parts.resolvers.probe())
        host = sysctls.host_switches(ipv6=IPV6 in self._parts.nft.families)
        switched = sysctls.read_sysctls(host) != host
        if switched or (now >= self._host_rests_until and self._host_may_differ(now)):
            begun = self._clock.steady()
            await self._look_at_host()
            ended = self._clock.steady()
            self._host_rests_until = ended + min(_HOST_RESTS * (ended - begun), _LONGEST_REST)

    def _host_may_differ(self, now: float) -> bool:
        return self._watch.take_links_changed() | self._host.is_due(now)

    def _look_at_rules(self) -> None:
        """Whether more transactions touched our table than we made; a slow comparison is for what escapes this."""
        if self._parts.nft.under_way:
            return  # some of those heard of are counted when they have ended
        watch, nft = self._watch, self._parts.nft
        watch.hear()
        foreign = watch.transactions > nft.carried_out or watch.deaf
        programs = ", ".join(sorted(watch.programs)) or "unknown"
        watch.forget_rules()
        nft.carried_out = 0
        if foreign:
            self._parts.writer.inspect(f"a change by another program ({programs})")
        elif self._compare.is_due(self._clock.steady()):
            self._parts.writer.inspect("the regular comparison")

    def _look_at_crowding(self) -> None:
        """Tell when the table of connections fills up, and when that has passed; once each."""
        self._crowding = read_crowding()
        crowded = self._crowding is not None and self._crowding.is_crowded(before=self._crowded)
        if self._crowding is not None and crowded != self._crowded:
            finding = self._crowding.describe()
            if crowded:
                log.warning(finding.meaning, finding=finding.name, repair=finding.repair)
            else:
                log.info("the kernel has room for connections again", finding=finding.name)
        self._crowded = crowded

    def _renew(self, faults: dict[str, str]) -> None:
        for name, what in faults.items():
            log.warning("a resolver is given its records anew", resolver=name, found=what)
            self._parts.state.mark_resolver(name)
        if faults:
            self._parts.writer.poke()

    async def _look_at_host(self) -> None:
        parts = self._parts
        switches = _switches(parts)
        actual = await parts.kernel.call(read_host, switches)
        # What is wanted is asked after the look: whatever was made before it is in it, and what is being made is not
        # yet called made.
        for drift in find_drift(actual, self._wanted()):
            self._tell(drift)
            try:
                await self._mend(drift)
            except HiveletError as error:
                log.error("it could not be mended", found=drift.what, error=error.message)

    def _wanted(self) -> WantedHost:
        parts = self._parts
        vips = parts.writer.vips
        return WantedHost(
            bridges={
                (name := bridge_name(network)): WantedBridge(
                    network_id=network.id,
                    network_name=network.name,
                    gateways=tuple(filter(None, (network.gateway, network.gateway6))),
                    subnets=tuple(
                        str(ip_network(subnet))
                        for subnet in filter(None, (network.subnet, network.subnet6))
                    ),
                    vips=frozenset(vips.get(name, ())),
                )
                for network in parts.sandboxes.bridged()
            },
            ports={
                port: WantedPort(
                    container_id=record.container_id,
                    bridge=bridge_name(parts.state.networks[network_id]),
                )
                for record in parts.sandboxes.made()
                for network_id, port in record.ports.items()
                if network_id in parts.state.networks
            },
            resolver_bridge=RESOLVER_BRIDGE,
            resolvers=parts.resolvers.served(),
            local_way=any(network.subnet6 for network in parts.sandboxes.bridged()),
            switches=_switches(parts),
        )

    async def _mend(self, drift: Drift) -> None:
        parts = self._parts
        repairs: dict[Repair, Callable[[], Awaitable[object]]] = {
            Repair.NETWORK: lambda: self._mend_network(NetworkId(drift.subject)),
            Repair.ROUTES: lambda: self._mend_routes(NetworkId(drift.subject)),
            Repair.VIPS: self._mend_vips,
            Repair.PORT: lambda: parts.sandboxes.attach(drift.subject),
            Repair.SANDBOX: lambda: parts.sandboxes.mend(ContainerId(drift.subject)),
            Repair.RESOLVERS: parts.resolvers.ensure_addresses,
            Repair.LOCAL_WAY: lambda: parts.kernel.call(local6.ensure_local_way),
            Repair.SWITCHES: lambda: parts.kernel.call(
                sysctls.ensure_sysctl, drift.subject, _switches(parts)[drift.subject]
            ),
        }
        await repairs[drift.repair]()

    async def _mend_network(self, network_id: NetworkId) -> None:
        network = self._parts.state.networks.get(network_id)
        if network is not None:
            await self._parts.sandboxes.ensure_bridge(network)

    async def _mend_routes(self, network_id: NetworkId) -> None:
        network = self._parts.state.networks.get(network_id)
        if network is not None:
            await self._parts.kernel.call(ensure_routes, network)

    async def _mend_vips(self) -> None:
        self._parts.writer.inspect("the loss of service addresses")

    def _tell(self, drift: Drift) -> None:
        now = self._clock.steady()
        if now >= self._told.get(drift.what, 0.0):
            log.warning(
                "another program has changed hivelet's network; it is mended", found=drift.what
            )
        self._told = {what: until for what, until in self._told.items() if until > now}
        self._told[drift.what] = now + _REPEAT_AFTER


class _Rhythm:
    """Something that is due now, and then so many seconds after it was."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = 0.0

    def is_due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self._every
        return True


def _switches(parts: GuardParts) -> dict[str, str]:
    bridges = {sysctls.route_localnet(bridge_name(n)): "1" for n in parts.sandboxes.bridged()}
    host = sysctls.host_switches(ipv6=IPV6 in parts.nft.families)
    ipv6 = {
        sysctls.disable_ipv6(bridge_name(n)): "0" for n in parts.sandboxes.bridged() if n.subnet6
    }
    return host | bridges | ipv6
