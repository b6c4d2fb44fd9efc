"""Which networks a plain container is in, of this node's and of the swarm's: at its creation, its start, and while it runs.

What always holds: a place in a network of the swarm is asked for before the container has a link there, and given back
after its last. Whoever connects or disconnects a container holds its lock (`Lifecycle.rejoin`).
"""

from __future__ import annotations

from hivelet.engine.networks.cluster import ClusterDoor
from hivelet.engine.networks.local import LocalNetwork, LocalNetworks
from hivelet.engine.plain.legs import (
    Candidate,
    asked_networks,
    build_leg,
    check_other_network,
)
from hivelet.engine.registry import LegRecord, Record
from hivelet.errors import Forbidden, HiveletError, InvalidParameter, NotFound, System
from hivelet.network.ipam import is_ipv6
from hivelet.network.overlay import bridge_of
from hivelet.objects.common import ContainerId, NetworkId
from hivelet.objects.container import ContainerCreate, EndpointRequest, HostConfig
from hivelet.objects.network import Network

_WAYS_OUT = ("bridge", "gateway", "ingress")


class Joins:
    """Finds networks, and changes the legs of records. The kernel follows by `Provision`."""

    def __init__(self, local: LocalNetworks, cluster: ClusterDoor) -> None:
        self._local = local
        self._cluster = cluster

    async def legs(self, given: ContainerCreate, host: HostConfig) -> tuple[LegRecord, ...]:
        """The places that a new container asks for.

        Raises:
            InvalidParameter: a network is not there, or cannot give what is asked of it.
        """
        wishes = asked_networks(
            host.network_mode, given.networking_config.endpoints_config, given.mac_address
        )
        legs: dict[NetworkId, LegRecord] = {}
        for name, wish in wishes.items():
            try:
                candidate = await self._find(name)
            except NotFound as error:
                # Not Docker's 404: its CLI takes that for a missing image, and pulls.
                raise InvalidParameter(error.message) from None
            if candidate is None:
                check_other_network(host.network_mode, name)
                raise InvalidParameter(f"container cannot be connected to network {name}")
            legs[candidate.network.id] = build_leg(candidate, wish)
        return tuple(legs.values())

    async def enter(self, record: Record) -> Record:
        """The record with its networks as they are now, and its places in those of the swarm.

        Raises:
            NotFound: a network is gone.
            HiveletError: the swarm refuses.
        """
        legs = [await self._entered(record.id, leg) for leg in record.legs]
        return record.replaced(legs=await self.with_way_out(legs))

    async def connect(self, record: Record, ref: str, wish: EndpointRequest) -> Record:
        """The record with a place in one more network.

        Raises:
            Forbidden: it is in it already.
        """
        candidate = await self._find(ref)
        name = candidate.network.name if candidate is not None else self._named(ref)
        check_other_network(record.container.host_config.network_mode, name)
        assert candidate is not None  # host and none are refused
        leg = build_leg(candidate, wish)
        running = record.container.state.running
        if running and any(each.network.id == leg.network.id for each in record.legs):
            raise Forbidden(
                f"endpoint with name {record.container.name} already exists in network {name}"
            )
        legs = [each for each in record.legs if each.network.id != leg.network.id]
        if running:
            leg = await self._entered(record.id, leg)
        return record.replaced(legs=await self.with_way_out([*legs, leg]))

    async def disconnect(self, record: Record, ref: str) -> Record:
        """The record without its place in a network.

        Raises:
            System: it has none, in Docker's category.
        """
        mode = record.container.host_config.network_mode
        name = self._named(ref)
        if name == "host" or mode == "host":
            check_other_network(mode, "host")
        gone = [leg for leg in record.legs if ref in (leg.network.id, leg.network.name)]
        if not gone:
            the = "" if record.container.state.running else "the "
            raise System(f"container {record.id} is not connected to {the}network {name}")
        legs = [leg for leg in record.legs if leg not in gone]
        return record.replaced(legs=await self.with_way_out(legs))

    async def left(self, before: Record, after: Record) -> None:
        """Give back the places that a container no longer has."""
        kept = {leg.network.id for leg in after.legs}
        gone = [
            leg.network.id
            for leg in before.legs
            if leg.network.kind == "overlay" and leg.network.id not in kept
        ]
        if gone:
            await self._cluster.networks.detach(before.id, gone)

    async def leave_all(self, record: Record) -> None:
        """Its last link is gone: give back all places."""
        if any(leg.network.kind == "overlay" for leg in record.legs):
            await self._cluster.networks.detach(record.id)

    async def with_way_out(self, legs: list[LegRecord]) -> list[LegRecord]:
        """The legs with `docker_gwbridge` where there is no other way out of the swarm's networks, else without it."""
        own = [leg for leg in legs if leg.shown]
        if any(leg.network.kind in _WAYS_OUT and not leg.network.internal for leg in own):
            return own
        if all(leg.network.internal or leg.network.kind != "overlay" for leg in own):
            return own
        gateway = await self._local.ensure_gateway_bridge()
        return [*own, LegRecord(network=gateway.bridge)]

    def predefined(self, mode: str) -> NetworkId:
        """The id of the network that a container without a network of its own is shown in."""
        network = self._local.find(mode)
        return network.id if network is not None else NetworkId("")

    async def _entered(self, container_id: ContainerId, leg: LegRecord) -> LegRecord:
        network = leg.network
        if not leg.named:
            return leg
        if network.kind in ("bridge", "gateway"):
            known = self._local.find(network.id)
            if known is None:
                raise NotFound(f"network {network.id} not found")
            return leg.replaced(network=known.bridge)
        wanted = [a for a in (leg.asked.ipv4_address, leg.asked.ipv6_address) if a]
        try:
            found = await self._cluster.networks.attach(network.id, container_id, wanted)
        except HiveletError as error:
            raise System(f"Could not attach to network {network.name}: {error.message}") from error
        given = next(p.addresses for p in found.attachments if p.container_id == container_id)
        return leg.replaced(
            network=bridge_of(found),
            address=next((a for a in given if not is_ipv6(a)), ""),
            address6=next((a for a in given if is_ipv6(a)), ""),
        )

    async def _find(self, ref: str) -> Candidate | None:
        """A network that containers can join; None where it is none of those (`host`, `none`).

        Raises:
            NotFound: there is no such network.
        """
        local = self._local.find(ref)
        if local is not None:
            return await self._local_candidate(local)
        network = await self._cluster.networks.find_network(ref)
        if network is None:
            raise NotFound(f"network {ref} not found")
        return Candidate(network=bridge_of(network), given_subnet=_has_given_subnet(network))

    async def _local_candidate(self, network: LocalNetwork) -> Candidate | None:
        if network.driver != "bridge":
            return None
        if network.name == "bridge":
            network = await self._local.ensure_default_bridge()
        return Candidate(
            network=network.bridge,
            given_subnet=not network.chosen,
            default=network.name == "bridge",
        )

    def _named(self, ref: str) -> str:
        network = self._local.find(ref)
        return network.name if network is not None else ref


def _has_given_subnet(network: Network) -> bool:
    configs = network.spec.ipam.configs if network.spec.ipam is not None else []
    return any(config.subnet for config in configs)
