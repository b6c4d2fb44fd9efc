"""Control groups: which of the versions this machine has, and whether limits can be kept. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hivelet.doctor.finding import Finding

CONTROLLERS = {
    "memory": "memory limits, and out-of-memory kills that are told",
    "cpu": "CPU limits",
    "pids": "limits of processes",
    "cpuset": "CPU sets",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupFacts:
    """`version` 0: nothing is mounted. `hybrid`: version 1 with an empty version 2 beside it."""

    version: int
    hybrid: bool = False
    controllers: frozenset[str] = frozenset()
    swap_limit: bool = True


def check_cgroups(facts: CgroupFacts) -> Iterator[Finding]:
    """The version, and the controllers that limits need."""
    if facts.version == 0:
        yield Finding(
            name="cgroups",
            seen="no control groups are mounted",
            level="serious",
            meaning="no OCI runtime starts a container",
            way_out="mount -t cgroup2 none /sys/fs/cgroup, or: apt-get install cgroupfs-mount",
        )
        return
    mode = "hybrid (version 1, with an empty version 2)" if facts.hybrid else f"{facts.version}"
    yield Finding(name="cgroups", seen=f"control groups of version {mode}")
    missing = [name for name in CONTROLLERS if name not in facts.controllers]
    for name in missing:
        yield Finding(
            name=f"cgroup-{name}",
            seen=f"the controller {name} is not there",
            level="note",
            meaning=f"not kept: {CONTROLLERS[name]}",
            way_out="add cgroup_enable=memory to the kernel's command line, and restart the machine"
            if name == "memory"
            else f"enable {name}: on systemd, Delegate=yes in the unit; else in the parent's cgroup.subtree_control",
        )
    if not missing:
        yield Finding(name="cgroup-controllers", seen=f"controllers: {', '.join(CONTROLLERS)}")
    if not facts.swap_limit:
        yield Finding(
            name="cgroup-swap",
            seen="swap cannot be limited",
            level="note",
            meaning="a container with a memory limit may use swap beyond it",
            way_out="add swapaccount=1 to the kernel's command line, and restart the machine",
        )
