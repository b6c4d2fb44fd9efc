"""Services: specs from clients, and the JSON of services with their defaults and their task counts.

What a client left open is spelled out on the way in only where Docker stores it spelled out (mode, endpoint mode,
update order, …), so that a spec which a client reads, changes and sends back means the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hivelet.convert.body import convert_json
from hivelet.convert.filters import Filters
from hivelet.convert.shape import Json, encode, encode_meta
from hivelet.errors import InvalidParameter
from hivelet.objects.common import ServiceId, Struct
from hivelet.objects.container import HostSettings
from hivelet.objects.defaults import (
    FAILURE_ACTION,
    RESTART_CONDITION,
    STOP_GRACE_PERIOD,
    UPDATE_MONITOR,
    UPDATE_ORDER,
    UPDATE_PARALLELISM,
)
from hivelet.objects.service import (
    EndpointSpec,
    ReplicatedMode,
    Service,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.task import (
    DnsConfig,
    Placement,
    ResourceRequirements,
    RestartPolicy,
    Task,
    TaskSpec,
    TaskState,
)

FILTERS = ("name", "id", "label", "mode", "runtime")
"""What `GET /services` filters by."""

EXTENSIONS = (*HostSettings.__struct_fields__, "domainname")
"""The fields of a container spec that Docker does not have."""

MOUNT_TYPES = frozenset({"bind", "volume", "tmpfs", "npipe", "cluster"})
"""The types that the API has; what of them can be had here is the engine's to say."""

_UPDATE = UpdateConfig(
    parallelism=UPDATE_PARALLELISM,
    failure_action=FAILURE_ACTION,
    monitor=UPDATE_MONITOR,
    order=UPDATE_ORDER,
)
_RESTART = RestartPolicy(condition=RESTART_CONDITION, delay=5_000_000_000, max_attempts=0)


class ServiceCounts(Struct, frozen=True, kw_only=True):
    """How many of a service's tasks run, should run, and have completed (API: `ServiceStatus`)."""

    running: int = 0
    desired: int = 0
    completed: int = 0


def parse_service_spec(data: Json) -> ServiceSpec:
    """A client's service spec, with what Docker spells out spelled out.

    Raises:
        InvalidParameter: a value has the wrong type, or there are several modes.
    """
    spec = convert_json(data, ServiceSpec)
    parsed = spec.replaced(
        mode=_parse_mode(spec.mode),
        task_template=_parse_template(spec.task_template),
        update_config=_parse_update("update", spec.update_config),
        rollback_config=_parse_update("rollback", spec.rollback_config),
        endpoint_spec=_parse_endpoint(spec.endpoint_spec),
    )
    template = parsed.task_template
    if template.container_spec is None and template.runtime in {"", "container"}:
        raise InvalidParameter("mismatched Runtime and *Spec fields")
    return parsed


def carry_extensions(spec: ServiceSpec, present: ServiceSpec) -> ServiceSpec:
    """`spec` with what Docker's client does not know of a container spec taken over from the `present` one."""
    container, known = spec.task_template.container_spec, present.task_template.container_spec
    if container is None or known is None:
        return spec
    extensions = {name: getattr(known, name) for name in EXTENSIONS}
    kept = container.replaced(**extensions)
    return spec.replaced(task_template=spec.task_template.replaced(container_spec=kept))


def encode_service(
    service: Service, *, counts: ServiceCounts | None = None, defaults: bool = False
) -> Json:
    """A service as `GET /services/{id}` answers it; `defaults` spells out every default of its spec."""
    answer = encode_meta(service.id, service.meta)
    answer["Spec"] = encode_spec(_with_defaults(service.spec) if defaults else service.spec)
    if service.previous_spec is not None:
        answer["PreviousSpec"] = encode_spec(service.previous_spec)
    answer["Endpoint"] = {"Spec": {}} if service.endpoint is None else encode(service.endpoint)
    if service.update_status is not None and service.update_status.state:
        answer["UpdateStatus"] = encode(service.update_status)
    if counts is not None:
        answer["ServiceStatus"] = {
            "RunningTasks": counts.running,
            "DesiredTasks": counts.desired,
            "CompletedTasks": counts.completed,
        }
    if service.job_status is not None:
        answer["JobStatus"] = encode(service.job_status)
    return answer


def encode_spec(spec: ServiceSpec) -> Json:
    """A service spec as Docker shows it."""
    job = spec.mode.replicated_job
    if job is not None:
        # The docker CLI follows both pointers without looking whether they are there.
        spec = spec.replaced(mode=ServiceMode(replicated_job=job.spelled_out))
    answer: Json = encode(spec)
    template = spec.task_template
    # `docker service update --replicas-max-per-node` writes into the placement without asking whether there is one.
    template = template.replaced(placement=template.placement or Placement())
    answer["TaskTemplate"] = encode_task_spec(template)
    answer["TaskTemplate"].setdefault("Runtime", "container")
    return answer


def encode_task_spec(spec: TaskSpec) -> Json:
    """A task template as Docker shows it."""
    answer: Json = encode(spec)
    if "ContainerSpec" in answer:
        answer["ContainerSpec"].setdefault("Isolation", "default")
    return answer


def select_services(services: Iterable[Service], filters: Filters) -> list[Service]:
    """The services that a list call asked for."""
    return [
        service
        for service in services
        if filters.prefix("name", service.spec.name)
        and filters.prefix("id", service.id)
        and filters.labels("label", service.spec.labels)
        and filters.exact("mode", mode_name(service.spec.mode))
        and filters.exact("runtime", service.spec.task_template.runtime or "container")
    ]


