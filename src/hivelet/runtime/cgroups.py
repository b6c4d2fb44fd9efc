"""The limits of a container as `linux.resources` says them, and the name of its cgroup.

Decides only. The same object serves cgroup v1 and v2: the runtimes translate; what one version lacks is left out here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hivelet.errors import InvalidParameter
from hivelet.objects.container import HostConfig

CPU_PERIOD = 100_000
"""Microseconds of the CFS period in which a share of CPUs is counted (Docker's)."""

_RULE = re.compile(r"^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device node of the host, to appear in the container at `path`."""

    path: str
    type: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0
    access: str = "rwm"


def cgroup_path(parent: str, container_id: str) -> str:
    """Where a container's cgroup is, below the root of every hierarchy."""
    return f"/{parent.strip('/')}/{container_id}"


def linux_resources(
    host: HostConfig,
    *,
    cgroup_version: int,
    swap_limit: bool,
    devices: Iterable[Device] = (),
    block_limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`linux.resources` for `host`. `swap_limit` tells whether the kernel can limit memory and swap together."""
    resources: dict[str, Any] = {"devices": _device_rules(host, devices)}
    if memory := _memory(host, cgroup_version=cgroup_version, swap_limit=swap_limit):
        resources["memory"] = memory
    if cpu := _cpu(host):
        resources["cpu"] = cpu
    if host.pids_limit is not None and host.pids_limit > 0:
        resources["pids"] = {"limit": host.pids_limit}
    block: dict[str, Any] = {"weight": host.blkio_weight} if host.blkio_weight else {}
    if block := block | dict(block_limits or {}):
        resources["blockIO"] = block
    return resources


def _memory(host: HostConfig, *, cgroup_version: int, swap_limit: bool) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if host.memory > 0:
        memory["limit"] = host.memory
    if host.memory_reservation > 0:
        memory["reservation"] = host.memory_reservation
    if swap_limit and host.memory > 0:
        # Docker's default: as much swap again as there is memory; -1 is "no limit".
        memory["swap"] = host.memory_swap or 2 * host.memory
    if cgroup_version == 1:
        if host.memory_swappiness is not None and host.memory_swappiness >= 0:
            memory["swappiness"] = host.memory_swappiness
        if host.oom_kill_disable:
            memory["disableOOMKiller"] = True
    return memory


def _cpu(host: HostConfig) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if host.cpu_shares > 0:
        cpu["shares"] = host.cpu_shares
    if host.nano_cpus > 0:
        if host.cpu_period or host.cpu_quota:
            raise InvalidParameter(
                "Conflicting options: Nano CPUs and CPU Period or CPU Quota cannot both be set."
            )
        cpu["period"] = CPU_PERIOD
        cpu["quota"] = host.nano_cpus * CPU_PERIOD // 1_000_000_000
    if host.cpu_period:
        cpu["period"] = host.cpu_period
    if host.cpu_quota:
        cpu["quota"] = host.cpu_quota
    if host.cpuset_cpus:
        cpu["cpus"] = host.cpuset_cpus
    if host.cpuset_mems:
        cpu["mems"] = host.cpuset_mems
    return cpu


def _device_rules(host: HostConfig, devices: Iterable[Device]) -> list[dict[str, Any]]:
    if host.privileged:
        return [{"allow": True, "access": "rwm"}]
    # null, zero, full, random, urandom, tty, console, ptmx and the terminals are added by the runtimes themselves.
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules.extend(
        {"allow": True, "type": d.type, "major": d.major, "minor": d.minor, "access": d.access}
        for d in devices
    )
    rules.extend(_parse_rule(text) for text in host.device_cgroup_rules)
    return rules


def _parse_rule(text: str) -> dict[str, Any]:
    match = _RULE.match(text)
    if match is None:
        raise InvalidParameter(
            f'invalid device cgroup rule format: "{text}", it is like "c 7:* rmw"'
        )
    kind, major, minor, access = match.groups()
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major != "*":
        rule["major"] = int(major)
    if minor != "*":
        rule["minor"] = int(minor)
    return rule
