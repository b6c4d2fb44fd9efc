"""What this node is: machine, kernel, programs and their versions, as `docker info` and `docker version` show it."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import hivelet
from hivelet.engine.readings.shortages import open_files_now
from hivelet.errors import HiveletError
from hivelet.kit.architecture import go_architecture
from hivelet.kit.process import run_command
from hivelet.objects.common import Platform
from hivelet.objects.engine import EngineInfo, EngineVersion, RuntimeInfo
from hivelet.objects.log_driver import DRIVERS
from hivelet.objects.node import EngineDescription, NodeDescription, PluginDescription
from hivelet.objects.task import GenericResource, Resources
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.mountinfo import mount_of, read_mountinfo

_PROGRAMS = {
    "conmon": ("conmon", "--version"),
    "nftables": ("nft", "--version"),
    "dnsmasq": ("dnsmasq", "--version"),
    "skopeo": ("skopeo", "--version"),
    "buildah": ("buildah", "--version"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts of the machine that do not change while it runs. Memory in bytes."""

    hostname: str
    kernel: str
    machine: str
    operating_system: str
    os_version: str
    cpus: int
    memory: int

    @property
    def architecture(self) -> str:
        """The architecture in Go's words."""
        return go_architecture(self.machine)


@cache
def read_machine() -> Machine:
    """Look at the machine, once."""
    uname = os.uname()
    release = _os_release()
    return Machine(
        hostname=socket.gethostname(),
        kernel=uname.release,
        machine=uname.machine,
        operating_system=release.get("PRETTY_NAME", "Linux"),
        os_version=release.get("VERSION_ID", ""),
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def describe_node(
    machine: Machine, labels: Mapping[str, str], generic: Sequence[GenericResource] = ()
) -> NodeDescription:
    """What the agent says of this node."""
    plugins = [("Log", name) for name in sorted(DRIVERS)]
    plugins += [("Network", "bridge"), ("Network", "overlay")]
    return NodeDescription(
        hostname=machine.hostname,
        platform=Platform(architecture=machine.machine, os="linux"),
        resources=Resources(
            nano_cpus=machine.cpus * 10**9,
            memory_bytes=machine.memory,
            generic_resources=list(generic),
        ),
        engine=EngineDescription(
            engine_version=hivelet.__version__,
            labels=dict(labels),
            plugins=[
                PluginDescription(type=kind, name=name)
                for kind, name in [*plugins, ("Volume", "local")]
            ],
        ),
    )


async def read_version(machine: Machine, runtime: Mapping[str, str]) -> EngineVersion:
    """Our version and those of the programs that carry us; `runtime` is the OCI runtime's name and version."""
    names = list(_PROGRAMS)
    found = await asyncio.gather(*(_program_version(_PROGRAMS[name]) for name in names))
    return EngineVersion(
        version=hivelet.__version__,
        arch=machine.architecture,
        kernel_version=machine.kernel,
        runtime_version=platform.python_version(),
        components=dict(runtime) | {n: v for n, v in zip(names, found, strict=True) if v},
    )


NO_SWAP_LIMIT = "WARNING: No swap limit support"
"""Docker's words where the kernel does not count swap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What `docker info` shows of the engine. `counts` is by container status, and of images."""

    node_id: str
    root: Path
    counts: Mapping[str, int]
    runtime: RuntimeInfo
    runtime_name: str
    warnings: list[str]
    now: datetime
    node: NodeDescription
    swap_limit: bool = True
    insecure: InsecureRegistries = field(default_factory=InsecureRegistries)


def _driver_status(root: Path) -> list[tuple[str, str]]:
    """What Docker tells of its storage driver; a file system that could not say what is in a directory would not do."""
    found = mount_of(os.path.realpath(root), read_mountinfo())
    backing = "extfs" if found.type in ("ext2", "ext3", "ext4") else found.type
    return [("Backing Filesystem", backing), ("Supports d_type", "true")]


def build_info(machine: Machine, facts: EngineFacts) -> EngineInfo:
    """`docker info` of this node, save its swarm part."""
    counts = facts.counts
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return EngineInfo(
        id=facts.node_id,
        name=machine.hostname,
        server_version=hivelet.__version__,
        containers=sum(counts.get(s, 0) for s in ("running", "paused", "stopped")),
        containers_running=counts.get("running", 0),
        containers_paused=counts.get("paused", 0),
        containers_stopped=counts.get("stopped", 0),
        images=counts.get("images", 0),
        root_dir=str(facts.root),
        driver_status=_driver_status(facts.root),
        cgroup_version="2" if unified else "1",
        kernel_version=machine.kernel,
        operating_system=machine.operating_system,
        os_version=machine.os_version,
        architecture=machine.machine,
        cpus=machine.cpus,
        memory_total=machine.memory,
        runtimes={facts.runtime_name: facts.runtime},
        default_runtime=facts.runtime_name,
        swap_limit=facts.swap_limit,
        warnings=[*([] if facts.swap_limit else [NO_SWAP_LIMIT]), *facts.warnings],
        open_files=open_files_now(),
        background_tasks=len(asyncio.all_tasks()),
        system_time=facts.now,
        labels=[f"{name}={value}" for name, value in sorted(facts.node.engine.labels.items())],
        generic_resources=facts.node.resources.generic_resources,
        insecure_hosts=sorted(facts.insecure.hosts),
        insecure_networks=[str(network) for network in facts.insecure.networks],
    )


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


async def _program_version(argv: tuple[str, ...]) -> str:
    try:
        output = await run_command(argv, timeout=5)
    except HiveletError:
        return ""  # a missing program is `hivelet doctor`'s business, not this answer's
    first = (output.stdout or output.stderr).decode(errors="replace").splitlines()[:1]
    words = first[0].split() if first else []
    return next((w.lstrip("v").rstrip(",") for w in words if w.lstrip("v")[:1].isdigit()), "")
