"""What a Docker engine does not keep of a service: taken out before it is sent there, or it would look changed forever. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from hivelet.objects.container import HostSettings

Json: TypeAlias = dict[str, Any]

_NEVER = (999, 0)
_CONTAINER_SINCE: dict[str, tuple[int, int]] = {
    **{field.encode_name: _NEVER for field in msgspec.structs.fields(HostSettings)},
    "Domainname": _NEVER,
    "OomScoreAdj": (1, 46),
}
_RESOURCES_SINCE = {"SwapBytes": (1, 52), "MemorySwappiness": (1, 52)}
"""By field, the version of the API that has it."""


def fit_to_engine(specs: Iterable[Json], api_version: str) -> None:
    """Take out of service specs, in place, what a Docker engine of this API version does not have."""
    major, _, minor = api_version.partition(".")
    version = (int(major or 0), int(minor or 0))
    for spec in specs:
        task = spec.get("TaskTemplate") or {}
        for part, since in (("ContainerSpec", _CONTAINER_SINCE), ("Resources", _RESOURCES_SINCE)):
            given = task.get(part) or {}
            for name, first in since.items():
                if version < first:
                    given.pop(name, None)
