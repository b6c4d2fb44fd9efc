"""From a loaded stack file to what the Docker Engine API takes, just as `docker stack deploy` would send it. Pure.

`service_specs`, `network_requests`, `secret_specs` and `config_specs` are the whole of a stack; names get the stack's name in
front, and everything its label. Beyond Docker: `depends_on` travels in a label, the `host_ip` of ports is kept, `tmpfs`
becomes mounts, networks keep gateway and ranges, restart, secrets and configs take the forms of today's specification, limits
outside of `deploy` count where it has none, and host settings (`hivelet.compose.host`) travel in the container spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.compose import model
from hivelet.compose.capabilities import effective_capabilities
from hivelet.compose.host import effective_deploy, host_settings, swap_bytes
from hivelet.compose.images import with_default_tag
from hivelet.compose.mounts import convert_mounts
from hivelet.compose.names import IMAGE_LABEL, scoped, with_stack_label
from hivelet.compose.platforms import platform_constraints
from hivelet.compose.restart import parse_restart
from hivelet.compose.units import parse_cpus
from hivelet.objects.common import Driver
from hivelet.objects.container import Healthcheck, Ulimit
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.secret import ConfigSpec, SecretSpec
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
    ConfigReference,
    ContainerSpec,
    CredentialSpec,
    DiscreteGenericResource,
    DnsConfig,
    GenericResource,
    Limit,
    Placement,
    PlacementPreference,
    PortConfig,
    Privileges,
    ResourceRequirements,
    Resources,
    RestartPolicy,
    SecretReference,
    SecretReferenceFile,
    SpreadOver,
    TaskSpec,
)

_DEFAULT_NETWORK = "default"
_PREDEFINED = frozenset({"", "default", "bridge", "host", "none"})
_CONDITIONS = {
    "service_started": "",
    "service_healthy": ":healthy",
    "service_completed_successfully": ":completed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIds:
    """The ids that secrets and configs have in the cluster, by their whole names."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)


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
            container_spec=_container_spec(stack, service, file, ids),
            resources=_resources(deploy.resources, service),
            restart_policy=_restart_policy(service),
            placement=_placement(deploy.placement, service.platform),
            networks=_service_networks(stack, name, service, file),
            log_driver=_log_driver(service.logging),
        ),
        mode=_mode(deploy),
        update_config=_update_config(deploy.update_config),
        rollback_config=_update_config(deploy.rollback_config),
        endpoint_spec=_endpoint(service),
    )


def used_networks(file: model.StackFile) -> list[str]:
    """The networks that services join, by their names in the file and in its order."""
    names: dict[str, None] = {}
    for service in file.services.values():
        names.update(dict.fromkeys(service.networks or {_DEFAULT_NETWORK: None}))
    return list(names)


def external_networks(file: model.StackFile) -> list[str]:
    """The names of networks that must exist before the stack is deployed."""
    declared = [file.networks[name] for name in used_networks(file) if name in file.networks]
    return [network.name for network in declared if network.external]


def network_requests(stack: str, file: model.StackFile) -> list[dict[str, Any]]:
    """The body of `POST /networks/create` for each network that the stack creates."""
    requests: list[dict[str, Any]] = []
    for name in used_networks(file):
        network = file.networks.get(name, model.NetworkFile())
        if network.external:
            continue
        request: dict[str, Any] = {
            "Name": network.name or scoped(stack, name),
            "Driver": network.driver or "overlay",
            "Labels": with_stack_label(stack, network.labels),
        }
        optional = {
            "Internal": network.internal,
            "Attachable": network.attachable,
            "EnableIPv6": network.enable_ipv6,
            "Options": network.driver_opts,
            "IPAM": _ipam(network.ipam),
        }
        requests.append(request | {key: value for key, value in optional.items() if value})
    return requests


