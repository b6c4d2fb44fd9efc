"""Services: the user's intent, the endpoint the allocator gave, and how an update stands."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from hivelet.objects.common import (
    Annotations,
    Duration,
    Float32,
    Meta,
    NetworkId,
    ServiceId,
    Struct,
    UInt64,
    Version,
)
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.task import PortConfig, TaskSpec

DEPENDS_ON_LABEL = "com.hivelet.depends-on"
"""Service label that carries `depends_on` through the Docker API: `name[:condition],…`.

Names are whole service names (`myapp_rabbit`); the condition is started (where none is given), healthy or completed.
"""

STACK_LABEL = "com.docker.stack.namespace"
"""The label by which the docker CLI marks everything that belongs to a stack."""


class ReplicatedMode(Struct, frozen=True, kw_only=True):
    """So many replicas; None means 1."""

    replicas: UInt64 | None = None


class GlobalMode(Struct, frozen=True, kw_only=True):
    """One task on each node."""


class ReplicatedJobMode(Struct, frozen=True, kw_only=True):
    """Run until so many tasks have completed: `concurrency` at a time, `completions` in all."""

    max_concurrent: UInt64 | None = None
    total_completions: UInt64 | None = None

    @property
    def concurrency(self) -> int:
        """Tasks at a time: 1 where nothing was said (Docker's API); 0 runs nothing."""
        return 1 if self.max_concurrent is None else self.max_concurrent

    @property
    def completions(self) -> int:
        """Tasks that must complete: as many as run at a time where nothing was said (Docker's API)."""
        return self.concurrency if self.total_completions is None else self.total_completions

    @property
    def spelled_out(self) -> ReplicatedJobMode:
        """The same with both numbers given."""
        return ReplicatedJobMode(
            max_concurrent=self.concurrency, total_completions=self.completions
        )


class GlobalJobMode(Struct, frozen=True, kw_only=True):
    """Run one task to completion on each node."""


class ServiceMode(Struct, frozen=True, kw_only=True):
    """Exactly one of the modes is set; none given means replicated with one replica."""

    replicated: ReplicatedMode | None = None
    global_: GlobalMode | None = field(default=None, name="Global")
    replicated_job: ReplicatedJobMode | None = None
    global_job: GlobalJobMode | None = None

    @property
    def is_job(self) -> bool:
        """Whether its tasks are to complete, not to run for ever."""
        return self.replicated_job is not None or self.global_job is not None

    @property
    def is_global(self) -> bool:
        """Whether its slots are the nodes, not numbers."""
        return self.global_ is not None or self.global_job is not None


class UpdateConfig(Struct, frozen=True, kw_only=True):
    """How an update or rollback proceeds (durations in nanoseconds; parallelism 0 means all at once)."""

    parallelism: UInt64 = 0
    delay: Duration = 0
    failure_action: str = ""
    monitor: Duration | None = None
    max_failure_ratio: Float32 = 0.0
    order: str = ""


class EndpointSpec(Struct, frozen=True, kw_only=True):
    """How a service is reached: mode vip or dnsrr, and its published ports."""

    mode: str = ""
    ports: list[PortConfig] = []


class EndpointVirtualIP(Struct, frozen=True, kw_only=True):
    """A service's virtual address in one network, in CIDR notation."""

    network_id: NetworkId = field(name="NetworkID")
    addr: str = ""


class Endpoint(Struct, frozen=True, kw_only=True):
    """What the allocator gave a service: the ports with published numbers, and one VIP for each network."""

    spec: EndpointSpec = EndpointSpec()
    ports: list[PortConfig] = []
    virtual_ips: list[EndpointVirtualIP] = field(default_factory=list, name="VirtualIPs")


class UpdateStatus(Struct, frozen=True, kw_only=True):
    """How the latest update stands.

    States: updating, paused, completed, rollback_started, rollback_paused, rollback_completed.
    """

    state: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    message: str = ""


class JobStatus(Struct, frozen=True, kw_only=True):
    """The iteration of a job and when it was last started."""

    job_iteration: Version = Version()
    last_execution: datetime | None = None


class ServiceSpec(Struct, frozen=True, kw_only=True):
    """A service as the user asked for it (API: `ServiceSpec`)."""

    name: str = ""
    labels: dict[str, str] = {}
    task_template: TaskSpec = TaskSpec()
    mode: ServiceMode = ServiceMode()
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    networks: list[NetworkAttachmentConfig] = []
    """The API's old place for networks, before `TaskTemplate.Networks`; read where the latter is empty."""
    endpoint_spec: EndpointSpec | None = None


class Service(Struct, frozen=True, kw_only=True):
    """A service. `spec_version` moves with every write of `spec`; tasks remember the one they were made from."""

    id: ServiceId = field(name="ID")
    meta: Meta = Meta()
    spec: ServiceSpec = ServiceSpec()
    previous_spec: ServiceSpec | None = None
    spec_version: Version = Version()
    previous_spec_version: Version | None = None
    registry_auth: str = ""
    """Credentials for the registry of the spec's image, as `X-Registry-Auth` has them; never shown."""
    previous_registry_auth: str = ""
    """Those of the previous spec's."""
    endpoint: Endpoint | None = None
    update_status: UpdateStatus | None = None
    job_status: JobStatus | None = None
    pending_delete: bool = False
    """Removed by the user; kept without being shown until its last task is gone, so that connections can drain."""

    @property
    def is_updating(self) -> bool:
        """Whether an update or rollback is under way, so that every task's move may matter to it."""
        status = self.update_status
        return status is not None and status.state in {"updating", "rollback_started"}

    @property
    def annotations(self) -> Annotations:
        """The service's name and labels, as its tasks remember them."""
        return Annotations(name=self.spec.name, labels=self.spec.labels)

    @property
    def networks(self) -> list[NetworkAttachmentConfig]:
        """The networks that the service's tasks join."""
        return self.spec.task_template.networks or self.spec.networks

    @property
    def replicas(self) -> int:
        """How many slots a replicated service wants (1 where nothing was said; 0 for other modes)."""
        mode = self.spec.mode
        if mode.replicated is not None:
            return 1 if mode.replicated.replicas is None else mode.replicated.replicas
        others = (mode.global_, mode.replicated_job, mode.global_job)
        return 1 if all(other is None for other in others) else 0
