"""The engine of one node: all its sides under one roof, started and stopped together.

`Engine` answers what the API asks (`hivelet.api.backend.EngineBackend`) and what the agent asks (`create`, `wait_exit`,
`addresses`…). The sides are classes of their own; nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import structlog

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
from hivelet.engine.networks.actions import NetworkActions
from hivelet.engine.networks.cluster import ClusterDoor
from hivelet.engine.networks.local import GATEWAY_BRIDGE, LocalNetworks
from hivelet.engine.plain.actions import PlainActions
from hivelet.engine.plain.restarts import Restarts
from hivelet.engine.provision import LifecycleParts
from hivelet.engine.readings.shortages import read_shortages
from hivelet.engine.registry import LegRecord, Record, Registry
from hivelet.engine.storage import Storage
from hivelet.engine.system import EngineFacts, build_info, describe_node, read_machine, read_version
from hivelet.engine.volumes.actions import VolumeActions, volume_size
from hivelet.engine.volumes.local import Volumes
from hivelet.engine.volumes.subpaths import Subpaths
from hivelet.errors import HiveletError
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.network.listeners import OpenPorts
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import ConfigId, ContainerId, NetworkId, SecretId
from hivelet.objects.container import ContainerState
from hivelet.objects.engine import DiskUsage, EngineInfo, EngineVersion, RuntimeInfo
from hivelet.objects.event import Event
from hivelet.objects.node import NodeDescription
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import GenericResource
from hivelet.runtime.build.commands import StoragePlace
from hivelet.runtime.build.storage import BuildStorage
from hivelet.runtime.cgroupfs import read_cgroup_tree
from hivelet.runtime.commands import OciRuntime
from hivelet.runtime.conmon.runtime import ConmonRuntime
from hivelet.runtime.host import read_host_facts
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.snapshots import Snapshots
from hivelet.runtime.images.store import ImageStore
from hivelet.runtime.oci import release_leftover_controllers

log = structlog.get_logger(__name__)

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


class Engine(
    ContainerActions,
    PlainActions,
    FileActions,
    ExecActions,
    ImageActions,
    BuildActions,
    NetworkActions,
    VolumeActions,
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
            self._images, self._snapshots, self._volumes, self.registry, Subpaths(config.run)
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
        self.node_id: Callable[[], str] = str
        self.faults: list[Callable[[], str]] = []
        """Who is asked for what is wrong at the moment, "" for nothing; `docker info` warns of it."""
        ContainerActions.__init__(
            self, self.lifecycle, self.registry, self._storage, clock, self._all_execs.of
        )
        PlainActions.__init__(
            self, self.lifecycle, self.registry, self._images, RUNTIME_NAMES | {config.runtime.name}
        )
        FileActions.__init__(self, self.lifecycle, self.registry, self._storage, self._images)
        ExecActions.__init__(self, self._all_execs, self.registry)
        ImageActions.__init__(
            self, self._images, self.registry, self._events, config.insecure_registries
        )
        BuildActions.__init__(self, self._build_parts())
        NetworkActions.__init__(self, self._networks, self.registry, plane, self.lifecycle)
        VolumeActions.__init__(self, self._volumes, self.registry)

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

    async def describe(self) -> NodeDescription:
        """What the agent says of this node."""
        config = self._config
        return describe_node(read_machine(), config.labels, config.generic_resources)

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

    async def open_ports(self, container_id: ContainerId) -> OpenPorts:
        """The TCP ports of the container that others can reach; none once it has ended."""
        record = self.registry.get(container_id)
        if record is None or not record.container.state.pid:
            return OpenPorts()
        return await self._plane.open_ports(record.container.state.pid)

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

    async def ensure_gateway_bridge(self) -> None:
        """Have `docker_gwbridge`, as `swarm init` does."""
        known = self._networks.find(GATEWAY_BRIDGE) is not None
        network = await self._networks.ensure_gateway_bridge()
        try:
            await self._plane.ensure_network(network.bridge)
        except BaseException:
            if not known:
                self._networks.forget(network)
            raise

    async def forget_gateway_bridge(self) -> None:
        """The swarm is left: `docker_gwbridge` goes, unless the user made it, or has a container in it."""
        network = self._networks.find(GATEWAY_BRIDGE)
        if network is None or not network.automatic:
            return
        if not await self.network_containers(network.id):
            self._networks.forget(network)
            await self._networks.written()

    async def leave_cluster_networks(self) -> None:
        """The swarm is left: containers that were joined to its networks by hand run on without these."""
        for record in self.registry.all():
            kinds = {leg.network.id: leg.network.kind for leg in record.legs}
            for network_id, kind in kinds.items():
                if kind == "overlay" and not record.task_id:
                    await self.disconnect_network(network_id, record.id, force=True)

    async def default_leg(self) -> LegRecord:
        """A place in the network `bridge`."""
        return LegRecord(network=(await self._networks.ensure_default_bridge()).bridge)

    def own_networks(self) -> set[NetworkId]:
        """The networks that are this node's, whether it is in a swarm or not."""
        return {network.id for network in self._networks.list()}

    def attached_containers(self) -> list[ContainerId]:
        """The containers that have a place in the network, in the kernel."""
        return [r.id for r in self.registry.all() if self._plane.sandbox(r.id) is not None]

    def joined_networks(self) -> set[tuple[ContainerId, NetworkId]]:
        """In which networks each of these is."""
        return {
            (record.id, leg.network.id)
            for record in map(self.registry.get, self.attached_containers())
            if record is not None
            for leg in record.legs
        }

    async def restore_networks(self) -> None:
        """Make the bridges of this node's own networks again, after the network plane was torn down."""
        for network in self._networks.list():
            if network.driver == "bridge" and network.pool.subnet:
                try:
                    await self._plane.ensure_network(network.bridge)
                except HiveletError as error:
                    # One network's fault stays its own: the others' containers have theirs.
                    log.error(
                        "a network is left out",
                        error=error.message,
                        **{"network.id": network.id, "network.name": network.name},
                    )

    # ---- for the API

    async def version(self) -> EngineVersion:
        """The engine's version and those of its parts."""
        runtime = self._config.runtime
        return await read_version(read_machine(), {runtime.name: runtime.version})

    async def info(self) -> EngineInfo:
        """The node, save its swarm part."""
        runtime = self._config.runtime
        findings = await self._plane.findings()
        counts = {
            "running": 0,
            "paused": 0,
            "stopped": 0,
            "images": len(await self._images.list_images()),
        }
        for record in self.registry.all():
            status = record.container.state.status
            counts[status if status in ("running", "paused") else "stopped"] += 1
        return build_info(
            read_machine(),
            EngineFacts(
                node_id=self.node_id(),
                root=self._config.root,
                counts=counts,
                runtime=RuntimeInfo(path=runtime.path, version=runtime.version),
                runtime_name=runtime.name,
                warnings=[
                    *(f"WARNING: {f.meaning} {f.repair}" for f in findings),
                    *(f"WARNING: {fault}" for fault in self._present_faults()),
                ],
                now=self._clock.now(),
                node=await self.describe(),
                swap_limit=self._cgroups.swap_limit(),
                insecure=self._config.insecure_registries,
            ),
        )

    async def census(self) -> tuple[Mapping[str, int], int, int]:
        """Containers by state, images and volumes: what is cheap to count."""
        states = Counter(record.container.state.status for record in self.registry.all())
        return states, len(await self._images.list_images()), len(self._volumes.list())

    def _present_faults(self) -> list[str]:
        told = [tell() for tell in (*self.faults, self._database_fault)]
        return [*filter(None, told), *read_shortages(self._config.root, self._config.run)]

    def _database_fault(self) -> str:
        failure = self._database.failure
        return failure and f"the engine's database can't be written ({failure}); it is tried again."

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