def secret_specs(
    stack: str, file: model.StackFile, contents: Mapping[tuple[str, str], bytes]
) -> list[SecretSpec]:
    """The secrets that the stack creates."""
    return [
        SecretSpec(
            name=secret.name or scoped(stack, name),
            labels=with_stack_label(stack, secret.labels),
            data=contents.get(("secrets", name), b""),
            driver=Driver(name=secret.driver, options=secret.driver_opts)
            if secret.driver
            else None,
            templating=Driver(name=secret.template_driver) if secret.template_driver else None,
        )
        for name, secret in file.secrets.items()
        if not secret.external
    ]


def config_specs(
    stack: str, file: model.StackFile, contents: Mapping[tuple[str, str], bytes]
) -> list[ConfigSpec]:
    """The configs that the stack creates."""
    return [
        ConfigSpec(
            name=config.name or scoped(stack, name),
            labels=with_stack_label(stack, config.labels),
            data=contents.get(("configs", name), b""),
            templating=Driver(name=config.template_driver) if config.template_driver else None,
        )
        for name, config in file.configs.items()
        if not config.external
    ]


def referenced_names(stack: str, file: model.StackFile) -> tuple[set[str], set[str]]:
    """The whole names of all secrets and configs that services use: their ids must be known for `service_specs`."""
    secrets: set[str] = set()
    configs: set[str] = set()
    for service in file.services.values():
        secrets |= {_object_name(stack, use.source, file.secrets) for use in service.secrets}
        configs |= {_object_name(stack, use.source, file.configs) for use in service.configs}
        if service.credential_spec.config:
            configs.add(_object_name(stack, service.credential_spec.config, file.configs))
    return secrets, configs


