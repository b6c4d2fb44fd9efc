"""What one node's engine reports: its containers, its networks, itself.

Note the difference: `hivelet.objects.container` is what a container is asked to be, `Container` here what it is.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from hivelet.objects.build import BuildCacheRecord
from hivelet.objects.common import ContainerId, NetworkId, Struct
from hivelet.objects.container import ContainerConfig, ContainerState, HostConfig, PortBinding
from hivelet.objects.image import Image
from hivelet.objects.network import IpamOptions
from hivelet.objects.task import GenericResource
from hivelet.objects.volume import Volume


class MountPoint(Struct, frozen=True, kw_only=True):
    """A mount that a container has (type: bind, volume, tmpfs)."""

    type: str
    name: str = ""
    source: str = ""
    destination: str
    driver: str = ""
    mode: str = ""
    rw: bool = field(default=True, name="RW")
    propagation: str = ""


class EndpointSettings(Struct, frozen=True, kw_only=True):
    """A container's place in one network; addresses plain, prefix lengths apart, as in the API."""

    network_id: NetworkId = field(default=NetworkId(""), name="NetworkID")
    endpoint_id: str = field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = field(default="", name="IPAddress")
    ip_prefix_len: int = field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = field(default="", name="IPv6Gateway")
    global_ipv6_address: str = field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: int = field(default=0, name="GlobalIPv6PrefixLen")
    mac_address: str = ""
    aliases: list[str] = []
    links: list[str] = []
    driver_opts: dict[str, str] = {}
    dns_names: list[str] = field(default_factory=list, name="DNSNames")
    ipv4_requested: str = ""
    """The address the user asked for; "" where it was left to the engine."""
    ipv6_requested: str = ""


class Container(Struct, frozen=True, kw_only=True):
    """A container of this node. `name` is without the slash that the API puts before it.

    `networks` is keyed by the network's name, `ports` by "80/tcp" (an empty list: exposed, not published). Sizes are
    filled in only where they were asked for; -1 means "not looked up".
    """

    id: ContainerId
    name: str
    created: datetime
    path: str = ""
    args: list[str] = []
    image: str = ""
    """The reference it was made from, as the user wrote it."""
    image_id: str = ""
    config: ContainerConfig = ContainerConfig()
    host_config: HostConfig = HostConfig()
    state: ContainerState = ContainerState()
    networks: dict[str, EndpointSettings] = {}
    ports: dict[str, list[PortBinding]] = {}
    mounts: list[MountPoint] = []
    restart_count: int = 0
    log_path: str = ""
    resolv_conf_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    sandbox_id: str = ""
    sandbox_key: str = ""
    storage_driver: str = "overlay2"
    directories: dict[str, str] = {}
    """The graph driver's data: LowerDir, UpperDir, WorkDir, MergedDir."""
    exec_ids: list[str] = []
    platform: str = "linux"
    size_rw: int = -1
    size_root_fs: int = -1


class ExitResult(Struct, frozen=True, kw_only=True):
    """How a container that was waited for has ended; `error` is why the wait itself failed."""

    status_code: int = 0
    error: str = ""


class ProcessTable(Struct, frozen=True, kw_only=True):
    """What `ps` says of a container's processes."""

    titles: list[str] = []
    processes: list[list[str]] = []


class InterfaceStats(Struct, frozen=True, kw_only=True, rename=None):
    """Counters of one of a container's links."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class ContainerStats(Struct, frozen=True, kw_only=True):
    """One reading of a container's counters: CPU in nanoseconds, memory in bytes."""

    read: datetime
    cpu_total: int = 0
    cpu_user: int = 0
    cpu_kernel: int = 0
    cpu_each: list[int] = []
    """The total by processor, where the kernel counts it (cgroup v1)."""
    cpu_system: int = 0
    """CPU time of the whole machine at the same moment."""
    online_cpus: int = 1
    memory_usage: int = 0
    memory_max: int = 0
    memory_limit: int = 0
    memory: dict[str, int] = {}
    """The lines of the cgroup's `memory.stat`."""
    pids: int = 0
    pids_limit: int = 0
    networks: dict[str, InterfaceStats] = {}
    block_read: int = 0
    block_written: int = 0
    cgroup_version: int = 1


