"""The engine of one node: all its sides under one roof, started and stopped together.

`Engine` answers what the API asks (`hivelet.api.backend.EngineBackend`) and what the agent asks (`create`, `wait_exit`,
`addresses`…). The sides are classes of their own; nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from hivelet.engine.build.actions import BuildActions, BuildParts
from hivelet.engine.build.network import BuildNetworks
from hivelet.engine.containers import ContainerActions
from hivelet.engine.create import CreateContainer
from hivelet.engine.database import Database
from hivelet.engine.dependencies.files import DependencyFiles
from hivelet.engine.dependencies.known import Dependencies, FileReference
from hivelet.engine.events import EventBus
from hivelet.engine.execs.actions import ExecActions, Execs
from hivelet.engine.execs.further import FurtherProcesses
from hivelet.engine.files.actions import FileActions
from hivelet.engine.images import ImageActions
from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.networks.cluster import ClusterDoor
from hivelet.engine.networks.local import LocalNetworks
from hivelet.engine.networks.swarm_actions import SwarmNetworkActions
from hivelet.engine.overview import OverviewActions, OverviewParts
from hivelet.engine.plain.actions import PlainActions
from hivelet.engine.plain.restarts import Restarts
from hivelet.engine.plain.shared_memory import SharedMemory
from hivelet.engine.provision import LifecycleParts
from hivelet.engine.registry import Record, Registry
from hivelet.engine.storage import Storage
from hivelet.engine.volumes.actions import VolumeActions, volume_size
from hivelet.engine.volumes.local import Volumes
from hivelet.engine.volumes.subpaths import Subpaths
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.network.listeners import OpenPorts
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import ConfigId, ContainerId, NetworkId, SecretId
from hivelet.objects.container import ContainerState
from hivelet.objects.engine import DiskUsage
from hivelet.objects.event import Event
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import GenericResource
from hivelet.runtime.build.commands import StoragePlace
from hivelet.runtime.build.storage import BuildStorage
from hivelet.runtime.cgroupfs import read_cgroup_tree
from hivelet.runtime.commands import OciRuntime
from hivelet.runtime.conmon.runtime import ConmonRuntime
from hivelet.runtime.host import read_host_facts
from hivelet.runtime.images.arrival import SILENCE
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.snapshots import Snapshots
from hivelet.runtime.images.store import ImageStore
from hivelet.runtime.oci import release_leftover_controllers

_CATCH_UP = 1.0
"""Seconds between two tries to write what the engine's database could not take."""

RUNTIME_NAMES = frozenset({"runc", "io.containerd.runc.v2"})
"""Docker's names of its own runtime, which tools may ask for by habit: whichever is here runs the container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Where the engine keeps its things, and which runtime it uses."""

    root: Path
    run: Path
    cgroup_parent: str
    runtime: OciRuntime
    conmon: str
    labels: Mapping[str, str]
    generic_resources: Sequence[GenericResource] = ()
    insecure_registries: InsecureRegistries = field(default_factory=InsecureRegistries)
    registry_silence: float = SILENCE