def _container_spec(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> ContainerSpec:
    added, dropped = effective_capabilities(service.cap_add, service.cap_drop)
    return ContainerSpec(
        **host_settings(service),
        image=with_default_tag(service.image),
        labels=with_stack_label(stack, service.labels),
        command=service.entrypoint,
        args=service.command,
        hostname=service.hostname,
        domainname=service.domainname,
        env=_environment(service.environment),
        dir=service.working_dir,
        user=service.user,
        groups=service.group_add,
        privileges=_privileges(stack, service, file, ids),
        init=service.init,
        stop_signal=service.stop_signal,
        tty=service.tty,
        open_stdin=service.stdin_open,
        read_only=service.read_only,
        mounts=convert_mounts(stack, service, file.volumes),
        stop_grace_period=service.stop_grace_period,
        healthcheck=_healthcheck(service.healthcheck),
        hosts=_hosts(service.extra_hosts),
        dns_config=_dns(service),
        secrets=_secrets(stack, service, file, ids),
        configs=_configs(stack, service, file, ids),
        isolation=service.isolation,
        sysctls=service.sysctls,
        capability_add=added,
        capability_drop=dropped,
        ulimits=_ulimits(service.ulimits),
        oom_score_adj=service.oom_score_adj,
    )


def _depends_on(stack: str, service: model.ServiceFile, file: model.StackFile) -> str:
    return ",".join(
        scoped(stack, name) + _CONDITIONS[dependency.condition]
        for name, dependency in sorted(service.depends_on.items())
        if name in file.services
    )


def _environment(variables: Mapping[str, str | None]) -> list[str]:
    return sorted(name if value is None else f"{name}={value}" for name, value in variables.items())


def _hosts(extra_hosts: Iterable[str]) -> list[str]:
    """`name:address` in the order of /etc/hosts: the address first."""
    parts = (entry.partition(":") for entry in extra_hosts)
    return [f"{address} {name}" for name, colon, address in parts if colon]


def _dns(service: model.ServiceFile) -> DnsConfig | None:
    if not (service.dns or service.dns_search or service.dns_opt):
        return None
    return DnsConfig(nameservers=service.dns, search=service.dns_search, options=service.dns_opt)


def _healthcheck(health: model.Healthcheck | None) -> Healthcheck | None:
    if health is None:
        return None
    if health.disable:
        return Healthcheck(test=["NONE"])
    return Healthcheck(
        test=health.test,
        interval=health.interval or 0,
        timeout=health.timeout or 0,
        start_period=health.start_period or 0,
        start_interval=health.start_interval or 0,
        retries=health.retries or 0,
    )


def _privileges(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> Privileges:
    given = service.credential_spec
    if not (given.config or given.file or given.registry):
        return Privileges()
    config = (
        ids.configs.get(_object_name(stack, given.config, file.configs), "") if given.config else ""
    )
    return Privileges(
        credential_spec=CredentialSpec(config=config, file=given.file, registry=given.registry)
    )


def _object_name(stack: str, source: str, declared: Mapping[str, model.FileObject]) -> str:
    entry = declared.get(source)
    return entry.name if entry is not None and entry.name else scoped(stack, source)


def _reference_file(use: model.FileReference) -> SecretReferenceFile:
    return SecretReferenceFile(
        name=use.target or use.source,
        uid=use.uid or "0",
        gid=use.gid or "0",
        mode=0o444 if use.mode is None else use.mode,
    )


def _secrets(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> list[SecretReference]:
    references: list[SecretReference] = []
    for use in service.secrets:
        name = _object_name(stack, use.source, file.secrets)
        file_target = _reference_file(use)
        references.append(
            SecretReference(file=file_target, secret_id=ids.secrets.get(name, ""), secret_name=name)
        )
    return sorted(references, key=lambda reference: reference.secret_name)


def _configs(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> list[ConfigReference]:
    references: list[ConfigReference] = []
    for use in service.configs:
        name = _object_name(stack, use.source, file.configs)
        file_target = _reference_file(use)
        references.append(
            ConfigReference(file=file_target, config_id=ids.configs.get(name, ""), config_name=name)
        )
    if service.credential_spec.config:
        name = _object_name(stack, service.credential_spec.config, file.configs)
        references.append(
            ConfigReference(runtime={}, config_id=ids.configs.get(name, ""), config_name=name)
        )
    return sorted(references, key=lambda reference: reference.config_name)


def _ulimits(limits: Mapping[str, int | model.UlimitRange]) -> list[Ulimit]:
    result: list[Ulimit] = []
    for name, limit in sorted(limits.items()):
        soft, hard = (limit, limit) if isinstance(limit, int) else (limit.soft, limit.hard)
        result.append(Ulimit(name=name, soft=soft, hard=hard))
    return result


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


def _service_networks(
    stack: str, name: str, service: model.ServiceFile, file: model.StackFile
) -> list[NetworkAttachmentConfig]:
    """Every network with the service's name as an alias, so that it is known by it within the stack."""
    attachments: list[NetworkAttachmentConfig] = []
    for network, use in (service.networks or {_DEFAULT_NETWORK: None}).items():
        declared = file.networks.get(network, model.NetworkFile())
        target = declared.name or scoped(stack, network)
        use = use or model.ServiceNetwork()
        own = [] if target in _PREDEFINED or target.startswith("container:") else [name]
        attachments.append(
            NetworkAttachmentConfig(
                target=target, aliases=[*use.aliases, *own], driver_opts=use.driver_opts
            )
        )
    return sorted(attachments, key=lambda attachment: attachment.target)


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


def _ipam(ipam: model.Ipam) -> dict[str, Any]:
    if not (ipam.driver or ipam.config or ipam.options):
        return {}
    pools = [
        {
            key: value
            for key, value in {
                "Subnet": pool.subnet,
                "IPRange": pool.ip_range,
                "Gateway": pool.gateway,
                "AuxiliaryAddresses": pool.aux_addresses,
            }.items()
            if value
        }
        for pool in ipam.config
    ]
    request: dict[str, Any] = {"Driver": ipam.driver} | ({"Config": pools} if pools else {})
    return request | ({"Options": ipam.options} if ipam.options else {})
