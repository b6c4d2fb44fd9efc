"""What the API asks of the swarm and of the node's engine: the two doors behind every route.

`SwarmBackend` is the cluster's (services, tasks, nodes, secrets, configs, overlay networks), `EngineBackend` this
node's (containers, images, volumes, networks of scope local). Rules that hold for both:

* `ref` is an id, a name or a unique prefix of an id, in that order; nothing found raises `NotFound`, more than one
  match `InvalidParameter`, both in Docker's words.
* On a node that is not in a swarm, every method of `SwarmBackend` but `status`, `init_swarm`, `join_swarm`,
  `unlock_swarm` and `swarm_events` raises `NotASwarmManager`; `networks` and events are merged by the API.
* Lists are whole and in the order of creation; filtering and sorting for an answer are `hivelet.convert`'s.
* A method that returns an `AsyncIterator` does nothing before the first step, and ends its work when it is closed.
* `version` is the number the client read the object at; any other current number raises `OutOfSequence`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hivelet.objects.build import BuildProgress, BuildPrune, BuildPruneRequest, BuildRequest
from hivelet.objects.cluster import Cluster, ClusterSpec
from hivelet.objects.common import (
    ConfigId,
    ContainerId,
    NetworkId,
    NodeId,
    SecretId,
    ServiceId,
    TaskId,
)
from hivelet.objects.container import ContainerCreate, EndpointRequest, HostConfig
from hivelet.objects.engine import (
    BackendTraffic,
    Container,
    ContainerStats,
    DiskUsage,
    EngineInfo,
    EngineVersion,
    ExitResult,
    NetworkContainer,
    NodeNetwork,
    ProcessTable,
)
from hivelet.objects.event import Event
from hivelet.objects.exec import Exec, ExecConfig, ExecStart
from hivelet.objects.files import CommitRequest, FileChange, PathStat
from hivelet.objects.image import (
    Image,
    ImageHistory,
    ImageImport,
    ImageProgress,
    ImagePrune,
    ImageRemoval,
    RegistryAuth,
    RegistryImage,
)
from hivelet.objects.log import LogOptions, LogRecord
from hivelet.objects.network import Network, NetworkSpec
from hivelet.objects.node import Node, NodeSpec
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.streams import AttachWish
from hivelet.objects.swarm import (
    ServiceCreated,
    ServiceUpdate,
    SwarmInit,
    SwarmJoin,
    SwarmRotation,
    SwarmStatus,
)
from hivelet.objects.task import Task
from hivelet.objects.volume import Volume, VolumeRequest


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


class ContainersBackend(Protocol):
    """The containers of this node."""

    async def list_containers(self, *, size: bool = False) -> Sequence[Container]:
        """All containers, whatever their state; `size` fills in the sizes."""
        ...

    async def get_container(self, ref: str, *, size: bool = False) -> Container:
        """One container."""
        ...

    async def start_container(self, ref: str) -> bool:
        """Start it; False where it was running already."""
        ...

    async def stop_container(self, ref: str, *, timeout: int | None, signal: str = "") -> bool:
        """Stop it; `timeout` in seconds before SIGKILL (None: its own, -1: for ever). False if it was not running."""
        ...

    async def restart_container(self, ref: str, *, timeout: int | None, signal: str = "") -> None:
        """Stop and start it."""
        ...

    async def kill_container(self, ref: str, signal: str) -> None:
        """Send its first process a signal ("SIGKILL", "KILL" or "9")."""
        ...

    async def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Remove it, a running one only with `force`; `volumes` takes its anonymous volumes along."""
        ...

    def wait_container(self, ref: str, condition: str) -> AsyncIterator[ExitResult | None]:
        """Two steps: None once the wait is in place, then how it ended.

        `condition` is "not-running", "next-exit" or "removed". The first step lets the API answer its headers before
        the container is started, as clients rely on.
        """
        ...

    def container_logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogRecord]:
        """Its log; with `follow`, on until it is stopped."""
        ...

    def container_log_batches(
        self, ref: str, options: LogOptions
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """The same, as many records at a time as there are."""
        ...

    async def container_top(self, ref: str, ps_args: str) -> ProcessTable:
        """Its processes, as `ps` with these arguments shows them."""
        ...

    def container_stats(self, ref: str, *, stream: bool) -> AsyncIterator[ContainerStats]:
        """Its counters: once, or every second."""
        ...

    async def prune_containers(self, refs: Sequence[str]) -> tuple[Sequence[ContainerId], int]:
        """Remove those of `refs` that do not run; the answer is their ids and the bytes set free."""
        ...


class PlainBackend(Protocol):
    """Plain containers: made by hand, and what is done to any container by hand."""

    async def create_container(
        self, name: str, given: ContainerCreate
    ) -> tuple[ContainerId, list[str]]:
        """Make one of an image that is here ("" lets the engine choose a name); its id, and warnings."""
        ...

    async def attach_container(self, ref: str, wish: AttachWish) -> AttachedStreams:
        """Its streams, from now on or from its start on."""
        ...

    async def resize_container(self, ref: str, height: int, width: int) -> None:
        """Set the size of its terminal."""
        ...

    async def pause_container(self, ref: str) -> None:
        """Freeze all of its processes."""
        ...

    async def unpause_container(self, ref: str) -> None:
        """Let it go on."""
        ...

    async def rename_container(self, ref: str, name: str) -> None:
        """Give it another name."""
        ...

    async def update_container(
        self, ref: str, given: HostConfig, named: frozenset[str]
    ) -> list[str]:
        """Set those limits of `given` that are `named`; warnings."""
        ...


class FilesBackend(Protocol):
    """Files of this node's containers."""

    async def stat_path(self, ref: str, path: str) -> PathStat:
        """What is at a path; `NotFound` where there is nothing."""
        ...

    def read_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        """What is at a path, as a tar."""
        ...

    async def write_archive(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool,
        as_user: bool,
    ) -> None:
        """Unpack a tar into a directory: no directory becomes a file (`keep_kinds`), all is the user's (`as_user`)."""
        ...

    async def list_changes(self, ref: str) -> Sequence[FileChange]:
        """What a container has changed in its file system."""
        ...

    def export_container(self, ref: str) -> AsyncIterator[bytes]:
        """A container's file system without its volumes, as a tar."""
        ...

    async def commit_container(self, request: CommitRequest) -> str:
        """Make an image of a container; its id."""
        ...


class AttachedStreams(Protocol):
    """The streams of a process that a client is attached to. Nothing is kept: who does not read holds the process up."""

    tty: bool
    takes_input: bool

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What it writes: the stream's number and bytes, until it ends."""
        ...

    async def write(self, data: bytes) -> bool:
        """Give it input; False where it takes no more."""
        ...

    def close_input(self) -> None:
        """There is no more input."""
        ...

    def detached(self) -> None:
        """The user has left by the detach keys."""
        ...

    def close(self) -> None:
        """The end of it, however it came."""
        ...


class ExecsBackend(Protocol):
    """Further processes in this node's containers."""

    async def create_exec(self, ref: str, config: ExecConfig) -> str:
        """Note a further process for a running container; the answer is its id."""
        ...

    async def get_exec(self, exec_id: str) -> Exec:
        """What has become of it, by its exact id."""
        ...

    async def check_exec(self, exec_id: str) -> None:
        """Refuse one that can't be started: it was before, or its container does not run."""
        ...

    async def start_exec(self, exec_id: str, start: ExecStart) -> AttachedStreams | None:
        """Start it; its streams, unless nobody attaches."""
        ...

    async def resize_exec(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal."""
        ...


class ImagesBackend(Protocol):
    """The images of this node, and what registries say."""

    async def list_images(self) -> Sequence[Image]:
        """All images."""
        ...

    async def get_image(self, ref: str) -> Image:
        """One image, by name, id or digest."""
        ...

    async def image_history(self, ref: str) -> Sequence[ImageHistory]:
        """How it was made, newest step first."""
        ...

    def pull_image(
        self, reference: str, *, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Fetch an image from its registry."""
        ...

    def push_image(
        self, name: str, tag: str, auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Carry an image to its registry; without `tag` all tags of the repository."""
        ...

    async def import_image(self, archive: AsyncIterator[bytes], request: ImageImport) -> str:
        """Make an image of a root file system's tar; the answer is its id."""
        ...

    def load_images(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Take in a docker-archive or OCI archive; the answers are the tags or ids that were loaded."""
        ...

    def save_images(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """A docker-archive of these images."""
        ...

    async def tag_image(self, ref: str, target: str) -> None:
        """Give an image another name (`repository:tag`)."""
        ...

    async def remove_image(self, ref: str, *, force: bool, prune: bool) -> Sequence[ImageRemoval]:
        """Take a name away, and the image with the last; `prune` takes parents without a name along."""
        ...

    async def prune_images(self, refs: Sequence[str]) -> ImagePrune:
        """Remove those of `refs` that no container uses."""
        ...

    async def registry_image(
        self, reference: str, auth: RegistryAuth | None = None
    ) -> RegistryImage:
        """What the registry says of an image; `Unavailable` or `System` where it can't be asked."""
        ...

    async def authenticate(self, auth: RegistryAuth) -> str:
        """Check credentials against their registry; the answer is an identity token or ""."""
        ...


class BuildsBackend(Protocol):
    """Images built on this node."""

    def build_image(
        self, context: AsyncIterator[bytes], request: BuildRequest
    ) -> AsyncIterator[BuildProgress]:
        """Build an image of a tar; the first step is empty: what was asked for can be done."""
        ...

    async def prune_build_cache(self, rule: BuildPruneRequest) -> BuildPrune:
        """Remove steps that later builds would not have to take again."""
        ...


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

    def engine_events(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
        """Events of scope local.

        With `since`, remembered ones first; then new ones, until the moment `until` (at once where that is past).
        """
        ...
