"""What the API asks of this node: its containers and images, networks and volumes, and the node itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hivelet.api.backend.containers import (
    ContainersBackend,
    ExecsBackend,
    FilesBackend,
    PlainBackend,
)
from hivelet.api.backend.images import BuildsBackend, ImagesBackend
from hivelet.objects.common import (
    NetworkId,
    TaskId,
)
from hivelet.objects.container import EndpointRequest
from hivelet.objects.engine import (
    BackendTraffic,
    DiskUsage,
    EngineInfo,
    EngineVersion,
    NetworkContainer,
    NodeNetwork,
)
from hivelet.objects.event import Event
from hivelet.objects.network import NetworkSpec
from hivelet.objects.volume import Volume, VolumeRequest


class NodeNetworksBackend(Protocol):
    """Networks of scope local, and this node's containers in networks of any scope."""

    async def list_node_networks(self) -> Sequence[NodeNetwork]:
        """All networks of this node."""
        ...

    async def get_node_network(self, ref: str) -> NodeNetwork:
        """One network of this node."""
        ...

    async def network_containers(self, network_id: NetworkId) -> Mapping[str, NetworkContainer]:
        """This node's containers in a network of any scope, by container id."""
        ...

    async def task_traffic(self, tasks: Collection[TaskId]) -> Mapping[TaskId, BackendTraffic]:
        """Those of the tasks that have a running container on this node, as the balancer sees them."""
        ...

    async def create_node_network(self, spec: NetworkSpec) -> NetworkId:
        """Make a network of scope local (drivers: bridge)."""
        ...

    async def remove_node_network(self, ref: str) -> None:
        """Remove a network that no container uses."""
        ...

    async def connect_network(self, ref: str, container: str, wish: EndpointRequest) -> None:
        """Join a container to a network of any scope."""
        ...

    async def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        """Take a container out of a network."""
        ...


class VolumesBackend(Protocol):
    """The volumes of this node."""

    async def list_volumes(self) -> Sequence[Volume]:
        """All volumes."""
        ...

    async def get_volume(self, name: str) -> Volume:
        """One volume, by its exact name."""
        ...

    async def create_volume(self, request: VolumeRequest) -> Volume:
        """The volume of that name, made where it is not there."""
        ...

    async def remove_volume(self, name: str, *, force: bool) -> None:
        """Remove a volume that no container uses; with `force`, one that is not there is no error."""
        ...

    async def prune_volumes(self, names: Sequence[str]) -> tuple[Sequence[str], int]:
        """Remove those of `names` that no container uses; the answer is their names and the bytes set free."""
        ...


class EngineBackend(
    ContainersBackend,
    PlainBackend,
    FilesBackend,
    ExecsBackend,
    ImagesBackend,
    BuildsBackend,
    NodeNetworksBackend,
    VolumesBackend,
    Protocol,
):
    """All that the API asks of this node; `hivelet.engine` is behind it."""

    async def version(self) -> EngineVersion:
        """The engine's version and those of its parts."""
        ...

    async def info(self) -> EngineInfo:
        """The node, save its swarm part."""
        ...

    async def disk_usage(self) -> DiskUsage:
        """What is on the disk, with sizes."""
        ...

    def note_prune(self, kind: str, reclaimed: int) -> None:
        """Tell who listens to events that unused objects of a kind were removed, which gave so many bytes back."""
        ...

    def engine_events(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
        """Events of scope local.

        With `since`, remembered ones first; then new ones, until the moment `until` (at once where that is past).
        """
        ...
