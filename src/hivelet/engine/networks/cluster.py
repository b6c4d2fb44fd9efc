"""What the engine asks of the swarm: places in its attachable networks, for containers without a task.

Addresses of these networks are the allocator's to give; a place is held from before a container's start until after its
end. Outside of a swarm there are no such networks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from hivelet.errors import NotFound
from hivelet.objects.common import ContainerId, NetworkId
from hivelet.objects.network import Network


class ClusterNetworks(Protocol):
    """The networks of the swarm that this node is in."""

    async def find_network(self, ref: str) -> Network | None:
        """The network of the cluster that has this name or id; None where there is none."""
        ...

    async def attach(
        self, network_id: NetworkId, container_id: ContainerId, wanted: Sequence[str]
    ) -> Network:
        """Give a container a place in a network; the answer is the network with the place among its attachments.

        Idempotent. `wanted` are plain addresses that a user asked for.

        Raises:
            NotFound, Forbidden, Conflict: in Docker's words.
        """
        ...

    async def detach(
        self, container_id: ContainerId, networks: Collection[NetworkId] | None = None
    ) -> None:
        """Give back a container's places in these networks, or in all; none at all is no error."""
        ...


class NoClusterNetworks:
    """What there is until a swarm is known."""

    async def find_network(self, ref: str) -> Network | None:
        """There is none."""
        return None

    async def attach(
        self, network_id: NetworkId, container_id: ContainerId, wanted: Sequence[str]
    ) -> Network:
        """There is none to have a place in."""
        raise NotFound(f"network {network_id} not found")

    async def detach(
        self, container_id: ContainerId, networks: Collection[NetworkId] | None = None
    ) -> None:
        """There are no places."""


class ClusterDoor:
    """Where the engine finds the swarm, once there is one: the engine is there before it."""

    def __init__(self) -> None:
        self.networks: ClusterNetworks = NoClusterNetworks()
