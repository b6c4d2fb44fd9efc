"""Networks of the node."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hivelet.convert.lookup import find
from hivelet.kit.ids import new_hex_id
from hivelet.objects.common import NetworkId, TaskId
from hivelet.objects.engine import BackendTraffic, EndpointSettings, NetworkContainer, NodeNetwork
from hivelet.objects.network import NetworkSpec
from hivelet.testing.engine_backend.contents import Contents


class FakeNetworks(Contents):
    """Networks are noted, and nothing is joined to them."""

    async def list_node_networks(self) -> Sequence[NodeNetwork]:
        """All networks of the node."""
        return list(self.networks.values())

    async def get_node_network(self, ref: str) -> NodeNetwork:
        """One network of the node."""
        return find(ref, self.networks.values(), lambda n: (n.id, n.name), noun="network")

    async def network_containers(self, network_id: NetworkId) -> Mapping[str, NetworkContainer]:
        """What `attached` has."""
        return self.attached.get(network_id, {})

    async def task_traffic(self, tasks: Collection[TaskId]) -> Mapping[TaskId, BackendTraffic]:
        """What `traffic` has."""
        return {task: self.traffic[task] for task in tasks if task in self.traffic}

    async def create_node_network(self, spec: NetworkSpec) -> NetworkId:
        """Keep a network."""
        network = NodeNetwork(
            id=NetworkId(new_hex_id()),
            name=spec.name,
            created=self.moment,
            driver=spec.driver_configuration.name,
            options=spec.driver_configuration.options,
            labels=spec.annotations.labels,
        )
        self.networks[network.id] = network.replaced(ipam=spec.ipam or network.ipam)
        return network.id

    async def remove_node_network(self, ref: str) -> None:
        """Forget it."""
        del self.networks[(await self.get_node_network(ref)).id]

    async def connect_network(self, ref: str, container: str, settings: EndpointSettings) -> None:
        """Only remembered."""
        self.calls.append(("connect", ref, container, settings))

    async def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        """Only remembered."""
        self.calls.append(("disconnect", ref, container, force))
