"""What a container needs in order to run: made before its start, undone after its end. Everything here is idempotent.

Note the difference to `hivelet.engine.life.lifecycle`, which knows what a container is doing: here nothing is watched and no
state is changed. What is written of a container's record is where its things are (addresses, mounts).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivelet.engine.create import (
    ContainerPaths,
    CreateContainer,
    host_config,
    idle_settings,
    predefined_settings,
    volume_sources,
    with_sandbox,
)
from hivelet.engine.dependencies.files import DependencyFiles
from hivelet.engine.events import EventBus
from hivelet.engine.networks.cluster import ClusterDoor
from hivelet.engine.networks.local import LocalNetworks
from hivelet.engine.networks.place import (
    Place,
    joined_namespaces,
    own_place,
    shared_place,
    shares_network,
)
from hivelet.engine.plain.joins import Joins
from hivelet.engine.plain.links import Linked, find_linked, link_environment
from hivelet.engine.readings.devices import host_devices, read_block_limits, read_devices
from hivelet.engine.registry import LegRecord, Record, Registry
from hivelet.engine.storage import Storage
from hivelet.engine.volumes.binds import mount_flags
from hivelet.kit.clock import Clock
from hivelet.kit.files import ensure_private, write_atomic
from hivelet.network.plane import NetworkPlane
from hivelet.network.sandbox import DnsSettings, Leg, Sandbox, SandboxRequest
from hivelet.objects.common import ContainerId, NetworkId
from hivelet.objects.container import ContainerConfig, DeviceMapping, HostConfig
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.conmon.runtime import ConmonRuntime
from hivelet.runtime.oci_spec import HostFacts, OciInput, build_oci_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleParts:
    """What containers are made with."""

    registry: Registry
    storage: Storage
    files: DependencyFiles
    networks: LocalNetworks
    cluster: ClusterDoor
    plane: NetworkPlane
    runtime: ConmonRuntime
    events: EventBus
    clock: Clock
    root: Path
    run: Path
    cgroup_parent: str
    cgroups: CgroupTree
    facts: HostFacts

    def cgroup_of(self, host: HostConfig) -> str:
        """The cgroup below which a container's own lies: never outside of the daemon's."""
        return f"{self.cgroup_parent}/{host.cgroup_parent.strip('/')}".rstrip("/")


def _devices(host: HostConfig) -> list[DeviceMapping]:
    """What the container asks for, and where it is privileged everything else that the host has."""
    asked = {device.path_in_container or device.path_on_host for device in host.devices}
    everything = host_devices() if host.privileged else ()
    rest = [device for device in everything if device.path_in_container not in asked]
    return [*host.devices, *rest]


class Provision:
    """Makes and undoes what a running container needs."""

    def __init__(self, parts: LifecycleParts) -> None:
        self._parts = parts
        self.joins = Joins(parts.networks, parts.cluster)

    def paths(self, container_id: ContainerId) -> ContainerPaths:
        """Where the container's files are."""
        return ContainerPaths(
            directory=self._parts.root / "containers" / container_id,
            run=self._parts.run / "containers" / container_id,
        )

    async def legs(self, request: CreateContainer) -> list[LegRecord]:
        """The legs of a request, and `docker_gwbridge` where the container would have no way out."""
        legs = list(request.legs)
        if request.plain or request.host.network_mode in ("host", "none"):
            return legs
        ingress = any(leg.network.kind == "ingress" for leg in legs)
        closed = legs and all(leg.network.internal for leg in legs)
        own = any(leg.network.kind in ("gateway", "bridge") for leg in legs)
        if not own and (request.wants_gateway or not (ingress or closed)):
            gateway = await self._parts.networks.ensure_gateway_bridge()
            legs.append(LegRecord(network=gateway.bridge))
        return legs

    async def ensure(self, record: Record) -> tuple[Record, Place]:
        """Directory, file system, volumes, secrets and sandbox; the record names them afterwards.

        Volumes are named in the record before they are made: whoever takes the container down, also because this fails,
        finds them there.
        """
        paths = self.paths(record.id)
        record = self._planned(record)
        # Both are waited for, also where one fails: what comes to be too late would have no owner.
        storage, placed = await asyncio.gather(
            self._parts.storage.prepare(record),
            self._ensure_place(record),
            return_exceptions=True,
        )
        if isinstance(storage, BaseException):
            raise storage
        if isinstance(placed, BaseException):
            raise placed
        record, place = placed
        if place.lender is not None:
            # Whose network it is in says who it is, there and in the files that they share.
            theirs = place.lender.container.config
            config = record.container.config.replaced(
                hostname=theirs.hostname, domainname=theirs.domainname
            )
            record = record.replaced(container=record.container.replaced(config=config))
        write_atomic(paths.hostname, record.container.config.hostname + "\n")
        write_atomic(paths.hosts, place.hosts)
        write_atomic(paths.resolv_conf, place.resolv_conf)
        self._parts.registry.write(record)
        await self._parts.registry.written()
        return record, place

    async def prepare(self, record: Record) -> Record:
        """The file system and the volumes of a container that need not start soon; its network comes with its start."""
        record = self._planned(record)
        await self._parts.storage.prepare(record)
        return self.idle(record)

    def idle(self, record: Record) -> Record:
        """The record of a container that does not run, written: its networks have no addresses."""
        mode = record.container.host_config.network_mode
        networks = idle_settings(record) or predefined_settings(
            record, self.joins.predefined(mode), running=False
        )
        record = record.replaced(container=record.container.replaced(networks=networks))
        self._parts.registry.write(record)
        return record

    def _planned(self, record: Record) -> Record:
        paths = self.paths(record.id)
        planned = self._parts.storage.plan(record)
        if planned != record.container.mounts:
            record = record.replaced(container=record.container.replaced(mounts=planned))
            self._parts.registry.write(record)
        # The environment is in the bundle, and what the container says in its log: neither is for other users of the host.
        for directory in (paths.directory, paths.run, paths.bundle):
            ensure_private(directory)
        self._parts.files.prepare(record.id, record.files)
        return record

    def spec(self, record: Record, place: Place) -> dict[str, Any]:
        """The OCI spec of a container for which all this has been made."""
        host = host_config(record)
        files = self._parts.files.mounts(record.id, record.files)
        sources = self._parts.storage.sources(record)
        return build_oci_spec(
            OciInput(
                id=record.id,
                config=self._config(record),
                host=host.replaced(mounts=[*host.mounts, *files]),
                facts=self._parts.facts,
                rootfs=str(self._parts.storage.rootfs(record)),
                cgroup_parent=self._parts.cgroup_of(record.container.host_config),
                user=self._parts.storage.process_user(record),
                hostname=record.container.config.hostname,
                netns=place.netns,
                joined=joined_namespaces(host, self._parts.registry),
                files=self.paths(place.lender.id if place.lender else record.id).etc_files(),
                volumes=volume_sources(record),
                subpaths=self._parts.storage.subpaths(record),
                shared_memory=self._parts.storage.shared_memory(record),
                single_files=[
                    *(file.target for file in files),
                    *(target for target, source in sources.items() if not Path(source).is_dir()),
                ],
                inherited={target: mount_flags(source) for target, source in sources.items()},
                devices=read_devices(_devices(record.container.host_config)),
                block_limits=read_block_limits(record.container.host_config),
            )
        )

    def _config(self, record: Record) -> ContainerConfig:
        """What the process is given: what it asked for, after what its links tell of others."""
        config = record.container.config
        told = link_environment(record, self.linked(record))
        return config.replaced(env=[*told, *config.env]) if told else config

    async def release(self, container_id: ContainerId) -> None:
        """Undo what only a running container needs."""
        await self._parts.runtime.delete(container_id, force=True)
        await self._parts.plane.remove_sandbox(container_id)
        if (record := self._parts.registry.get(container_id)) is not None:
            await self.joins.leave_all(record)
        await self._parts.storage.release(container_id)
        self._parts.files.release(container_id)

    async def _ensure_place(self, record: Record) -> tuple[Record, Place]:
        host = record.container.host_config
        if shares_network(host):
            place = shared_place(host, self._parts.registry)
            network_id = self.joins.predefined(host.network_mode)
            shown = predefined_settings(record, network_id, running=True)
            return record.replaced(container=record.container.replaced(networks=shown)), place
        sandbox = self._parts.plane.sandbox(record.id)
        if sandbox is None:
            if not record.task_id:
                record = await self.joins.enter(record)
                # Before there is a link: whoever takes the container down gives its places back.
                self._parts.registry.write(record)
                await self._parts.registry.written()
            sandbox = await self._parts.plane.create_sandbox(self._request(record))
        return self._placed(record, sandbox), own_place(sandbox)

    async def rejoin(self, record: Record) -> Record:
        """Have a running container in the networks of its record, and its files say so, from now on."""
        sandbox = await self._parts.plane.change_sandbox(self._request(record))
        record = self._placed(record, sandbox)
        self._parts.registry.write(record)
        await self._parts.registry.written()
        paths = self.paths(record.id)
        for path, text in ((paths.hosts, sandbox.hosts), (paths.resolv_conf, sandbox.resolv_conf)):
            if text and path.read_text() != text:
                path.write_text(
                    text
                )  # in place: what is mounted in the container is this very file
        return record

    def _placed(self, record: Record, sandbox: Sandbox) -> Record:
        record = with_sandbox(record, sandbox)
        if record.legs or record.task_id:
            return record
        mode = record.container.host_config.network_mode
        shown = predefined_settings(record, self.joins.predefined(mode), running=True)
        return record.replaced(container=record.container.replaced(networks=shown))

    def linked(self, record: Record) -> list[Linked]:
        """The containers that this one is linked to.

        Raises:
            System: one of the default bridge does not run.
        """
        return find_linked(record, self._parts.registry, self._address_of)

    def _address_of(self, container_id: ContainerId, network_id: NetworkId) -> str:
        sandbox = self._parts.plane.sandbox(container_id)
        record = self._parts.registry.get(container_id)
        if sandbox is None or record is None or not record.container.state.running:
            return ""
        return sandbox.addresses.get(network_id, "")

    def _request(self, record: Record) -> SandboxRequest:
        config, host = record.container.config, record.container.host_config
        return SandboxRequest(
            container_id=record.id,
            legs=tuple(
                Leg(
                    network=leg.network,
                    address=leg.address or None,
                    address6=leg.address6 or None,
                    aliases=tuple(leg.aliases),
                    asked=leg.named and leg.network.kind == "bridge",
                    mac=leg.mac_address,
                    priority=leg.priority,
                )
                for leg in record.legs
            ),
            task_id=record.task_id or None,
            hostname=".".join(filter(None, (config.hostname, config.domainname))),
            names=(record.container.name, record.id[:12]),
            dns=DnsSettings(
                nameservers=tuple(host.dns),
                search=tuple(host.dns_search),
                options=tuple(host.dns_options),
            ),
            extra_hosts=tuple(host.extra_hosts),
            linked=tuple((link.address, link.names) for link in self.linked(record)),
            moves=not record.task_id,
        )
