"""Reads what the machine allows, once at start: the facts that OCI specs are decided by."""

from __future__ import annotations

import os
import re
import resource
import shutil
from pathlib import Path

from hivelet.kit.architecture import go_architecture
from hivelet.runtime.capabilities import parse_capability_mask
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.oci_spec import HostFacts

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_INITS = ("docker-init", "tini-static", "catatonit")
"""Static programs that reap orphans and pass signals on, in the packages docker.io, tini and catatonit."""
_INIT_PATH = f"{SEARCH_PATH}:/usr/libexec/podman:/usr/lib/podman"


def read_host_facts(tree: CgroupTree) -> HostFacts:
    """The facts of this machine and of this process' rights."""
    uname = os.uname()
    return HostFacts(
        architecture=go_architecture(uname.machine),
        kernel=parse_kernel_version(uname.release),
        cgroup_version=tree.version,
        swap_limit=tree.swap_limit(),
        capabilities=_capabilities(Path("/proc/self/status").read_text(encoding="utf-8")),
        hard_limits=_hard_limits(),
        init_path=_init_path(),
    )


def parse_kernel_version(release: str) -> tuple[int, int]:
    """(6, 1) of "6.1.0-18-amd64"; (0, 0) where it is no version."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _capabilities(status: str) -> frozenset[str]:
    masks = dict(re.findall(r"^Cap(Prm|Bnd):\s*([0-9a-f]+)$", status, re.MULTILINE))
    usable = int(masks.get("Prm", "0"), 16) & int(masks.get("Bnd", "0"), 16)
    return parse_capability_mask(usable)


def _hard_limits() -> dict[str, int]:
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = {
        name.removeprefix("RLIMIT_").lower(): resource.getrlimit(getattr(resource, name))[1]
        for name in names
    }
    return {name: -1 if hard == resource.RLIM_INFINITY else hard for name, hard in limits.items()}


def _init_path() -> str | None:
    return next(filter(None, (shutil.which(name, path=_INIT_PATH) for name in _INITS)), None)
