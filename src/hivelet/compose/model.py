"""A loaded stack file: everything in its long form, with types. Field names are the keys of the file.

Durations are integer nanoseconds, sizes bytes. None means "not given". `StackFile` is what `to_spec` reads and `render`
prints; it says nothing of positions any more.
"""

from __future__ import annotations

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all parts of a stack file."""


class Port(Part, frozen=True, kw_only=True):
    """A published port; `published` 0 lets the cluster choose."""

    mode: str = ""
    host_ip: str = ""
    target: int = 0
    published: int = 0
    protocol: str = ""


class BindOptions(Part, frozen=True, kw_only=True):
    """Options of a bind mount."""

    propagation: str = ""
    create_host_path: bool | None = None
    recursive: str = ""


class VolumeOptions(Part, frozen=True, kw_only=True):
    """Options of a volume mount."""

    nocopy: bool = False
    subpath: str = ""
    labels: dict[str, str] = {}


class TmpfsOptions(Part, frozen=True, kw_only=True):
    """Options of a tmpfs mount."""

    size: int = 0
    mode: int = 0


class ClusterOptions(Part, frozen=True, kw_only=True):
    """Options of a cluster volume mount: none yet."""


class Mount(Part, frozen=True, kw_only=True):
    """One mount of a service."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind: BindOptions | None = None
    volume: VolumeOptions | None = None
    tmpfs: TmpfsOptions | None = None
    cluster: ClusterOptions | None = None


class FileReference(Part, frozen=True, kw_only=True):
    """Where a secret or config appears in the containers."""

    source: str = ""
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: int | None = None


class Dependency(Part, frozen=True, kw_only=True):
    """What a service waits for."""

    condition: str = "service_started"
    required: bool = True


class Healthcheck(Part, frozen=True, kw_only=True):
    """How the health of a service's containers is probed."""

    test: list[str] = []
    timeout: int | None = None
    interval: int | None = None
    retries: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    disable: bool = False


class Logging(Part, frozen=True, kw_only=True):
    """The log driver of a service's containers."""

    driver: str = ""
    options: dict[str, str] = {}


class ServiceNetwork(Part, frozen=True, kw_only=True):
    """How a service joins a network."""

    aliases: list[str] = []
    driver_opts: dict[str, str] = {}
    ipv4_address: str = ""
    ipv6_address: str = ""


class UlimitRange(Part, frozen=True, kw_only=True):
    """A limit with a soft and a hard value."""

    soft: int = 0
    hard: int = 0


class UpdateConfig(Part, frozen=True, kw_only=True):
    """How an update or rollback proceeds."""

    parallelism: int | None = None
    delay: int = 0
    failure_action: str = ""
    monitor: int = 0
    max_failure_ratio: float = 0.0
    order: str = ""


class DiscreteResource(Part, frozen=True, kw_only=True):
    """A counted resource of the user's own kind."""

    kind: str = ""
    value: int = 0


class GenericResource(Part, frozen=True, kw_only=True):
    """One generic resource."""

    discrete_resource_spec: DiscreteResource | None = None


class ResourceAmounts(Part, frozen=True, kw_only=True):
    """Limits or reservations; `cpus` as it was written."""

    cpus: str = ""
    memory: int = 0
    pids: int = 0
    generic_resources: list[GenericResource] = []


class Resources(Part, frozen=True, kw_only=True):
    """Limits and reservations."""

    limits: ResourceAmounts | None = None
    reservations: ResourceAmounts | None = None


class RestartPolicy(Part, frozen=True, kw_only=True):
    """When a finished task is replaced."""

    condition: str = ""
    delay: int | None = None
    max_attempts: int | None = None
    window: int | None = None


class Preference(Part, frozen=True, kw_only=True):
    """A placement preference."""

    spread: str = ""


class Placement(Part, frozen=True, kw_only=True):
    """Where tasks may run."""

    constraints: list[str] = []
    preferences: list[Preference] = []
    max_replicas_per_node: int = 0


class Deploy(Part, frozen=True, kw_only=True):
    """The `deploy` section of a service."""

    mode: str = ""
    replicas: int | None = None
    labels: dict[str, str] = {}
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    resources: Resources = Resources()
    restart_policy: RestartPolicy | None = None
    placement: Placement = Placement()
    endpoint_mode: str = ""


class CredentialSpec(Part, frozen=True, kw_only=True):
    """A Windows credential spec."""

    config: str = ""
    file: str = ""
    registry: str = ""


class EnvFile(Part, frozen=True, kw_only=True):
    """A file of environment variables; `format` "raw" takes lines as they stand."""

    path: str = ""
    required: bool = True
    format: str = ""


