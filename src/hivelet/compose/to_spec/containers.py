"""What a service's containers are: the container's part of its spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hivelet.compose import model
from hivelet.compose.capabilities import effective_capabilities
from hivelet.compose.host import host_settings
from hivelet.compose.images import with_default_tag
from hivelet.compose.mounts import convert_mounts
from hivelet.compose.names import with_stack_label
from hivelet.compose.to_spec.cluster_files import (
    KnownIds,
    config_references,
    object_name,
    secret_references,
)
from hivelet.objects.container import Healthcheck, Ulimit
from hivelet.objects.task import ContainerSpec, CredentialSpec, DnsConfig, Privileges


def container_spec(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> ContainerSpec:
    """The container's part of a service's spec."""
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
        secrets=secret_references(stack, service, file, ids),
        configs=config_references(stack, service, file, ids),
        isolation=service.isolation,
        sysctls=service.sysctls,
        capability_add=added,
        capability_drop=dropped,
        ulimits=_ulimits(service.ulimits),
        oom_score_adj=service.oom_score_adj,
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
        ids.configs.get(object_name(stack, given.config, file.configs), "") if given.config else ""
    )
    return Privileges(
        credential_spec=CredentialSpec(config=config, file=given.file, registry=given.registry)
    )


def _ulimits(limits: Mapping[str, int | model.UlimitRange]) -> list[Ulimit]:
    result: list[Ulimit] = []
    for name, limit in sorted(limits.items()):
        soft, hard = (limit, limit) if isinstance(limit, int) else (limit.soft, limit.hard)
        result.append(Ulimit(name=name, soft=soft, hard=hard))
    return result
