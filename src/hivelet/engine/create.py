"""What the engine is asked to make a container of, and the record that comes of it. Pure.

The request of a task and the request of `docker run` meet here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hivelet.engine.dependencies.known import FileReference
from hivelet.engine.health.policy import build_policy, check_times
from hivelet.engine.merge import merge_config
from hivelet.engine.registry import LegRecord, Record
from hivelet.engine.volumes.mounts import collect_mounts
from hivelet.errors import InvalidParameter
from hivelet.network.ipam import prefix_length
from hivelet.network.sandbox import Sandbox
from hivelet.objects.common import SECOND, ContainerId, Driver, NetworkId, TaskId
from hivelet.objects.container import ContainerConfig, HostConfig, Mount, PortBinding
from hivelet.objects.engine import Container, EndpointSettings
from hivelet.objects.exec import ExecConfig
from hivelet.objects.log_driver import DEFAULT, log_policy
from hivelet.objects.name_rules import check_hostname
from hivelet.objects.signals import parse_signal
from hivelet.runtime.commands import BundlePaths
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.oci_spec import ProcessUser

SHORT_ID = 12
"""How many digits of a container's id are its host name, where it was given none (Docker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContainer:
    """A wish for a container. `wants_gateway` asks for a `docker_gwbridge` leg even beside an ingress one."""

    name: str
    config: ContainerConfig
    host: HostConfig
    image: ImageRecord
    legs: tuple[LegRecord, ...] = ()
    task_id: TaskId | None = None
    files: tuple[FileReference, ...] = ()
    wants_gateway: bool = False
    borrowed: tuple[Mount, ...] = ()
    plain: bool = False
    """Whether no task stands behind it: then it has no networks but those that it names."""


def exec_environment(
    config: ContainerConfig, wish: ExecConfig, user: ProcessUser | None
) -> list[str]:
    """What a further process has in its environment beside what the first one has."""
    added = ["TERM=xterm"] if wish.tty else []
    own = {entry.partition("=")[0] for entry in config.env}
    if user is not None and "HOME" not in own:
        added.append(f"HOME={user.home}")
    said = {entry.partition("=")[0] for entry in wish.env}
    return [entry for entry in added if entry.partition("=")[0] not in said] + wish.env


def check_limits(host: HostConfig, cpus: int) -> None:
    """Refuse a limit beyond what the machine has.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if not 0 <= host.nano_cpus <= cpus * SECOND:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPaths:
    """Where a container's files are: `directory` survives a reboot, `run` has what is made anew at each start.

    `run` is memory on most machines, so that a start waits for no disk, and the environment is on none.
    """

    directory: Path
    run: Path

    @property
    def bundle(self) -> Path:
        """The OCI bundle: `config.json`."""
        return self.run / "bundle"

    @property
    def runtime(self) -> BundlePaths:
        """The bundle and the log, as the runtime wants them."""
        return BundlePaths(bundle=self.bundle, log=self.log)

    def etc_files(self) -> dict[str, str]:
        """Which of our files stand in for the image's, by their place in the container."""
        return {
            "/etc/hosts": str(self.hosts),
            "/etc/hostname": str(self.hostname),
            "/etc/resolv.conf": str(self.resolv_conf),
        }

    @property
    def log(self) -> Path:
        """What the container has written."""
        return self.directory / "container.log"

    @property
    def hosts(self) -> Path:
        """`/etc/hosts` of the container."""
        return self.run / "hosts"

    @property
    def hostname(self) -> Path:
        """`/etc/hostname` of the container."""
        return self.run / "hostname"

    @property
    def resolv_conf(self) -> Path:
        """`/etc/resolv.conf` of the container."""
        return self.run / "resolv.conf"


def build_record(
    request: CreateContainer,
    container_id: ContainerId,
    paths: ContainerPaths,
    now: datetime,
    *,
    machine: str = "",
) -> Record:
    """The record of a container that has been accepted but not made yet; `machine` is the name of the host.

    Raises:
        InvalidParameter: neither the image nor the request says what to run, or the health check, the stop signal,
            the host name or the log's options cannot be understood.
    """
    check_hostname(request.config.hostname)
    if request.config.stop_signal:
        parse_signal(request.config.stop_signal)
    config = merge_config(request.config, request.image.config)
    build_policy(config)
    if config.healthcheck is not None:
        check_times(config.healthcheck)
    unnamed = machine if request.host.network_mode == "host" else container_id[:SHORT_ID]
    config = config.replaced(hostname=config.hostname or unnamed)
    program = [*(config.entrypoint or []), *(config.cmd or [])]
    container = Container(
        id=container_id,
        name=request.name,
        created=now,
        path=program[0],
        args=program[1:],
        image=request.config.image,
        image_id=request.image.id,
        config=config,
        host_config=_with_log_driver(request.host),
        ports={port: list[PortBinding]() for port in sorted(config.exposed_ports)},
        log_path=str(paths.log),
        hosts_path=str(paths.hosts),
        hostname_path=str(paths.hostname),
        resolv_conf_path=str(paths.resolv_conf),
    )
    return Record(
        container=container,
        legs=list(request.legs),
        task_id=request.task_id or TaskId(""),
        files=list(request.files),
        borrowed=list(request.borrowed),
    )