class Build(Part, frozen=True, kw_only=True):
    """How the image of a service is built. `context` is as it was written: seen from the directory of the stack."""

    context: str = ""
    dockerfile: str = ""
    dockerfile_inline: str = ""
    args: dict[str, str | None] = {}
    ssh: dict[str, str | None] = {}
    labels: dict[str, str] = {}
    cache_from: list[str] = []
    cache_to: list[str] = []
    no_cache: bool = False
    no_cache_filter: list[str] = []
    additional_contexts: dict[str, str] = {}
    network: str = ""
    provenance: str = ""
    sbom: str = ""
    pull: bool = False
    target: str = ""
    shm_size: str = ""
    extra_hosts: list[str] = []
    isolation: str = ""
    privileged: bool = False
    entitlements: list[str] = []
    secrets: list[FileReference] = []
    tags: list[str] = []
    ulimits: dict[str, int | UlimitRange] = {}
    platforms: list[str] = []


class Device(Part, frozen=True, kw_only=True):
    """A device of the host inside the containers; without a target it has the path that it has on the host."""

    source: str = ""
    target: str = ""
    permissions: str = "rwm"


class BlkioConfig(Part, frozen=True, kw_only=True):
    """How much of the disks' time the containers get, beside others."""

    weight: int = 0


class ServiceFile(Part, frozen=True, kw_only=True):
    """One service of a stack file. `environment` has the env files merged in; None is a name without a value."""

    blkio_config: BlkioConfig | None = None
    build: Build | None = None
    cap_add: list[str] = []
    cap_drop: list[str] = []
    cgroup: str = ""
    cgroup_parent: str = ""
    cgroupns_mode: str = ""
    command: list[str] = []
    configs: list[FileReference] = []
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    cpus: str = ""
    cpuset: str = ""
    credential_spec: CredentialSpec = CredentialSpec()
    depends_on: dict[str, Dependency] = {}
    deploy: Deploy = Deploy()
    device_cgroup_rules: list[str] = []
    devices: list[str | Device] = []
    dns: list[str] = []
    dns_opt: list[str] = []
    dns_search: list[str] = []
    domainname: str = ""
    entrypoint: list[str] = []
    environment: dict[str, str | None] = {}
    env_file: list[EnvFile] = []
    extra_hosts: list[str] = []
    group_add: list[str] = []
    healthcheck: Healthcheck | None = None
    hostname: str = ""
    image: str = ""
    init: bool | None = None
    ipc: str = ""
    isolation: str = ""
    labels: dict[str, str] = {}
    logging: Logging | None = None
    mem_limit: int = 0
    mem_reservation: int = 0
    mem_swappiness: int | None = None
    memswap_limit: int = 0
    networks: dict[str, ServiceNetwork | None] = {}
    oom_kill_disable: bool | None = None
    oom_score_adj: int = 0
    pid: str | None = None
    pids_limit: int = 0
    platform: str = ""
    ports: list[Port] = []
    privileged: bool = False
    profiles: list[str] = []
    pull_policy: str = ""
    read_only: bool = False
    restart: str = ""
    scale: int | None = None
    secrets: list[FileReference] = []
    security_opt: list[str] = []
    shm_size: str = ""
    stdin_open: bool = False
    stop_grace_period: int | None = None
    stop_signal: str = ""
    sysctls: dict[str, str] = {}
    tmpfs: list[str] = []
    tty: bool = False
    ulimits: dict[str, int | UlimitRange] = {}
    user: str = ""
    userns_mode: str = ""
    uts: str = ""
    volumes: list[Mount] = []
    working_dir: str = ""


class IpamPool(Part, frozen=True, kw_only=True):
    """One address pool of a network."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: dict[str, str] = {}


class Ipam(Part, frozen=True, kw_only=True):
    """The address pools of a network."""

    driver: str = ""
    config: list[IpamPool] = []
    options: dict[str, str] = {}


class NetworkFile(Part, frozen=True, kw_only=True):
    """A network of a stack file."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = {}
    ipam: Ipam = Ipam()
    external: bool = False
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    labels: dict[str, str] = {}


class VolumeFile(Part, frozen=True, kw_only=True):
    """A volume of a stack file."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] | None = None
    external: bool = False
    labels: dict[str, str] = {}


class FileObject(Part, frozen=True, kw_only=True):
    """A secret or config of a stack file: exactly one of file, environment, content, driver, external."""

    name: str = ""
    file: str = ""
    environment: str = ""
    content: str = ""
    external: bool = False
    labels: dict[str, str] = {}
    driver: str = ""
    driver_opts: dict[str, str] = {}
    template_driver: str = ""


class StackFile(Part, frozen=True, kw_only=True):
    """A whole file, or several merged into one."""

    services: dict[str, ServiceFile] = {}
    networks: dict[str, NetworkFile] = {}
    volumes: dict[str, VolumeFile] = {}
    secrets: dict[str, FileObject] = {}
    configs: dict[str, FileObject] = {}
