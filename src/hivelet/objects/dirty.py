"""Whether a task still is what its service asks for. Pure; the reason why an unchanged redeploy touches nothing.

As SwarmKit's `IsTaskDirty`: the same spec version is clean without looking; otherwise only what a container is made of
counts (task template and published ports), never replicas, labels of the service or update settings. Specs are compared by
meaning: an absent part equals its defaults, and the order of what has no order (networks, secrets, ports) is ignored.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hivelet.objects.common import Struct
from hivelet.objects.container import Healthcheck
from hivelet.objects.defaults import RESTART_CONDITION, STOP_GRACE_PERIOD
from hivelet.objects.service import Service
from hivelet.objects.task import (
    ContainerSpec,
    DnsConfig,
    Limit,
    Placement,
    PortConfig,
    Privileges,
    ResourceRequirements,
    Resources,
    RestartPolicy,
    Task,
    TaskSpec,
)


def is_task_dirty(service: Service, task: Task) -> bool:
    """Whether `task` was made from another template or other published ports than `service` has now."""
    if task.spec_version is not None and task.spec_version == service.spec_version:
        return False
    return not (same_template(service.spec.task_template, task.spec) and same_ports(service, task))


def differs_in_placement_alone(service: Service, task: Task) -> bool:
    """Whether `task` is what `service` asks for, save where it may run."""
    wanted, made = service.spec.task_template, task.spec
    return (
        wanted.placement != made.placement
        and same_template(wanted.replaced(placement=made.placement), made)
        and same_ports(service, task)
    )


def same_template(one: TaskSpec, other: TaskSpec) -> bool:
    """Whether two task templates mean the same."""
    return one is other or one == other or normalise_template(one) == normalise_template(other)


def same_ports(service: Service, task: Task) -> bool:
    """Whether the task carries the ports that the service asks for; a number left open fits any."""
    spec = service.spec.endpoint_spec
    asked = spec.ports if spec else []
    if len(asked) != len(task.ports):
        return False
    rest = sorted(task.ports, key=_port_key)
    for port in sorted(asked, key=_port_key):
        found = next((held for held in rest if _fits(port, held)), None)
        if found is None:
            return False
        rest.remove(found)
    return True


def normalise_template(spec: TaskSpec) -> TaskSpec:
    """The template with every absent part spelled out and everything without an order sorted."""
    container = spec.container_spec or ContainerSpec()
    resources = spec.resources or ResourceRequirements()
    restart = spec.restart_policy or RestartPolicy()
    placement = spec.placement or Placement()
    return spec.replaced(
        container_spec=_normalise_container(container),
        resources=resources.replaced(
            limits=resources.limits or Limit(), reservations=resources.reservations or Resources()
        ),
        restart_policy=restart.replaced(
            condition=restart.condition or RESTART_CONDITION,
            max_attempts=restart.max_attempts or 0,
            window=restart.window or 0,
        ),
        placement=placement.replaced(constraints=sorted(placement.constraints)),
        networks=_sorted(spec.networks),
        runtime=spec.runtime or "container",
    )


def _normalise_container(spec: ContainerSpec) -> ContainerSpec:
    grace = spec.stop_grace_period
    return spec.replaced(
        stop_grace_period=STOP_GRACE_PERIOD if grace is None else grace,
        healthcheck=spec.healthcheck or Healthcheck(),
        dns_config=spec.dns_config or DnsConfig(),
        privileges=spec.privileges or Privileges(),
        isolation="" if spec.isolation == "default" else spec.isolation,
        secrets=_sorted(spec.secrets),
        configs=_sorted(spec.configs),
        ulimits=_sorted(spec.ulimits),
    )


def _sorted(parts: list[Any]) -> list[Any]:
    if len(parts) < 2:
        return parts
    return sorted(parts, key=_order_key)


def _order_key(part: Struct) -> bytes:
    return msgspec.json.encode(part)


def _port_key(port: PortConfig) -> tuple[object, ...]:
    # Ports with a number come first, so that one left open cannot take what a fixed one needs.
    return (port.published_port == 0, port.target_port, port.protocol, port.published_port)


def _fits(asked: PortConfig, held: PortConfig) -> bool:
    if asked == held:
        return True
    return asked.published_port == 0 and asked == held.replaced(published_port=0)
