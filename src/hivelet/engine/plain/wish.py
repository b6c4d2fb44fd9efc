"""What `docker create` may ask for: held against Docker's rules. Pure."""

from __future__ import annotations

import re

from hivelet.engine.plain.modes import check_modes
from hivelet.engine.plain.restart_policy import check_policy
from hivelet.errors import Conflict, InvalidParameter
from hivelet.objects.container import ContainerConfig, ContainerCreate, HostConfig
from hivelet.objects.name_rules import check_hostname

_NAME = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_LEAST_MEMORY = 6 << 20

DEFAULT_MODES = ("", "default", "bridge")


def check_name(name: str) -> str:
    """The name without its slash.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return name.removeprefix("/")


def split_create(given: ContainerCreate) -> tuple[ContainerConfig, HostConfig]:
    """The two halves of a request, each as a container keeps it, with the defaults that Docker writes down.

    Raises:
        InvalidParameter: the request contradicts itself.
    """
    fields = {name: getattr(given, name) for name in ContainerConfig.__struct_fields__}
    config, host = ContainerConfig(**fields), given.host_config
    if config.hostname:
        check_hostname(config.hostname)
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )
    check_modes(given)
    check_host(host)
    policy = host.restart_policy
    # What means nothing is written down as nothing, as in Docker.
    if host.memory_swappiness == -1:
        host = host.replaced(memory_swappiness=None)
    if host.pids_limit is not None and host.pids_limit <= 0:
        host = host.replaced(pids_limit=None)
    if not policy.name:
        host = host.replaced(restart_policy=policy.replaced(name="no"))
    return config, host.replaced(network_mode=host.network_mode or "default")


def check_host(host: HostConfig) -> None:
    """Refuse what a host config can't ask for.

    Raises:
        InvalidParameter: in Docker's words.
    """
    check_policy(host.restart_policy, auto_remove=host.auto_remove)
    if 0 < host.memory < _LEAST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if host.memory and 0 < host.memory_swap < host.memory:
        raise InvalidParameter(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if host.memory_swap > 0 and not host.memory:
        raise InvalidParameter(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    if host.memory and host.memory_reservation > host.memory:
        raise InvalidParameter(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    for name, given in (("Period", host.cpu_period), ("Quota", host.cpu_quota)):
        if host.nano_cpus and given:
            raise InvalidParameter(
                f"Conflicting options: Nano CPUs and CPU {name} cannot both be set"
            )
    if host.blkio_weight and not 10 <= host.blkio_weight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidParameter(
            f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )


def check_swap(container_id: str, before: HostConfig, given: HostConfig) -> None:
    """Refuse a memory limit that would pass the one of memory and swap together, which was not named.

    Raises:
        Conflict: in Docker's words.
    """
    if given.memory and not given.memory_swap and 0 < before.memory_swap < given.memory:
        why = "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        raise Conflict(f"Cannot update container {container_id}: {why}")


def warnings_for(host: HostConfig) -> list[str]:
    """What Docker warns of."""
    warnings = []
    if host.network_mode == "host" and host.port_bindings:
        warnings.append("Published ports are discarded when using host network mode")
    if host.oom_kill_disable and not host.memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
            "running out of resources."
        )
    return warnings
