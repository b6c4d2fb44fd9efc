"""Tasks: the attempts to run a slot. Their spec, their status, and what they are attached to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import field

from hivelet.objects.common import (
    Annotations,
    ContainerId,
    Driver,
    Duration,
    FileMode,
    Meta,
    NetworkId,
    NodeId,
    Platform,
    ServiceId,
    Struct,
    TaskId,
    UInt32,
    UInt64,
    Version,
)
from hivelet.objects.container import Healthcheck, HostSettings, Mount, Ulimit
from hivelet.objects.network import NetworkAttachmentConfig


class TaskState(StrEnum):
    """SwarmKit's task states. `order` says which is further along; a task never moves back."""

    NEW = "new"
    PENDING = "pending"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    READY = "ready"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETE = "complete"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    REJECTED = "rejected"
    REMOVE = "remove"
    ORPHANED = "orphaned"

    @property
    def order(self) -> int:
        """The state's place on the one-way road from NEW to ORPHANED."""
        return _ORDER[self]

    @property
    def terminal(self) -> bool:
        """Whether nothing runs any more and nothing will."""
        return self.order > TaskState.RUNNING.order


_ORDER = {state: place for place, state in enumerate(TaskState)}

DRAINING, STOPPING = "draining: ", "stopping: "
"""How the messages of a RUNNING task begin that is on its way out."""


class SecretReferenceFile(Struct, frozen=True, kw_only=True):
    """Where a secret or config appears in a container. `mode` is a file mode; uid and gid are strings as in the API."""

    name: str = ""
    uid: str = field(default="0", name="UID")
    gid: str = field(default="0", name="GID")
    mode: FileMode = 0o444


class SecretReference(Struct, frozen=True, kw_only=True):
    """A secret that a container may read."""

    file: SecretReferenceFile | None = None
    secret_id: str = field(default="", name="SecretID")
    secret_name: str = ""


class ConfigReference(Struct, frozen=True, kw_only=True):
    """A config that a container may read."""

    file: SecretReferenceFile | None = None
    runtime: dict[str, str] | None = None
    config_id: str = field(default="", name="ConfigID")
    config_name: str = ""


class DnsConfig(Struct, frozen=True, kw_only=True):
    """Resolver settings of a task's containers."""

    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []


class SeLinuxContext(Struct, frozen=True, kw_only=True):
    """SELinux labels."""

    disable: bool = False
    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class CredentialSpec(Struct, frozen=True, kw_only=True):
    """A Windows credential spec; kept as it was given."""

    config: str = ""
    file: str = ""
    registry: str = ""


class SeccompOpts(Struct, frozen=True, kw_only=True):
    """Seccomp settings of a service's containers (mode: default, unconfined, custom)."""

    mode: str = ""
    profile: str = ""


class AppArmorOpts(Struct, frozen=True, kw_only=True):
    """AppArmor settings of a service's containers (mode: default, disabled)."""

    mode: str = ""


class Privileges(Struct, frozen=True, kw_only=True):
    """Security settings of a service's containers."""

    credential_spec: CredentialSpec | None = None
    se_linux_context: SeLinuxContext | None = field(default=None, name="SELinuxContext")
    seccomp: SeccompOpts | None = None
    app_armor: AppArmorOpts | None = None
    no_new_privileges: bool = False


class ContainerSpec(HostSettings, frozen=True, kw_only=True):
    """The container that each task of a service runs (API: `ContainerSpec`; durations in nanoseconds).

    The host settings and `domainname` are hivelet's extension: Docker has them for plain containers alone.
    """

    image: str = ""
    labels: dict[str, str] = {}
    command: list[str] = []
    args: list[str] = []
    hostname: str = ""
    domainname: str = ""
    env: list[str] = []
    dir: str = ""
    user: str = ""
    groups: list[str] = []
    privileges: Privileges | None = None
    init: bool | None = None
    stop_signal: str = ""
    tty: bool = field(default=False, name="TTY")
    open_stdin: bool = False
    read_only: bool = False
    mounts: list[Mount] = []
    stop_grace_period: Duration | None = None
    healthcheck: Healthcheck | None = None
    hosts: list[str] = []
    dns_config: DnsConfig | None = field(default=None, name="DNSConfig")
    secrets: list[SecretReference] = []
    configs: list[ConfigReference] = []
    isolation: str = ""
    sysctls: dict[str, str] = {}
    capability_add: list[str] = []
    capability_drop: list[str] = []
    ulimits: list[Ulimit] = []
    oom_score_adj: int = 0


