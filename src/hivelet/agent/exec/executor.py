"""The real executor of a node: describes it, carries the cluster's networks, and makes a controller for each task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from weakref import WeakValueDictionary

import structlog

from hivelet.agent.exec.adapter import ContainerController, NodeParts
from hivelet.errors import HiveletError, InvalidParameter
from hivelet.network.overlay import bridge_of
from hivelet.objects.common import ConfigId, NetworkId, NodeId, SecretId, ServiceId, TaskId
from hivelet.objects.endpoint import BridgeNetwork, ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import Task

log = structlog.get_logger(__name__)


class NodeExecutor:
    """Runs this node's tasks as containers."""

    def __init__(self, parts: NodeParts) -> None:
        self.parts = parts
        self._node = Node(id=NodeId(""))
        self._networks: dict[NetworkId, BridgeNetwork] = {}
        self._faults: dict[NetworkId, str] = {}
        self._controllers: WeakValueDictionary[TaskId, ContainerController] = WeakValueDictionary()
        parts.engine.before_stop = self._let_leave

    async def describe(self) -> NodeDescription:
        """The node's platform, resources and engine."""
        return await self.parts.engine.describe()

    async def configure(self, node: Node) -> None:
        """Remember the node object, which containers' labels name."""
        self._node = node

    async def configure_networks(
        self, networks: Mapping[NetworkId, Network], services: Mapping[ServiceId, ServiceEntry]
    ) -> None:
        """Bring the network plane to these networks and services.

        A network that cannot be built here is its own tasks' fault, which are told so, and nobody else's.
        """
        before = self._faults
        self._networks, self._faults = build_networks(networks)
        for network_id, fault in self._faults.items():
            if before.get(network_id) != fault:
                log.error("a network cannot be built", fault=fault)
        await self.drop_networks()
        self.parts.plane.set_services(services)

    async def drop_networks(self) -> None:
        """Remove the cluster's networks that are no longer wanted here and that no container has a leg in.

        A task is forgotten by the cluster before its container is gone, so this is asked again after each removal.
        """
        records = self.parts.engine.registry.all()
        placed = [r for r in records if r.task_id or self.parts.plane.sandbox(r.id) is not None]
        used = {leg.network.id for record in placed for leg in record.legs}
        for network in self.parts.plane.networks().values():
            left = network.kind in ("overlay", "ingress") and network.id not in self._networks
            if left and network.id not in used:
                await self.parts.plane.remove_network(network.id)

    async def configure_dependencies(
        self, secrets: Mapping[SecretId, Secret], configs: Mapping[ConfigId, Config]
    ) -> None:
        """Hand this node's secrets and configs to the engine, which keeps them in memory."""
        self.parts.engine.set_dependencies(secrets, configs)

    def network(self, network_id: NetworkId) -> BridgeNetwork | None:
        """A network of the cluster as this node builds it, if the node may have it.

        Raises:
            InvalidParameter: it cannot be built.
        """
        if fault := self._faults.get(network_id):
            raise InvalidParameter(fault)
        return self._networks.get(network_id)

    def controller(self, task: Task) -> ContainerController:
        """A controller for `task`."""
        made = ContainerController(task, self._node, self)
        self._controllers[task.id] = made
        return made

    async def known_tasks(self) -> Collection[TaskId]:
        """Every task that has a container here, in whatever state."""
        return {record.task_id for record in self.parts.engine.registry.all() if record.task_id}

    async def discard(self, task_id: TaskId) -> None:
        """Stop and remove the container of a task that the cluster no longer knows, at once."""
        await self.parts.plane.withdraw(task_id)
        record = self.parts.engine.registry.of_task(task_id)
        if record is not None:
            await self.parts.engine.lifecycle.remove(record.id, force=True, volumes=True)
            await self.drop_networks()

    async def _let_leave(self, task_id: TaskId) -> None:
        """A user stops a task's container by hand: its connections end as if the cluster had."""
        if (controller := self._controllers.get(task_id)) is not None:
            await controller.leave()

    async def resume(self) -> None:
        """All that ran before has been adopted: let the network plane write its rules again."""
        await self.parts.plane.resume()


def build_networks(
    networks: Mapping[NetworkId, Network],
) -> tuple[dict[NetworkId, BridgeNetwork], dict[NetworkId, str]]:
    """The networks of the cluster that this node can build, and what is wrong with the others."""
    built: dict[NetworkId, BridgeNetwork] = {}
    faults: dict[NetworkId, str] = {}
    for key, network in networks.items():
        try:
            built[key] = bridge_of(network)
        except (HiveletError, ValueError) as error:
            faults[key] = f"network {network.spec.name}: {error}"
    return built, faults
