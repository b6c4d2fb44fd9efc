"""What the API asks of the swarm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol

from hivelet.objects.cluster import Cluster, ClusterSpec
from hivelet.objects.common import (
    ConfigId,
    NetworkId,
    NodeId,
    SecretId,
    ServiceId,
)
from hivelet.objects.event import Event
from hivelet.objects.network import Network, NetworkSpec
from hivelet.objects.node import Node, NodeSpec
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.swarm import (
    ServiceCreated,
    ServiceUpdate,
    SwarmInit,
    SwarmJoin,
    SwarmRotation,
    SwarmStatus,
)
from hivelet.objects.task import Task


class ClusterBackend(Protocol):
    """The swarm as a whole, and its nodes."""

    async def status(self) -> SwarmStatus:
        """How this node stands to a swarm; never raises."""
        ...

    async def init_swarm(self, request: SwarmInit) -> NodeId:
        """Make this node the first manager of a new swarm (with `ingress` and `docker_gwbridge`)."""
        ...

    async def join_swarm(self, request: SwarmJoin) -> None:
        """Make this node a member of an existing swarm."""
        ...

    async def leave_swarm(self, *, force: bool) -> None:
        """Leave the swarm; the last manager only with `force`, and then all of the swarm's state is gone."""
        ...

    async def inspect_swarm(self) -> Cluster:
        """The cluster object."""
        ...

    async def update_swarm(self, version: int, spec: ClusterSpec, rotation: SwarmRotation) -> None:
        """Write the cluster's spec and make the named tokens or keys anew."""
        ...

    async def unlock_key(self) -> str:
        """The key that unlocks a locked manager; "" where autolock is off."""
        ...

    async def unlock_swarm(self, key: str) -> None:
        """Unlock this manager after a restart."""
        ...

    async def list_nodes(self) -> Sequence[Node]:
        """All nodes."""
        ...

    async def get_node(self, ref: str) -> Node:
        """One node; `ref` may be "self", and its hostname counts as its name."""
        ...

    async def update_node(self, ref: str, version: int, spec: NodeSpec) -> None:
        """Write a node's labels, role and availability."""
        ...

    async def remove_node(self, ref: str, *, force: bool) -> None:
        """Take a node out of the swarm."""
        ...

    def swarm_events(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
        """Events of services, nodes, secrets, configs and overlay networks.

        With `since`, remembered ones first; then new ones, until the moment `until` (at once where that is past).
        """
        ...


class ServicesBackend(Protocol):
    """Services and their tasks."""

    async def list_services(self) -> Sequence[Service]:
        """All services that are not being removed."""
        ...

    async def get_service(self, ref: str) -> Service:
        """One service."""
        ...

    async def create_service(self, spec: ServiceSpec, *, registry_auth: str = "") -> ServiceCreated:
        """Validate and store a new service; network names in the spec are resolved here."""
        ...

    async def update_service(
        self, ref: str, version: int, spec: ServiceSpec, update: ServiceUpdate
    ) -> Sequence[str]:
        """Write a service's spec; the answer is the warnings."""
        ...

    async def remove_service(self, ref: str) -> None:
        """Remove a service and, in time, its tasks."""
        ...

    async def list_tasks(self, services: Collection[ServiceId] | None = None) -> Sequence[Task]:
        """All tasks, or those of some services."""
        ...

    async def get_task(self, ref: str) -> Task:
        """One task."""
        ...

    async def up_to_date(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Those of `tasks` that match their service's present spec (the filter `_up-to-date`)."""
        ...

    def watch_tasks(self, services: Collection[ServiceId]) -> AsyncIterator[Task]:
        """Each task of these services as it is now, then again whenever its status changes."""
        ...


class ClusterFilesBackend(Protocol):
    """Secrets and configs."""

    async def list_secrets(self) -> Sequence[Secret]:
        """All secrets; `data` may be left empty."""
        ...

    async def get_secret(self, ref: str) -> Secret:
        """One secret; `data` may be left empty."""
        ...

    async def create_secret(self, spec: SecretSpec) -> SecretId:
        """Store a new secret."""
        ...

    async def update_secret(self, ref: str, version: int, spec: SecretSpec) -> None:
        """Write a secret's labels, the only part that may change."""
        ...

    async def remove_secret(self, ref: str) -> None:
        """Remove a secret that no service uses."""
        ...

    async def list_configs(self) -> Sequence[Config]:
        """All configs."""
        ...

    async def get_config(self, ref: str) -> Config:
        """One config."""
        ...

    async def create_config(self, spec: ConfigSpec) -> ConfigId:
        """Store a new config."""
        ...

    async def update_config(self, ref: str, version: int, spec: ConfigSpec) -> None:
        """Write a config's labels, the only part that may change."""
        ...

    async def remove_config(self, ref: str) -> None:
        """Remove a config that no service uses."""
        ...


class ClusterNetworksBackend(Protocol):
    """Networks of scope swarm: overlay networks and `ingress`."""

    async def list_networks(self) -> Sequence[Network]:
        """All networks of the cluster."""
        ...

    async def get_network(self, ref: str) -> Network:
        """One network of the cluster."""
        ...

    async def create_network(self, spec: NetworkSpec) -> NetworkId:
        """Store a new network; its addresses come later, from the allocator."""
        ...

    async def remove_network(self, ref: str) -> None:
        """Remove a network that nothing uses."""
        ...


class SwarmBackend(
    ClusterBackend, ServicesBackend, ClusterFilesBackend, ClusterNetworksBackend, Protocol
):
    """All that the API asks of the swarm; `hivelet.manager.controlapi` is behind it."""