class Engine(
    ContainerActions,
    PlainActions,
    FileActions,
    ExecActions,
    ImageActions,
    BuildActions,
    SwarmNetworkActions,
    VolumeActions,
    OverviewActions,
):
    """This node's engine. `start` before use; `stop` leaves all containers running."""

    def __init__(self, config: EngineConfig, plane: NetworkPlane, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._supervisor = Supervisor("engine")
        self._database = Database(config.root / "engine.db")
        self.registry = Registry(self._database)
        self._events = EventBus(clock)
        self._volumes = Volumes(config.root / "volumes", self._database, self._events, clock)
        self._snapshots = Snapshots(config.root / "snapshots", config.root / "images" / "layers")
        self._images = ImageStore(
            config.root / "images", clock=clock, layers_in_use=self._snapshots.layers_in_use
        )
        self.cluster = ClusterDoor()
        self._networks = LocalNetworks(self._database, self._events, clock, plane)
        self._plane = plane
        self._storage = Storage(
            self._images,
            self._snapshots,
            self._volumes,
            self.registry,
            Subpaths(config.run),
            SharedMemory(config.run),
        )
        self._dependencies = DependencyFiles(config.run)
        self._cgroups = cgroups = read_cgroup_tree()
        self._runtime = ConmonRuntime(config.runtime, config.conmon, cgroups, clock)
        parts = LifecycleParts(
            registry=self.registry,
            storage=self._storage,
            files=self._dependencies,
            networks=self._networks,
            cluster=self.cluster,
            plane=plane,
            runtime=self._runtime,
            events=self._events,
            clock=clock,
            root=config.root,
            run=config.run,
            cgroup_parent=config.cgroup_parent,
            cgroups=cgroups,
            facts=replace(
                read_host_facts(cgroups),
                recursive_readonly=config.runtime.recursive_readonly,
            ),
        )
        self.lifecycle = Lifecycle(parts)
        self._all_execs = Execs(self.lifecycle, self.registry, FurtherProcesses(parts))
        self._restarts = Restarts(self.lifecycle, self.registry, clock)
        ContainerActions.__init__(
            self, self.lifecycle, self.registry, self._storage, clock, self._all_execs.of
        )
        PlainActions.__init__(
            self, self.lifecycle, self.registry, self._images, RUNTIME_NAMES | {config.runtime.name}
        )
        FileActions.__init__(self, self.lifecycle, self.registry, self._storage, self._images)
        ExecActions.__init__(self, self._all_execs, self.registry)
        ImageActions.__init__(
            self,
            self._images,
            self.registry,
            self._events,
            config.insecure_registries,
            silence=config.registry_silence,
        )
        BuildActions.__init__(self, self._build_parts())
        SwarmNetworkActions.__init__(self, self._networks, self.registry, plane, self.lifecycle)
        VolumeActions.__init__(self, self._volumes, self.registry)
        OverviewActions.__init__(self, self._overview_parts())

    def _overview_parts(self) -> OverviewParts:
        config = self._config
        return OverviewParts(
            root=config.root,
            run=config.run,
            runtime=config.runtime,
            labels=config.labels,
            generic_resources=config.generic_resources,
            insecure=config.insecure_registries,
            cgroups=self._cgroups,
            plane=self._plane,
            images=self._images,
            volumes=self._volumes,
            registry=self.registry,
            database=self._database,
            clock=self._clock,
        )

    def _build_parts(self) -> BuildParts:
        config = self._config
        place = StoragePlace(root=config.root / "build", run=config.run / "build")
        networks = BuildNetworks(
            config.run / "builds", self._plane, self._networks, self.registry, self._cgroups
        )
        return BuildParts(
            images=self._images,
            storage=BuildStorage(place, self._images),
            networks=networks,
            events=self._events,
            runtime=config.runtime,
            cgroup_parent=config.cgroup_parent,
            insecure=config.insecure_registries,
            silence=config.registry_silence,
        )

    # ---- life

    async def start(self) -> None:
        """Open the stores and adopt what an earlier daemon left."""
        await self._images.start()
        await self._database.written()
        self._supervisor.keep("database", self._keep_database)
        await self.lifecycle.adopt()
        await self.drop_forgotten_networks()
        await self.clear_builds()
        self._restarts.resume()

    async def stop(self) -> None:
        """Stop watching and close the stores; containers run on. Without any, our cgroups go as well."""
        await self._supervisor.stop()
        await self._restarts.close()
        await self._all_execs.close()
        await self.lifecycle.close()
        if not self.registry.all():
            self._cgroups.remove(self._config.cgroup_parent)
            await release_leftover_controllers(self._config.run)
        self._runtime.close()
        await self._images.close()
        await asyncio.to_thread(self._database.close)

    async def _keep_database(self) -> None:
        while True:
            await self._clock.sleep(_CATCH_UP)
            await self._database.catch_up()

    # ---- for the agent

    async def create(self, request: CreateContainer) -> Record:
        """Make a container that could start at once."""
        return await self.lifecycle.create(request)

    async def wait_exit(self, container_id: ContainerId) -> ContainerState:
        """The state at the container's end; at once if it does not run."""
        return await self.lifecycle.wait(container_id)

    def is_running(self, container_id: ContainerId) -> bool:
        """Whether its first process lives, as far as is known."""
        record = self.registry.get(container_id)
        return record is not None and record.container.state.running

    async def open_ports(self, container_id: ContainerId, *, udp: bool = False) -> OpenPorts:
        """The TCP ports of the container that others can reach, and UDP's on request; none once it has ended."""
        record = self.registry.get(container_id)
        if record is None or not record.container.state.pid:
            return OpenPorts()
        return await self._plane.open_ports(record.container.state.pid, udp=udp)

    def addresses(self, container_id: ContainerId) -> dict[NetworkId, str]:
        """The container's plain addresses, by network."""
        sandbox = self._plane.sandbox(container_id)
        return dict(sandbox.addresses) if sandbox is not None else {}

    def addresses6(self, container_id: ContainerId) -> dict[NetworkId, str]:
        """The container's plain IPv6 addresses, by network, where it has any."""
        sandbox = self._plane.sandbox(container_id)
        return dict(sandbox.addresses6) if sandbox is not None else {}

    def set_dependencies(
        self, secrets: Mapping[SecretId, Secret], configs: Mapping[ConfigId, Config]
    ) -> None:
        """The secrets and configs that this node's tasks may read; kept in memory only."""
        self._dependencies.set_known(Dependencies(secrets=secrets, configs=configs))

    def check_dependencies(self, references: Sequence[FileReference]) -> None:
        """Refuse secrets and configs that this node does not have.

        Raises:
            HiveletError: naming the first of them, and the way out.
        """
        self._dependencies.check(references)

    # ---- for the API

    async def disk_usage(self) -> DiskUsage:
        """What is on the disk, with sizes."""
        usage = await self._images.disk_usage()
        images = [
            image.replaced(shared_size=usage.shared_sizes.get(image.id, 0))
            for image in await self.list_images()
        ]
        volumes = []
        for volume in self._volumes.list():
            size = await volume_size(volume)
            users = len(self.registry.volume_users(volume.name))
            volumes.append(volume.replaced(size=size, ref_count=users))
        return DiskUsage(
            layers_size=usage.layers_size,
            images=images,
            containers=list(await self.list_containers(size=True)),
            volumes=volumes,
            build_cache=await self.build_cache(),
        )

    def note_prune(self, kind: str, reclaimed: int) -> None:
        """An event of its own, beside those of what was removed."""
        self._events.publish(kind, "prune", "", {"reclaimed": str(reclaimed)})

    async def engine_events(
        self, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Event]:
        """Events of scope local: remembered ones with `since`, then new ones until the moment `until`."""
        async for event in self._events.stream(since, until):
            yield event