class Limit(Struct, frozen=True, kw_only=True):
    """What a task may use at most: nano-CPUs, bytes, processes; 0 means no limit."""

    nano_cpus: int = field(default=0, name="NanoCPUs")
    memory_bytes: int = 0
    pids: int = 0


class NamedGenericResource(Struct, frozen=True, kw_only=True):
    """A generic resource with names, such as one GPU by its id."""

    kind: str = ""
    value: str = ""


class DiscreteGenericResource(Struct, frozen=True, kw_only=True):
    """A generic resource that is counted."""

    kind: str = ""
    value: int = 0


class GenericResource(Struct, frozen=True, kw_only=True):
    """One of the two kinds of generic resources."""

    named_resource_spec: NamedGenericResource | None = None
    discrete_resource_spec: DiscreteGenericResource | None = None


class Resources(Struct, frozen=True, kw_only=True):
    """An amount of a node's resources: nano-CPUs and bytes."""

    nano_cpus: int = field(default=0, name="NanoCPUs")
    memory_bytes: int = 0
    generic_resources: list[GenericResource] = []


class ResourceRequirements(Struct, frozen=True, kw_only=True):
    """What a task may use at most and what the scheduler must keep for it."""

    limits: Limit | None = None
    reservations: Resources | None = None
    swap_bytes: int | None = None
    memory_swappiness: int | None = None


class RestartPolicy(Struct, frozen=True, kw_only=True):
    """When a finished task is replaced (condition: none, on-failure, any; durations in nanoseconds).

    `delay` None means "none given": at once, then with backoff. `max_attempts` 0 means no limit.
    """

    condition: str = ""
    delay: Duration | None = None
    max_attempts: UInt64 | None = None
    window: Duration | None = None


class SpreadOver(Struct, frozen=True, kw_only=True):
    """Spread tasks evenly over the values of a node label."""

    spread_descriptor: str = ""


class PlacementPreference(Struct, frozen=True, kw_only=True):
    """One placement preference; spreading is the only kind there is."""

    spread: SpreadOver | None = None


class Placement(Struct, frozen=True, kw_only=True):
    """Where tasks may run."""

    constraints: list[str] = []
    preferences: list[PlacementPreference] = []
    max_replicas: UInt64 = 0
    platforms: list[Platform] = []


class TaskSpec(Struct, frozen=True, kw_only=True):
    """What a service wants each of its tasks to be. `depends_on` is hivelet's own (see `hivelet.objects.service`)."""

    container_spec: ContainerSpec | None = None
    resources: ResourceRequirements | None = None
    restart_policy: RestartPolicy | None = None
    placement: Placement | None = None
    networks: list[NetworkAttachmentConfig] = []
    log_driver: Driver | None = None
    force_update: UInt64 = 0
    runtime: str = ""


class ContainerStatus(Struct, frozen=True, kw_only=True):
    """The container behind a task, as the agent reports it."""

    container_id: ContainerId = field(default=ContainerId(""), name="ContainerID")
    pid: int = field(default=0, name="PID")
    exit_code: int = 0


class PortConfig(Struct, frozen=True, kw_only=True):
    """A published port (protocol tcp, udp, sctp; publish mode ingress, host); published 0 means "choose one".

    `host_ip` is hivelet's extension: the one address of the host that the port is bound to; "" means all.
    """

    name: str = ""
    protocol: str = "tcp"
    target_port: UInt32 = 0
    published_port: UInt32 = 0
    publish_mode: str = "ingress"
    host_ip: str = field(default="", name="HostIP")


class PortStatus(Struct, frozen=True, kw_only=True):
    """The host-mode ports that a task holds."""

    ports: list[PortConfig] = []