def _with_log_driver(host: HostConfig) -> HostConfig:
    """The host config with the driver named that its log goes to."""
    config = host.log_config
    log_policy(Driver(name=config.type, options=config.config))
    return host.replaced(log_config=config.replaced(type=config.type or DEFAULT))


def with_sandbox(record: Record, sandbox: Sandbox) -> Record:
    """The record once the container has its addresses."""
    return record.replaced(
        container=record.container.replaced(
            networks=endpoint_settings(record, sandbox),
            sandbox_id=record.id,
            sandbox_key=str(sandbox.netns),
        )
    )


def endpoint_settings(record: Record, sandbox: Sandbox) -> dict[str, EndpointSettings]:
    """How the container's networks look in `inspect`; like Docker, without `docker_gwbridge` where there are others."""
    shown = [leg for leg in record.legs if leg.shown] or record.legs
    return {
        leg.network.name: _idle(record, leg).replaced(
            endpoint_id=_endpoint_id(record.id, leg.network.id),
            gateway=leg.network.gateway if leg.network.kind == "bridge" else "",
            ip_address=sandbox.addresses.get(leg.network.id, ""),
            ip_prefix_len=prefix_length(leg.network.subnet),
            ipv6_gateway=(
                leg.network.gateway6 if leg.network.kind == "bridge" and sandbox.addresses6 else ""
            ),
            global_ipv6_address=(address6 := sandbox.addresses6.get(leg.network.id, "")),
            global_ipv6_prefix_len=prefix_length(leg.network.subnet6) if address6 else 0,
            mac_address=sandbox.macs.get(leg.network.id, ""),
            ipv4_requested=(
                sandbox.addresses.get(leg.network.id, "")
                if leg.network.kind == "overlay" and not record.task_id
                else leg.asked.ipv4_address
            ),
        )
        for leg in shown
    }


def idle_settings(record: Record) -> dict[str, EndpointSettings]:
    """How the networks of a container look that does not run: named, without an address."""
    shown = [leg for leg in record.legs if leg.shown] or record.legs
    return {leg.network.name: _idle(record, leg) for leg in shown}


def predefined_settings(
    record: Record, network_id: NetworkId, *, running: bool
) -> dict[str, EndpointSettings]:
    """How the network of a container looks that is in the host's, or in none."""
    mode = record.container.host_config.network_mode
    if mode not in ("host", "none"):
        return {}
    endpoint = _endpoint_id(record.id, network_id) if running else ""
    return {mode: EndpointSettings(network_id=network_id, endpoint_id=endpoint)}


def _idle(record: Record, leg: LegRecord) -> EndpointSettings:
    own = [record.id[:SHORT_ID]] if leg.network.name != "bridge" else []
    names = [record.container.name, *leg.aliases, *own, record.container.config.hostname]
    return EndpointSettings(
        network_id=leg.network.id,
        aliases=[*leg.aliases, *own],
        links=leg.links,
        driver_opts=leg.driver_opts,
        dns_names=list(dict.fromkeys(names)) if own else [],
        ipv4_requested=leg.asked.ipv4_address,
        ipv6_requested=leg.asked.ipv6_address,
    )


def volume_sources(record: Record) -> dict[str, str]:
    """Where each of a container's volumes lies on the host, by name."""
    return {m.name: m.source for m in record.container.mounts if m.type == "volume"}


def mounts_of(record: Record) -> list[Mount]:
    """All that a container mounts."""
    container = record.container
    return collect_mounts(container.config, container.host_config, record.borrowed)


def host_config(record: Record) -> HostConfig:
    """The container's host config, with every volume of its mounts named: also those that the user left anonymous."""
    wanted = mounts_of(record)
    names = {m.destination: m.name for m in record.container.mounts}
    mounts = [
        mount.replaced(source=names[mount.target]) if mount.type == "volume" else mount
        for mount in wanted
    ]
    return record.container.host_config.replaced(binds=[], mounts=mounts)


def _endpoint_id(container_id: str, network_id: str) -> str:
    """64 hexadecimal digits that are the same for the same container in the same network."""
    return hashlib.sha256(f"{container_id} {network_id}".encode()).hexdigest()