class NetworkContainer(Struct, frozen=True, kw_only=True):
    """A container in a network, as `network inspect` lists it: addresses in CIDR notation."""

    name: str = ""
    endpoint_id: str = field(default="", name="EndpointID")
    mac_address: str = ""
    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")


class BackendTraffic(Struct, frozen=True, kw_only=True):
    """A task's container as the balancer sees it: whether it gets new connections, and how many it has."""

    admitted: bool = False
    busy: int = 0
    idle: int = 0


class NodeNetwork(Struct, frozen=True, kw_only=True):
    """A network of scope local, as this node's engine reports it (`bridge`, `host`, `none`, `docker_gwbridge`, …)."""

    id: NetworkId
    name: str
    created: datetime
    driver: str = "bridge"
    enable_ipv6: bool = False
    ipam: IpamOptions = IpamOptions()
    internal: bool = False
    attachable: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    containers: dict[str, NetworkContainer] = {}
    """By container id; `ingress-sbox` and the like are allowed as keys, as in Docker."""


class EngineVersion(Struct, frozen=True, kw_only=True):
    """The engine's own version, the kernel's, and those of the programs it uses, by their names."""

    version: str
    os: str = "linux"
    arch: str = "amd64"
    kernel_version: str = ""
    build_time: str = ""
    git_commit: str = ""
    runtime_name: str = "Python"
    runtime_version: str = ""
    components: dict[str, str] = {}


class RuntimeInfo(Struct, frozen=True, kw_only=True):
    """An OCI runtime the engine can use."""

    path: str
    version: str = ""


class EngineInfo(Struct, frozen=True, kw_only=True):
    """What `docker info` says of a node, save its swarm part."""

    id: str = ""
    name: str = ""
    server_version: str = ""
    containers: int = 0
    containers_running: int = 0
    containers_paused: int = 0
    containers_stopped: int = 0
    images: int = 0
    storage_driver: str = "overlay2"
    driver_status: list[tuple[str, str]] = []
    root_dir: str = ""
    volume_drivers: list[str] = field(default_factory=lambda: ["local"])
    network_drivers: list[str] = field(
        default_factory=lambda: ["bridge", "host", "null", "overlay"]
    )
    log_drivers: list[str] = field(default_factory=lambda: ["json-file", "local", "none"])
    default_log_driver: str = "json-file"
    cgroup_driver: str = "cgroupfs"
    cgroup_version: str = "1"
    kernel_version: str = ""
    operating_system: str = ""
    os_version: str = ""
    os_type: str = "linux"
    architecture: str = ""
    cpus: int = 0
    memory_total: int = 0
    memory_limit: bool = True
    swap_limit: bool = True
    cpu_cfs: bool = True
    cpu_shares: bool = True
    cpu_set: bool = True
    pids_limit: bool = True
    oom_kill_disable: bool = False
    ipv4_forwarding: bool = True
    bridge_nf_iptables: bool = True
    bridge_nf_ip6tables: bool = True
    runtimes: dict[str, RuntimeInfo] = {}
    default_runtime: str = "runc"
    init_binary: str = ""
    security_options: list[str] = field(default_factory=lambda: ["name=seccomp,profile=default"])
    labels: list[str] = []
    insecure_hosts: list[str] = []
    insecure_networks: list[str] = []
    generic_resources: list[GenericResource] = []
    warnings: list[str] = []
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    open_files: int = 0
    background_tasks: int = 0
    event_listeners: int = 0
    live_restore: bool = True
    debug: bool = False
    system_time: datetime | None = None


class DiskUsage(Struct, frozen=True, kw_only=True):
    """What the engine keeps on the disk; `layers_size` counts shared layers once."""

    layers_size: int = 0
    images: list[Image] = []
    containers: list[Container] = []
    volumes: list[Volume] = []
    build_cache: list[BuildCacheRecord] = []
