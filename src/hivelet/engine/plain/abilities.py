"""What a plain container asks for that this engine, or this machine, does not have: refused, never passed over.

Pure: the machine's part is given. Sentences are dockerd's where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from hivelet.errors import InvalidParameter
from hivelet.objects.capability_names import ALL, normalized_capabilities
from hivelet.objects.container import DeviceRequest, HostConfig

_PERIOD = range(1000, 1_000_001)
_LEAST_QUOTA = 1000
_CPUS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
_TMPFS_FLAGS = frozenset(
    [
        "ro",
        "rw",
        "exec",
        "noexec",
        "suid",
        "nosuid",
        "dev",
        "nodev",
        "sync",
        "async",
        "dirsync",
        "nodirsync",
        "remount",
        "mand",
        "nomand",
        "atime",
        "noatime",
        "diratime",
        "nodiratime",
        "bind",
        "rbind",
        "unbindable",
        "runbindable",
        "private",
        "rprivate",
        "shared",
        "rshared",
        "slave",
        "rslave",
        "relatime",
        "norelatime",
        "strictatime",
        "nostrictatime",
        "iversion",
        "noiversion",
        "defaults",
    ]
)
_TMPFS_VALUES = frozenset({"mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", "huge"})


def check_abilities(host: HostConfig, *, runtimes: Collection[str], cpus: frozenset[int]) -> None:
    """Refuse devices, runtimes, quotas and CPUs that there are not, and mount options that no tmpfs has.

    Raises:
        InvalidParameter: names the option and the value.
    """
    if host.runtime and host.runtime not in runtimes:
        raise InvalidParameter(f"Unknown runtime specified {host.runtime}")
    if host.isolation not in ("", "default"):
        raise InvalidParameter(
            f"Invalid isolation: \"{host.isolation}\" - linux only supports 'default'"
        )
    if host.volume_driver not in ("", "local"):
        driver = host.volume_driver
        raise InvalidParameter(
            f'error looking up volume plugin {driver}: plugin "{driver}" not found'
        )
    if host.cpu_realtime_period or host.cpu_realtime_runtime:
        raise InvalidParameter("the CPU real-time scheduler is not supported")
    for request in host.device_requests:
        raise InvalidParameter(_no_driver(request))
    for name in host.storage_opt:
        raise InvalidParameter(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
            if name == "size"
            else f"Unknown option {name}"
        )
    for field, names in (("CapAdd", host.cap_add), ("CapDrop", host.cap_drop)):
        try:
            normalized_capabilities(map(_capability, names))
        except InvalidParameter as error:
            raise InvalidParameter(f"invalid {field}: {error.message}") from error
    for options in host.tmpfs.values():
        check_tmpfs(options)
    check_cpu(host, cpus)


def check_tmpfs(options: str) -> None:
    """Refuse mount options that are no tmpfs's.

    Raises:
        InvalidParameter: names the first of them.
    """
    for option in filter(None, options.split(",")):
        name, equals, _ = option.partition("=")
        if option in _TMPFS_FLAGS or (equals and name in _TMPFS_VALUES):
            continue
        raise InvalidParameter(f'invalid tmpfs option ["{option}"]')


def _capability(name: str) -> str:
    """A capability as Docker's messages name it."""
    plain = name.upper()
    return plain if plain == ALL or plain.startswith("CAP_") else f"CAP_{plain}"


def _no_driver(request: DeviceRequest) -> str:
    wanted = " ".join(f"[{' '.join(each)}]" for each in request.capabilities)
    return f'could not select device driver "{request.driver}" with capabilities: [{wanted}]'


def check_cpu(host: HostConfig, cpus: frozenset[int]) -> None:
    """Refuse shares of time that the kernel does not deal out, and CPUs that are not there.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if host.cpu_period and host.cpu_period not in _PERIOD:
        raise InvalidParameter(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < host.cpu_quota < _LEAST_QUOTA:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if not host.cpuset_cpus:
        return
    if not _CPUS.fullmatch(host.cpuset_cpus):
        raise InvalidParameter(f"Invalid value {host.cpuset_cpus} for cpuset cpus")
    if not _listed(host.cpuset_cpus) <= cpus:
        raise InvalidParameter(
            f"Requested CPUs are not available - requested {host.cpuset_cpus}, available: {_shown(cpus)}"
        )


def _listed(text: str) -> set[int]:
    """The CPUs of `0-2,7`."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        # As far as any machine goes: what is beyond is not there either.
        found |= set(range(int(first), min(int(last or first), int(first) + 8192) + 1))
    return found


def _shown(cpus: frozenset[int]) -> str:
    """The CPUs as `0-2,7`."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][-1] == cpu - 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)
