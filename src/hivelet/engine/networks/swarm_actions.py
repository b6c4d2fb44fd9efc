"""What the agent asks of this node's networks: those that a swarm brings with it and takes away, and who is in which."""

from __future__ import annotations

import structlog

from hivelet.engine.networks.actions import NetworkActions
from hivelet.engine.networks.local import GATEWAY_BRIDGE
from hivelet.engine.registry import LegRecord
from hivelet.errors import HiveletError
from hivelet.objects.common import ContainerId, NetworkId

log = structlog.get_logger(__name__)


class SwarmNetworkActions(NetworkActions):
    """The network side of the engine, with its swarm's part."""

    async def ensure_gateway_bridge(self) -> None:
        """Have `docker_gwbridge`, as `swarm init` does."""
        known = self._local.find(GATEWAY_BRIDGE) is not None
        network = await self._local.ensure_gateway_bridge()
        try:
            await self._data_plane.ensure_network(network.bridge)
        except BaseException:
            if not known:
                self._local.forget(network)
            raise

    async def forget_gateway_bridge(self) -> None:
        """The swarm is left: `docker_gwbridge` goes, unless the user made it, or has a container in it."""
        network = self._local.find(GATEWAY_BRIDGE)
        if network is None or not network.automatic:
            return
        if not await self.network_containers(network.id):
            self._local.forget(network)
            await self._local.written()

    async def leave_cluster_networks(self) -> None:
        """The swarm is left: containers that were joined to its networks by hand run on without these."""
        for record in self._joined.all():
            kinds = {leg.network.id: leg.network.kind for leg in record.legs}
            for network_id, kind in kinds.items():
                if kind == "overlay" and not record.task_id:
                    await self.disconnect_network(network_id, record.id, force=True)

    async def default_leg(self) -> LegRecord:
        """A place in the network `bridge`."""
        return LegRecord(network=(await self._local.ensure_default_bridge()).bridge)

    def own_networks(self) -> set[NetworkId]:
        """The networks that are this node's, whether it is in a swarm or not."""
        return {network.id for network in self._local.list()}

    def attached_containers(self) -> list[ContainerId]:
        """The containers that have a place in the network, in the kernel."""
        return [r.id for r in self._joined.all() if self._data_plane.sandbox(r.id) is not None]

    def joined_networks(self) -> set[tuple[ContainerId, NetworkId]]:
        """In which networks each of these is."""
        return {
            (record.id, leg.network.id)
            for record in map(self._joined.get, self.attached_containers())
            if record is not None
            for leg in record.legs
        }

    async def restore_networks(self) -> None:
        """Make the bridges of this node's own networks again, after the network plane was torn down."""
        for network in self._local.list():
            if network.driver == "bridge" and network.pool.subnet:
                try:
                    await self._data_plane.ensure_network(network.bridge)
                except HiveletError as error:
                    # One network's fault stays its own: the others' containers have theirs.
                    log.error(
                        "a network is left out",
                        error=error.message,
                        **{"network.id": network.id, "network.name": network.name},
                    )
