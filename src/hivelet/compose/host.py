"""What a service gets of its host beyond `deploy`: limits in their older keys, and settings of plain containers. Pure.

The older limits (`cpus`, `mem_limit`, `pids_limit`, `mem_reservation`, `scale`) count where `deploy` says nothing of the same.
The settings have Docker's names for containers; hivelet's daemon takes them in a container spec.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from hivelet.compose import model
from hivelet.compose.devices import parse_device
from hivelet.compose.units import parse_size
from hivelet.objects.container import DeviceMapping


def effective_deploy(service: model.ServiceFile) -> model.Deploy:
    """`deploy`, completed from the keys that stand in for parts of it."""
    deploy = service.deploy
    if deploy.replicas is None and not deploy.mode.startswith("global"):
        deploy = replace(deploy, replicas=service.scale)
    limits = deploy.resources.limits or model.ResourceAmounts()
    limits = replace(
        limits,
        cpus=limits.cpus or service.cpus,
        memory=limits.memory or service.mem_limit,
        pids=limits.pids or service.pids_limit,
    )
    reserved = deploy.resources.reservations or model.ResourceAmounts()
    reserved = replace(reserved, memory=reserved.memory or service.mem_reservation)
    empty, given = model.ResourceAmounts(), deploy.resources
    resources = model.Resources(
        limits=limits if limits != empty else given.limits,
        reservations=reserved if reserved != empty else given.reservations,
    )
    return replace(deploy, resources=resources)


def swap_bytes(memory_and_swap: int, memory: int) -> int | None:
    """Services limit swap alone, `memswap_limit` memory and swap together; -1 is no limit, None "not given"."""
    if not memory_and_swap:
        return None
    return -1 if memory_and_swap < 0 else max(memory_and_swap - memory, 0)


def host_settings(service: model.ServiceFile) -> dict[str, Any]:
    """The fields of `HostSettings` that the service asks for, by name."""
    return {
        "privileged": service.privileged,
        "devices": [_device(entry) for entry in service.devices],
        "device_cgroup_rules": service.device_cgroup_rules,
        "security_opt": service.security_opt,
        "shm_size": parse_size(service.shm_size) if service.shm_size else 0,
        "ipc_mode": service.ipc,
        "pid_mode": service.pid or "",
        "uts_mode": service.uts,
        "userns_mode": service.userns_mode,
        "cgroup_parent": service.cgroup_parent,
        "cgroupns_mode": service.cgroup or service.cgroupns_mode,
        "oom_kill_disable": service.oom_kill_disable,
        "cpu_shares": service.cpu_shares,
        "cpu_period": service.cpu_period,
        "cpu_quota": service.cpu_quota,
        "cpuset_cpus": service.cpuset,
        "blkio_weight": service.blkio_config.weight if service.blkio_config else 0,
    }


def _device(entry: str | model.Device) -> DeviceMapping:
    if isinstance(entry, str):
        short = parse_device(entry)
        entry = model.Device(
            source=short.source, target=short.target, permissions=short.permissions
        )
    return DeviceMapping(
        path_on_host=entry.source,
        path_in_container=entry.target or entry.source,
        cgroup_permissions=entry.permissions,
    )