def mode_name(mode: ServiceMode) -> str:
    """The mode as the filter and the docker CLI name it."""
    if mode.global_ is not None:
        return "global"
    if mode.replicated_job is not None:
        return "replicated-job"
    if mode.global_job is not None:
        return "global-job"
    return "replicated"


def count_tasks(
    services: Iterable[Service], tasks: Iterable[Task]
) -> Mapping[ServiceId, ServiceCounts]:
    """The counts of each service.

    The desired number of a replicated service is its replicas, of a replicated job its concurrency, of a global
    service or job the tasks that are meant to run. Only tasks of a job's present iteration count.
    """
    by_service: dict[ServiceId, list[Task]] = {}
    for task in tasks:
        by_service.setdefault(task.service_id, []).append(task)
    return {service.id: _count(service, by_service.get(service.id, [])) for service in services}


def _count(service: Service, tasks: list[Task]) -> ServiceCounts:
    mode, job = service.spec.mode, service.job_status
    if job is not None:
        tasks = [task for task in tasks if task.job_iteration == job.job_iteration]
    if mode.global_ is not None:
        desired = sum(task.desired_state == TaskState.RUNNING for task in tasks)
    elif mode.global_job is not None:
        desired = sum(task.wanted and not task.status.state.terminal for task in tasks)
    elif mode.replicated_job is not None:
        desired = mode.replicated_job.concurrency
    else:
        desired = service.replicas
    return ServiceCounts(
        running=sum(task.status.state == TaskState.RUNNING for task in tasks),
        desired=desired,
        completed=sum(task.status.state == TaskState.COMPLETE for task in tasks) if job else 0,
    )


def _parse_mode(mode: ServiceMode) -> ServiceMode:
    modes = (mode.replicated, mode.global_, mode.replicated_job, mode.global_job)
    given = sum(part is not None for part in modes)
    if given > 1:
        raise InvalidParameter("must specify only one service mode")
    if mode.replicated_job is not None:
        return ServiceMode(replicated_job=mode.replicated_job.spelled_out)
    if given and mode.replicated is None:
        return mode
    replicas = None if mode.replicated is None else mode.replicated.replicas
    return ServiceMode(replicated=ReplicatedMode(replicas=1 if replicas is None else replicas))


def _parse_template(spec: TaskSpec) -> TaskSpec:
    restart = spec.restart_policy
    if restart is not None:
        condition = restart.condition or RESTART_CONDITION
        if condition not in {"none", "on-failure", "any"}:
            raise InvalidParameter(f'invalid RestartCondition: "{condition}"')
        restart = restart.replaced(condition=condition, max_attempts=restart.max_attempts or 0)
    container = spec.container_spec
    for mount in container.mounts if container else ():
        if mount.type not in MOUNT_TYPES:
            raise InvalidParameter(f'invalid MountType: "{mount.type}"')
    for config in container.configs if container else ():
        if config.file is not None and config.runtime is not None:
            raise InvalidParameter("invalid Config: cannot specify both File and Runtime")
        if config.file is None and config.runtime is None:
            raise InvalidParameter("invalid Config: either File or Runtime should be set")
    if container is not None and container.isolation == "default":
        container = container.replaced(isolation="")
    # An empty part of the template is what the docker CLI sends for one that was never mentioned.
    resources = spec.resources if spec.resources and encode(spec.resources) else None
    placement = spec.placement if spec.placement and encode(spec.placement) else None
    return spec.replaced(
        restart_policy=restart,
        container_spec=container,
        resources=resources,
        placement=placement,
        runtime="" if spec.runtime == "container" else spec.runtime,
    )


def _parse_update(noun: str, config: UpdateConfig | None) -> UpdateConfig | None:
    if config is None:
        return None
    action, order = config.failure_action or FAILURE_ACTION, config.order or UPDATE_ORDER
    if action not in {"pause", "continue", "rollback"}:
        raise InvalidParameter(f"unrecognized {noun} failure action {action}")
    if order not in {"stop-first", "start-first"}:
        raise InvalidParameter(f"unrecognized {noun} order {order}")
    # A monitor period of 0 is one that was never given, as Go leaves both out.
    return config.replaced(failure_action=action, order=order, monitor=config.monitor or None)


def _parse_endpoint(spec: EndpointSpec | None) -> EndpointSpec | None:
    if spec is None:
        return None
    ports = [
        port.replaced(protocol=port.protocol or "tcp", publish_mode=port.publish_mode or "ingress")
        for port in spec.ports
    ]
    if (spec.mode or "vip") not in {"vip", "dnsrr"}:
        raise InvalidParameter(f'invalid resolution mode: "{spec.mode}"')
    return spec.replaced(mode=spec.mode or "vip", ports=ports)


def _with_defaults(spec: ServiceSpec) -> ServiceSpec:
    template = spec.task_template
    container = template.container_spec
    if container is not None:
        grace = container.stop_grace_period
        container = container.replaced(
            stop_grace_period=STOP_GRACE_PERIOD if grace is None else grace,
            dns_config=container.dns_config or DnsConfig(),
        )
    return spec.replaced(
        task_template=template.replaced(
            container_spec=container,
            resources=template.resources or ResourceRequirements(),
            restart_policy=template.restart_policy or _RESTART,
        ),
        update_config=spec.update_config or _UPDATE,
        rollback_config=spec.rollback_config or _UPDATE,
        endpoint_spec=spec.endpoint_spec or EndpointSpec(mode="vip"),
    )