class TaskStatus(Struct, frozen=True, kw_only=True):
    """What the agent (or, up to ASSIGNED, the manager) last said of a task."""

    timestamp: datetime | None = None
    state: TaskState = TaskState.NEW
    message: str = ""
    err: str = ""
    container_status: ContainerStatus | None = None
    port_status: PortStatus | None = None

    @property
    def leaving(self) -> bool:
        """Whether the agent has told that the task, RUNNING still, is on its way out."""
        return self.state is TaskState.RUNNING and self.message.startswith((DRAINING, STOPPING))


class NetworkAttachment(Struct, frozen=True, kw_only=True):
    """A task's place in one network: addresses in CIDR notation."""

    network_id: NetworkId = field(name="NetworkID")
    addresses: list[str] = []
    aliases: list[str] = []
    driver_opts: dict[str, str] = {}


class RestartHistory(Struct, frozen=True, kw_only=True):
    """What a task knows of the earlier attempts at its slot, as far as the restart policy asks for it.

    Carried from task to task in the store, so that a crash loop stays one across restarts of the daemon. `total`
    counts restarts under the present spec, `failures` those in a row without a stable run between them, `moments` are
    the restarts inside the policy's window, `last_error` says how the attempt before ended.
    """

    total: int = 0
    failures: int = 0
    moments: list[datetime] = []
    last_error: str = ""


class Task(Struct, frozen=True, kw_only=True):
    """One attempt to run a slot of a service.

    `slot` is 0 for tasks of global services, which are told apart by `node_id`. `desired_state` is written by the
    manager alone, `status` past ASSIGNED by the agent alone; `hivelet.objects.transitions` is the table.
    """

    id: TaskId = field(name="ID")
    meta: Meta = Meta()
    annotations: Annotations = Annotations()
    service_id: ServiceId = field(default=ServiceId(""), name="ServiceID")
    service_annotations: Annotations = Annotations()
    slot: int = 0
    node_id: NodeId = field(default=NodeId(""), name="NodeID")
    spec: TaskSpec = TaskSpec()
    spec_version: Version | None = None
    """The version of the service whose spec this task was made from; older tasks are compared field by field."""
    status: TaskStatus = TaskStatus()
    desired_state: TaskState = TaskState.NEW
    networks: list[NetworkAttachment] = []
    ports: list[PortConfig] = []
    """The service's published ports at the time of creation (API: `Endpoint.Ports`); host-mode ones are held by the task."""
    log_driver: Driver | None = None
    registry_auth: str = ""
    """Credentials with which its image is pulled, as `X-Registry-Auth` has them; never shown."""
    generic_resources: list[GenericResource] = []
    """What of its node's generic resources the scheduler gave it."""
    job_iteration: Version | None = None
    start_after: datetime | None = None
    """Not to be moved past READY before this moment (restart delay)."""
    started_at: datetime | None = None
    """When it first reached RUNNING; stamped by the store."""
    restarts: RestartHistory = RestartHistory()
    made_by_update: datetime | None = None
    """When the update or rollback began that made it in place of another task; None where none did."""
    evicted: str = ""
    """Why it had to leave its node; "" where it did not."""

    @property
    def wanted(self) -> bool:
        """Whether it should run, or for a job's task have run: nobody has asked for its end."""
        return self.desired_state.order <= TaskState.COMPLETE.order

    @property
    def goal(self) -> TaskState:
        """The desired state of a task that nothing holds back: a job's is to complete, any other's to run."""
        return TaskState.RUNNING if self.job_iteration is None else TaskState.COMPLETE

    @property
    def slot_key(self) -> tuple[str, str]:
        """SwarmKit's SlotTuple: which slot this task is an attempt at."""
        return (self.service_id, str(self.slot) if self.slot else self.node_id)

    @property
    def name(self) -> str:
        """`SERVICE.SLOT.TASKID`, or `SERVICE.NODEID.TASKID` for a global service, as Docker names its container."""
        middle = str(self.slot) if self.slot else self.node_id
        return f"{self.service_annotations.name}.{middle}.{self.id}"
