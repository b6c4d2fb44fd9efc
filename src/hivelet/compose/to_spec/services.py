"""A service of the file as the spec of a service of the swarm."""

from __future__ import annotations

from hivelet.compose import model
from hivelet.compose.host import effective_deploy, swap_bytes
from hivelet.compose.names import IMAGE_LABEL, scoped, with_stack_label
from hivelet.compose.platforms import platform_constraints
from hivelet.compose.restart import parse_restart
from hivelet.compose.to_spec.cluster_files import KnownIds
from hivelet.compose.to_spec.containers import container_spec
from hivelet.compose.to_spec.networks import service_networks
from hivelet.compose.units import parse_cpus
from hivelet.objects.common import Driver
from hivelet.objects.service import (
    DEPENDS_ON_LABEL,
    EndpointSpec,
    GlobalJobMode,
    GlobalMode,
    ReplicatedJobMode,
    ReplicatedMode,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.task import (
    DiscreteGenericResource,
    GenericResource,
    Limit,
    Placement,
    PlacementPreference,
    PortConfig,
    ResourceRequirements,
    Resources,
    RestartPolicy,
    SpreadOver,
    TaskSpec,
)

_CONDITIONS = {
    "service_started": "",
    "service_healthy": ":healthy",
    "service_completed_successfully": ":completed",
}


def service_specs(stack: str, file: model.StackFile, ids: KnownIds) -> dict[str, ServiceSpec]:
    """Every service of the stack by its name in the file."""
    return {name: service_spec(stack, name, file, ids) for name in file.services}


def service_spec(stack: str, name: str, file: model.StackFile, ids: KnownIds) -> ServiceSpec:
    """The service called `name` in the file."""
    service = file.services[name]
    deploy = effective_deploy(service)
    labels = with_stack_label(stack, deploy.labels) | {IMAGE_LABEL: service.image}
    depends_on = _depends_on(stack, service, file)
    return ServiceSpec(
        name=scoped(stack, name),
        labels=labels | ({DEPENDS_ON_LABEL: depends_on} if depends_on else {}),
        task_template=TaskSpec(
            container_spec=container_spec(stack, service, file, ids),
            resources=_resources(deploy.resources, service),
            restart_policy=_restart_policy(service),
            placement=_placement(deploy.placement, service.platform),
            networks=service_networks(stack, name, service, file),
            log_driver=_log_driver(service.logging),
        ),
        mode=_mode(deploy),
        update_config=_update_config(deploy.update_config),
        rollback_config=_update_config(deploy.rollback_config),
        endpoint_spec=_endpoint(service),
    )


def _depends_on(stack: str, service: model.ServiceFile, file: model.StackFile) -> str:
    return ",".join(
        scoped(stack, name) + _CONDITIONS[dependency.condition]
        for name, dependency in sorted(service.depends_on.items())
        if name in file.services
    )


def _resources(resources: model.Resources, service: model.ServiceFile) -> ResourceRequirements:
    limits, reserved = resources.limits, resources.reservations
    return ResourceRequirements(
        limits=None
        if limits is None
        else Limit(nano_cpus=_nano_cpus(limits.cpus), memory_bytes=limits.memory, pids=limits.pids),
        reservations=None
        if reserved is None
        else Resources(
            nano_cpus=_nano_cpus(reserved.cpus),
            memory_bytes=reserved.memory,
            generic_resources=[_generic(entry) for entry in reserved.generic_resources],
        ),
        swap_bytes=swap_bytes(service.memswap_limit, limits.memory if limits else 0),
        memory_swappiness=service.mem_swappiness,
    )


def _nano_cpus(text: str) -> int:
    return parse_cpus(text) if text else 0


def _generic(entry: model.GenericResource) -> GenericResource:
    given = entry.discrete_resource_spec
    if given is None:
        return GenericResource()
    return GenericResource(
        discrete_resource_spec=DiscreteGenericResource(kind=given.kind, value=given.value)
    )


def _restart_policy(service: model.ServiceFile) -> RestartPolicy | None:
    given = service.deploy.restart_policy
    if given is None:
        return parse_restart(service.restart)
    return RestartPolicy(
        condition=given.condition,
        delay=given.delay,
        max_attempts=given.max_attempts,
        window=given.window,
    )


def _placement(placement: model.Placement, platform: str) -> Placement:
    own = platform_constraints(platform) if platform else []
    preferences = [
        PlacementPreference(spread=SpreadOver(spread_descriptor=preference.spread))
        for preference in placement.preferences
    ]
    return Placement(
        constraints=[*placement.constraints, *own],
        preferences=preferences,
        max_replicas=placement.max_replicas_per_node,
    )


def _log_driver(logging: model.Logging | None) -> Driver | None:
    return None if logging is None else Driver(name=logging.driver, options=logging.options)


def _mode(deploy: model.Deploy) -> ServiceMode:
    match deploy.mode:
        case "global":
            return ServiceMode(global_=GlobalMode())
        case "global-job":
            return ServiceMode(global_job=GlobalJobMode())
        case "replicated-job":
            job = ReplicatedJobMode(
                max_concurrent=deploy.replicas, total_completions=deploy.replicas
            )
            return ServiceMode(replicated_job=job)
        case _:
            return ServiceMode(replicated=ReplicatedMode(replicas=deploy.replicas))


def _update_config(config: model.UpdateConfig | None) -> UpdateConfig | None:
    if config is None:
        return None
    return UpdateConfig(
        parallelism=1 if config.parallelism is None else config.parallelism,
        delay=config.delay,
        failure_action=config.failure_action,
        monitor=config.monitor or None,
        max_failure_ratio=config.max_failure_ratio,
        order=config.order,
    )


def _endpoint(service: model.ServiceFile) -> EndpointSpec:
    ports = [
        PortConfig(
            protocol=port.protocol or "tcp",
            target_port=port.target,
            published_port=port.published,
            publish_mode=port.mode or "ingress",
            host_ip=port.host_ip,
        )
        for port in service.ports
    ]
    return EndpointSpec(
        mode=service.deploy.endpoint_mode, ports=sorted(ports, key=lambda port: port.published_port)
    )
