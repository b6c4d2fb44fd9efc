"""A container as the Docker Engine API describes one: `ContainerConfig`, `HostConfig`, health check, mounts, state.

These are the node's own nouns (the engine's database), not the cluster's. The image's config uses `ContainerConfig` too.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from hivelet.objects.common import Duration, FileMode, Int, Struct


class Healthcheck(Struct, frozen=True, kw_only=True):
    """How a container's health is probed. Durations in nanoseconds; 0 means "inherit or default"."""

    test: list[str] = []
    interval: Duration = 0
    timeout: Duration = 0
    start_period: Duration = 0
    start_interval: Duration = 0
    retries: Int = 0


class ContainerConfig(Struct, frozen=True, kw_only=True):
    """The portable part of a container, which an image can carry as well (API: `ContainerConfig`)."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, str]] = {}
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] = []
    cmd: list[str] | None = None
    healthcheck: Healthcheck | None = None
    image: str = ""
    volumes: dict[str, dict[str, str]] = {}
    working_dir: str = ""
    entrypoint: list[str] | None = None
    network_disabled: bool = False
    on_build: list[str] | None = None
    labels: dict[str, str] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: list[str] | None = None


class LogConfig(Struct, frozen=True, kw_only=True):
    """The log driver of a container and its options."""

    type: str = "json-file"
    config: dict[str, str] = {}


class Ulimit(Struct, frozen=True, kw_only=True):
    """One resource limit; -1 means unlimited."""

    name: str
    soft: int = 0
    hard: int = 0


class DeviceMapping(Struct, frozen=True, kw_only=True):
    """A device of the host inside the container."""

    path_on_host: str
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class DeviceRequest(Struct, frozen=True, kw_only=True):
    """Devices that a driver is asked for, as `--gpus` does; this engine has no such driver."""

    driver: str = ""
    capabilities: list[list[str]] = []


class BindOptions(Struct, frozen=True, kw_only=True):
    """Options of a bind mount."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeDriverConfig(Struct, frozen=True, kw_only=True):
    """The driver that creates a volume where it does not exist yet."""

    name: str = ""
    options: dict[str, str] = {}


class VolumeOptions(Struct, frozen=True, kw_only=True):
    """Options of a volume mount."""

    no_copy: bool = False
    labels: dict[str, str] = {}
    driver_config: VolumeDriverConfig | None = None
    subpath: str = ""


class TmpfsOptions(Struct, frozen=True, kw_only=True):
    """Options of a tmpfs mount: size in bytes, mode as a file mode, and others, each a name or a name and a value."""

    size_bytes: int = 0
    mode: FileMode = 0
    options: list[list[str]] = []


class Mount(Struct, frozen=True, kw_only=True):
    """One mount of a container or of a service's container spec (type: bind, volume, tmpfs)."""

    type: str = "volume"
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    tmpfs_options: TmpfsOptions | None = None


class PortBinding(Struct, frozen=True, kw_only=True):
    """Where on the host a container's port is published."""

    host_ip: str = ""
    host_port: str = ""


class ContainerRestartPolicy(Struct, frozen=True, kw_only=True):
    """The restart policy of a plain container; tasks never have one, their orchestrator restarts them."""

    name: str = ""
    maximum_retry_count: int = 0


class HostSettings(Struct, frozen=True, kw_only=True):
    """What a container may be given of its host beyond what Docker's services have.

    A `HostConfig` has these, as in Docker's API; so has hivelet's `ContainerSpec`, under the same names, and the agent
    passes them on as they are. Memory in bytes, CPU in CFS microseconds.
    """

    privileged: bool = False
    devices: list[DeviceMapping] = []
    device_cgroup_rules: list[str] = []
    security_opt: list[str] = []
    shm_size: int = 0
    ipc_mode: str = ""
    pid_mode: str = ""
    uts_mode: str = field(default="", name="UTSMode")
    userns_mode: str = ""
    cgroup_parent: str = ""
    cgroupns_mode: str = ""
    oom_kill_disable: bool | None = None
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    blkio_weight: int = 0


