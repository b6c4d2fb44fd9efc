"""The body of `POST /containers/create`, as clients of any age send it."""

from __future__ import annotations

from hivelet.convert.body import convert_json
from hivelet.convert.shape import Json
from hivelet.convert.versions import ApiVersion
from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerCreate, HostConfig

SEVERAL_NETWORKS = ApiVersion(1, 44)
"""Since when a container can be created in more than one network."""


def parse_create(data: Json) -> ContainerCreate:
    """The request; a command may be one word instead of a list.

    Raises:
        InvalidParameter: a value is not of the type that the API wants.
    """
    words = {"cmd", "entrypoint", "shell"}
    listed = {
        key: [value] if key.lower() in words and isinstance(value, str) else value
        for key, value in data.items()
    }
    return convert_json(listed, ContainerCreate)


def check_one_network(given: ContainerCreate) -> None:
    """Refuse what clients of that time could not ask for.

    Raises:
        InvalidParameter: it names several networks, in Docker's words.
    """
    names = given.networking_config.endpoints_config
    if len(names) > 1:
        raise InvalidParameter(
            f"Container cannot be connected to network endpoints: {', '.join(names)}"
        )


_UPDATED = (
    "restart_policy", "nano_cpus", "cpu_shares", "cpu_period", "cpu_quota", "cpuset_cpus", "cpuset_mems", "blkio_weight",
    "memory", "memory_reservation", "memory_swap", "pids_limit",
)  # fmt: skip
"""What `docker update` can change."""


def named_fields(given: HostConfig) -> frozenset[str]:
    """Which of its limits an update names: those that are not zero, as in Docker."""
    nothing = HostConfig()
    named = {name for name in _UPDATED if getattr(given, name) != getattr(nothing, name)}
    if not given.restart_policy.name:
        named.discard("restart_policy")
    return frozenset(named)
