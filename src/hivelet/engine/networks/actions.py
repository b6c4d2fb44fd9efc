"""What the API asks of this node's networks, and of its containers in networks of any scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import structlog

from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.networks.local import LocalNetwork, LocalNetworks
from hivelet.engine.registry import Registry
from hivelet.errors import HiveletError, NotFound
from hivelet.network.ipam import prefix_length
from hivelet.network.link_options import BRIDGE_NAME, MTU
from hivelet.network.names import bridge_name
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import SECOND, NetworkId, TaskId
from hivelet.objects.container import EndpointRequest
from hivelet.objects.defaults import DRAIN_IDLE
from hivelet.objects.engine import BackendTraffic, EndpointSettings, NetworkContainer, NodeNetwork
from hivelet.objects.network import IpamOptions, NetworkSpec

log = structlog.get_logger(__name__)


class NetworkActions:
    """The network side of the engine."""

    def __init__(
        self,
        networks: LocalNetworks,
        registry: Registry,
        plane: NetworkPlane,
        lifecycle: Lifecycle,
    ) -> None:
        self._life = lifecycle
        self._local = networks
        self._joined = registry
        self._data_plane = plane

    async def list_node_networks(self) -> Sequence[NodeNetwork]:
        """All networks of this node."""
        return [self._described(network) for network in self._local.list()]

    async def get_node_network(self, ref: str) -> NodeNetwork:
        """One network of this node."""
        network = self._local.find(ref)
        if network is None:
            raise NotFound(f"network {ref} not found")
        return self._described(network)

    async def network_containers(self, network_id: NetworkId) -> Mapping[str, NetworkContainer]:
        """This node's running containers in a network of any scope, by container id."""
        found: dict[str, NetworkContainer] = {}
        for record in self._joined.all():
            sandbox = self._data_plane.sandbox(record.id)
            leg = next((leg for leg in record.legs if leg.network.id == network_id), None)
            if not record.container.state.running:
                continue
            if sandbox is None or leg is None:
                for shown in record.container.networks.values():
                    if shown.network_id == network_id:
                        found[record.id] = NetworkContainer(
                            name=record.container.name, endpoint_id=shown.endpoint_id
                        )
                continue
            prefix = prefix_length(leg.network.subnet)
            address6 = sandbox.addresses6.get(network_id, "")
            settings = record.container.networks.get(leg.network.name, EndpointSettings())
            found[record.id] = NetworkContainer(
                name=record.container.name,
                endpoint_id=settings.endpoint_id,
                mac_address=sandbox.macs.get(network_id, ""),
                ipv4_address=f"{sandbox.addresses.get(network_id, '')}/{prefix}",
                ipv6_address=f"{address6}/{prefix_length(leg.network.subnet6)}" if address6 else "",
            )
        return found

    async def task_traffic(self, tasks: Collection[TaskId]) -> Mapping[TaskId, BackendTraffic]:
        """Those of the tasks that have a running container here, and their connections."""
        found: dict[TaskId, BackendTraffic] = {}
        for task_id in tasks:
            record = self._joined.of_task(task_id)
            if record is None or not record.container.state.running:
                continue
            traffic = await self._data_plane.traffic(task_id, DRAIN_IDLE / SECOND)
            found[task_id] = BackendTraffic(
                admitted=self._data_plane.is_admitted(task_id), busy=traffic.busy, idle=traffic.idle
            )
        return found

    async def create_node_network(self, spec: NetworkSpec) -> NetworkId:
        """Make a bridge network, in the database and in the kernel."""
        network = await self._local.create(spec)
        try:
            await self._data_plane.ensure_network(network.bridge)
        except BaseException:
            self._local.forget(network)
            await self._local.written()
            raise
        return network.id

    async def remove_node_network(self, ref: str) -> None:
        """Remove a network that no container uses."""
        network = self._local.find(ref)
        if network is None:
            raise NotFound(f"network {ref} not found")
        for record in self._joined.all():
            if not record.container.state.running and any(
                leg.network.id == network.id for leg in record.legs
            ):
                await self._life.settled(record.id)
        users = tuple((await self.network_containers(network.id)).keys())
        self._local.remove(ref, users)
        await self._local.written()
        await self._data_plane.remove_network(network.id)

    async def drop_forgotten_networks(self) -> None:
        """Take away what still stands of networks that are forgotten: a daemon may have died while it removed them."""
        for network in self._data_plane.networks().values():
            known = self._local.find(network.id) is not None
            if known or network.kind not in ("bridge", "gateway"):
                continue
            about = {"network.id": network.id, "network.name": network.name}
            try:
                await self._data_plane.remove_network(network.id)
                log.info("what still stood of a forgotten network is removed", **about)
            except HiveletError as error:
                log.error("a forgotten network can't be removed", error=error.message, **about)

    async def connect_network(self, ref: str, container: str, wish: EndpointRequest) -> None:
        """Join a container to a network of any scope, at once where it runs.

        Raises:
            Forbidden: it is in it already.
        """
        record = self._joined.find(container)
        await self._life.rejoin(record.id, lambda known: self._life.joins.connect(known, ref, wish))

    async def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        """Take a container out of a network; by force also means: one that is not there any more has left it."""
        try:
            record = self._joined.find(container)
        except NotFound:
            if force:
                raise NotFound(f"endpoint {container} not found") from None
            raise
        await self._life.rejoin(record.id, lambda known: self._life.joins.disconnect(known, ref))

    def _described(self, network: LocalNetwork) -> NodeNetwork:
        return NodeNetwork(
            id=network.id,
            name=network.name,
            created=network.created_at,
            driver=network.driver,
            enable_ipv6=bool(network.pool6.subnet),
            ipam=IpamOptions(configs=[p for p in (network.pool, network.pool6) if p.subnet]),
            internal=network.internal,
            attachable=network.attachable,
            options=_default_options(network) | network.options,
            labels=network.labels,
        )


def _default_options(network: LocalNetwork) -> dict[str, str]:
    """What Docker says of its own bridge, and scripts read there: the name of the link above all."""
    if network.name != "bridge":
        return {}
    bridge = network.bridge
    return {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": str(bridge.icc).lower(),
        "com.docker.network.bridge.enable_ip_masquerade": str(bridge.masquerade).lower(),
        "com.docker.network.bridge.host_binding_ipv4": bridge.host_binding or "0.0.0.0",
        BRIDGE_NAME: bridge_name(bridge),
        MTU: str(bridge.mtu),
    }