class DeviceRate(Struct, frozen=True, kw_only=True):
    """How many bytes or operations in a second a container may read from, or write to, a block device of the host."""

    path: str = ""
    rate: int = 0


class DeviceWeight(Struct, frozen=True, kw_only=True):
    """A container's share of a block device of the host."""

    path: str = ""
    weight: int = 0


class HostConfig(HostSettings, frozen=True, kw_only=True):
    """The host's part of a container. Memory in bytes, CPU in nano-CPUs or in CFS microseconds."""

    binds: list[str] = []
    log_config: LogConfig = LogConfig()
    network_mode: str = "default"
    port_bindings: dict[str, list[PortBinding]] = {}
    restart_policy: ContainerRestartPolicy = ContainerRestartPolicy()
    auto_remove: bool = False
    cap_add: list[str] = []
    cap_drop: list[str] = []
    dns: list[str] = []
    dns_options: list[str] = []
    dns_search: list[str] = []
    extra_hosts: list[str] = []
    group_add: list[str] = []
    oom_score_adj: int = 0
    links: list[str] = []
    """Containers of the default bridge that this one knows by another name, as `NAME:ALIAS`."""
    volumes_from: list[str] = []
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    storage_opt: dict[str, str] = {}
    tmpfs: dict[str, str] = {}
    sysctls: dict[str, str] = {}
    runtime: str = ""
    isolation: str = ""
    cpuset_mems: str = ""
    nano_cpus: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    volume_driver: str = ""
    annotations: dict[str, str] = {}
    """What the OCI runtime is told beside the rest."""
    blkio_weight_device: list[DeviceWeight] = []
    blkio_device_read_bps: list[DeviceRate] = []
    blkio_device_write_bps: list[DeviceRate] = []
    blkio_device_read_iops: list[DeviceRate] = field(default=[], name="BlkioDeviceReadIOps")
    blkio_device_write_iops: list[DeviceRate] = field(default=[], name="BlkioDeviceWriteIOps")
    memory: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] = []
    init: bool | None = None
    mounts: list[Mount] = []
    device_requests: list[DeviceRequest] = []
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None


class EndpointIpam(Struct, frozen=True, kw_only=True):
    """The addresses that a container wants in a network."""

    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")


class EndpointRequest(Struct, frozen=True, kw_only=True):
    """How a container wants to be in a network (API: the request half of `EndpointSettings`)."""

    ipam_config: EndpointIpam = field(default=EndpointIpam(), name="IPAMConfig")
    aliases: list[str] = []
    links: list[str] = []
    mac_address: str = ""
    driver_opts: dict[str, str] = {}
    gw_priority: int = 0


class NetworkingConfig(Struct, frozen=True, kw_only=True):
    """The networks of a new container, by name or id."""

    endpoints_config: dict[str, EndpointRequest] = {}


class ContainerCreate(ContainerConfig, frozen=True, kw_only=True):
    """The body of `POST /containers/create`."""

    mac_address: str = ""
    """The link address in its main network, as clients before API 1.44 say it."""
    host_config: HostConfig = HostConfig()
    networking_config: NetworkingConfig = NetworkingConfig()


class HealthProbe(Struct, frozen=True, kw_only=True):
    """One run of a health check."""

    start: datetime
    end: datetime
    exit_code: int = 0
    output: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """A container's health: status none, starting, healthy or unhealthy, and the last five probes."""

    status: str = "none"
    failing_streak: int = 0
    log: list[HealthProbe] = []


class ContainerState(Struct, frozen=True, kw_only=True):
    """What a container is doing (status: created, running, paused, restarting, removing, exited, dead)."""

    status: str = "created"
    paused: bool = False
    restarting: bool = False
    oom_killed: bool = field(default=False, name="OOMKilled")
    dead: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    health: Health | None = None

    @property
    def running(self) -> bool:
        """Whether its first process lives (a paused container is running too)."""
        return self.status in {"running", "paused"}
