"""From a task to the container that runs it, as data. Pure: the counterpart of SwarmKit's `dockerexec/container.go`.

What is written here is what `docker inspect` shows of a task's container.
"""

from __future__ import annotations

from dataclasses import dataclass

from hivelet.objects.common import SECOND
from hivelet.objects.container import (
    ContainerConfig,
    HostConfig,
    HostSettings,
    LogConfig,
)
from hivelet.objects.defaults import STOP_GRACE_PERIOD
from hivelet.objects.generic import environment
from hivelet.objects.node import Node
from hivelet.objects.task import ContainerSpec, Privileges, Task
from hivelet.objects.templating import expand_container, template_context

_LABEL = "com.docker.swarm."


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """What the engine is asked to create for a task."""

    name: str
    config: ContainerConfig
    host: HostConfig


def build_container(task: Task, node: Node) -> ContainerRequest:
    """The container of `task` on `node`, its templates filled in.

    Raises:
        InvalidParameter: a template can't be filled in; names the field.
    """
    spec = expanded_spec(task, node)
    return ContainerRequest(
        name=task.name, config=_config(task, node, spec), host=_host(task, spec)
    )


def expanded_spec(task: Task, node: Node) -> ContainerSpec:
    """The task's container spec with its templates filled in."""
    return expand_container(
        task.spec.container_spec or ContainerSpec(), template_context(task, node)
    )


def task_labels(task: Task, node: Node) -> dict[str, str]:
    """The labels by which Docker's clients recognise a task's container."""
    return {
        _LABEL + "node.id": node.id,
        _LABEL + "service.id": task.service_id,
        _LABEL + "service.name": task.service_annotations.name,
        _LABEL + "task": "",
        _LABEL + "task.id": task.id,
        _LABEL + "task.name": task.name,
    }


def network_mode(task: Task) -> str:
    """`host` or `none` where the service names one of these, alone or beside others; else its networks are the cluster's."""
    named = {attachment.network_id for attachment in task.networks}
    return next((mode for mode in ("host", "none") if mode in named), "default")


def stop_grace_seconds(task: Task) -> float:
    """How long the container may take between its stop signal and SIGKILL."""
    spec = task.spec.container_spec or ContainerSpec()
    given = spec.stop_grace_period
    return (STOP_GRACE_PERIOD if given is None else given) / SECOND


def _config(task: Task, node: Node, spec: ContainerSpec) -> ContainerConfig:
    return ContainerConfig(
        hostname=spec.hostname,
        domainname=spec.domainname,
        user=spec.user,
        env=[*environment(task.generic_resources), *spec.env],
        tty=spec.tty,
        open_stdin=spec.open_stdin,
        image=spec.image,
        cmd=spec.args or None,
        entrypoint=spec.command or None,
        working_dir=spec.dir,
        stop_signal=spec.stop_signal,
        stop_timeout=int(stop_grace_seconds(task)),
        labels=spec.labels | task_labels(task, node),
        healthcheck=spec.healthcheck,
        exposed_ports={f"{port.target_port}/{port.protocol}": {} for port in task.ports},
    )


def _host(task: Task, spec: ContainerSpec) -> HostConfig:
    limits = task.spec.resources.limits if task.spec.resources else None
    reservations = task.spec.resources.reservations if task.spec.resources else None
    driver = task.spec.log_driver or task.log_driver
    requirements = task.spec.resources
    swap = requirements.swap_bytes if requirements else None
    dns = spec.dns_config
    settings = {name: getattr(spec, name) for name in HostSettings.__struct_fields__}
    return HostConfig(
        **settings | {"security_opt": [*_security(spec.privileges), *spec.security_opt]},
        network_mode=network_mode(task),
        mounts=spec.mounts,
        extra_hosts=[_extra_host(entry) for entry in spec.hosts],
        dns=dns.nameservers if dns else [],
        dns_search=dns.search if dns else [],
        dns_options=dns.options if dns else [],
        group_add=spec.groups,
        cap_add=spec.capability_add,
        cap_drop=spec.capability_drop,
        readonly_rootfs=spec.read_only,
        sysctls=spec.sysctls,
        ulimits=spec.ulimits,
        init=spec.init,
        isolation=spec.isolation,
        oom_score_adj=spec.oom_score_adj,
        log_config=LogConfig(type=driver.name, config=driver.options)
        if driver and driver.name
        else LogConfig(),
        nano_cpus=limits.nano_cpus if limits else 0,
        memory=limits.memory_bytes if limits else 0,
        pids_limit=(limits.pids or None) if limits else None,
        memory_reservation=reservations.memory_bytes if reservations else 0,
        memory_swap=_memory_and_swap(limits.memory_bytes if limits else 0, swap),
        memory_swappiness=requirements.memory_swappiness if requirements else None,
    )


def _memory_and_swap(memory: int, swap: int | None) -> int:
    """Containers limit memory and swap together, services swap alone; 0 is "not given", -1 no limit."""
    if swap is None or not memory:
        return 0
    return -1 if swap < 0 else memory + swap


def _extra_host(entry: str) -> str:
    """A service's `IP name [alias…]` in the `name:IP` form of containers; the latter passes as it is."""
    parts = entry.split()
    return f"{parts[1]}:{parts[0]}" if len(parts) > 1 else entry


def _security(privileges: Privileges | None) -> list[str]:
    if privileges is None:
        return []
    options = []
    if privileges.no_new_privileges:
        options.append("no-new-privileges")
    if privileges.seccomp and privileges.seccomp.mode == "unconfined":
        options.append("seccomp=unconfined")
    if privileges.seccomp and privileges.seccomp.mode == "custom":
        options.append(f"seccomp={privileges.seccomp.profile}")
    if privileges.app_armor and privileges.app_armor.mode == "disabled":
        options.append("apparmor=unconfined")
    return options
