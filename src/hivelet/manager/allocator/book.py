"""The allocator's memory: which addresses of which network are taken, and by whom. Pure data, derived from the store.

It is built from all objects at the start and follows every event since; so it can be thrown away at any time. An address is
held by a service while its endpoint says so, and by a task until that is down. The pools' cursors see to it that a freed
address is not given again at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.errors import HiveletError
from hivelet.network.ipam import AddressPool, is_ipv6, prefix_length
from hivelet.network.pools import given_pools
from hivelet.objects.common import NetworkId
from hivelet.objects.network import Network, NodeAttachment
from hivelet.objects.plan import Object
from hivelet.objects.service import Service
from hivelet.objects.task import Task

Holding = tuple[NetworkId, str]

PREDEFINED = frozenset({"host", "bridge", "none"})
"""Networks of each node itself; a task can be in them, and has no address there that the manager would know."""


class AddressBook:
    """Pools by network (IPv4 first, IPv6 where the network has it), and what each task and service holds."""

    def __init__(self) -> None:
        self._pools: dict[NetworkId, tuple[AddressPool, ...]] = {}
        self._held: dict[str, frozenset[Holding]] = {}
        self._places: dict[NetworkId, set[str]] = {}
        self._early: dict[NetworkId, set[str]] = {}
        self.troubles: dict[NetworkId, str] = {}
        """Why a network has no subnet yet, in words for the user."""

    def observe(self, obj: Object, *, removed: bool = False) -> None:
        """Follow an object's change."""
        match obj:
            case Network():
                self._observe_network(obj, removed=removed)
            case Service():
                self._hold(obj.id, () if removed else _held_by_service(obj))
            case Task():
                self._hold(obj.id, () if removed else _held_by_task(obj))
            case _:
                pass

    def ready(self, network_id: NetworkId) -> bool:
        """Whether the network can give addresses."""
        return network_id in PREDEFINED or network_id in self._pools

    def give(self, network_id: NetworkId, holder: str, *, wanted: Iterable[str] = ()) -> list[str]:
        """A free address of each family that the network has, IPv4 first, in CIDR notation; the one `wanted` where there is one.

        They are the holder's from now on, until its object says otherwise.

        Raises:
            Conflict: none is left, or the one that is wanted is taken.
            InvalidParameter: it is not of the network.
        """
        asked = {is_ipv6(address): address for address in wanted}
        pools = self._pools[network_id]
        try:
            return [self._take(p, network_id, holder, asked.get(is_ipv6(p.subnet))) for p in pools]
        except HiveletError:
            self.take_back(holder)
            raise

    def give_missing(
        self, network_id: NetworkId, holder: str, present: Iterable[str], *, ipv6: bool
    ) -> list[str]:
        """The addresses `present`, and one of each family that is not among them; IPv6 only where it is wanted."""
        have = {is_ipv6(address): address for address in present}
        return [
            have.get(kind) or self._take(pool, network_id, holder)
            for pool in self._pools[network_id]
            if (kind := is_ipv6(pool.subnet)) is False or ipv6
        ]

    def _take(
        self, pool: AddressPool, network_id: NetworkId, holder: str, wanted: str | None = None
    ) -> str:
        address = f"{pool.allocate(wanted)}/{prefix_length(pool.subnet)}"
        self._held[holder] = self._held.get(holder, frozenset()) | {(network_id, address)}
        return address

    def take_back(self, holder: str) -> None:
        """Undo every `give` to a holder that nothing came of."""
        self._hold(holder, ())

    def _observe_network(self, network: Network, *, removed: bool) -> None:
        self._follow_pools(network, removed=removed)
        places = {} if removed else {holder_of(network.id, p): p for p in network.attachments}
        for holder in self._places.pop(network.id, set()) - places.keys():
            self._hold(holder, ())
        if places:
            self._places[network.id] = set(places)
        for holder, place in places.items():
            if place.addresses:
                self._hold(holder, ((network.id, address) for address in place.addresses))

    def _follow_pools(self, network: Network, *, removed: bool) -> None:
        if removed:
            self._pools.pop(network.id, None)
            self.troubles.pop(network.id, None)
            return
        if network.ipam is None or network.id in self._pools or not network.ipam.configs:
            return
        pools = []
        for config in given_pools(network.ipam.configs):
            if not config.subnet:
                continue
            pool = AddressPool(
                config.subnet, ip_range=config.ip_range, name=network.spec.annotations.name
            )
            for address in (config.gateway, *config.auxiliary_addresses.values()):
                if address:
                    pool.reserve(address)
            pools.append(pool)
        self._pools[network.id] = tuple(pools)
        # Objects may be seen before their network.
        for address in self._early.pop(network.id, ()):
            if (found := self._pool_of(network.id, address)) is not None:
                found.reserve(_plain(address))
        self.troubles.pop(network.id, None)

    def _pool_of(self, network_id: NetworkId, address: str) -> AddressPool | None:
        pools = self._pools.get(network_id, ())
        return next((p for p in pools if is_ipv6(p.subnet) is is_ipv6(address)), None)

    def _hold(self, holder: str, holdings: Iterable[Holding]) -> None:
        after = frozenset(holdings)
        before = self._held.get(holder, frozenset())
        if after == before:
            return
        for network_id, address in before - after:
            if (pool := self._pool_of(network_id, address)) is not None:
                pool.release(_plain(address))
        for network_id, address in after - before:
            if (pool := self._pool_of(network_id, address)) is not None:
                pool.reserve(_plain(address))
            elif network_id not in self._pools:
                self._early.setdefault(network_id, set()).add(address)
        if after:
            self._held[holder] = after
        else:
            del self._held[holder]


def _held_by_service(service: Service) -> Iterable[Holding]:
    if service.endpoint is None:
        return ()
    return ((vip.network_id, vip.addr) for vip in service.endpoint.virtual_ips if vip.addr)


def _held_by_task(task: Task) -> Iterable[Holding]:
    if task.status.state.terminal:
        return ()
    return ((a.network_id, address) for a in task.networks for address in a.addresses)


def holder_of(network_id: NetworkId, place: NodeAttachment) -> str:
    """Under which name the book knows a container that was joined by hand."""
    return f"{network_id}/{place.container_id}"


def _plain(address: str) -> str:
    return address.partition("/")[0]


def ingress_of(networks: Iterable[Network]) -> Network | None:
    """The network that published ports go through."""
    return next((n for n in networks if n.spec.ingress and not n.pending_delete), None)
