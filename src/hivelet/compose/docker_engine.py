"""What a Docker engine does not keep of a service: taken out before it is sent there, or it would look changed forever. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from hivelet.objects.container import HostSettings

Json: TypeAlias = dict[str, Any]

Version: TypeAlias = tuple[int, int]

_NEVER = (999, 0)
_CONTAINER_SINCE: dict[str, Version] = {
    **{field.encode_name: _NEVER for field in msgspec.structs.fields(HostSettings)},
    "Domainname": _NEVER,
    "OomScoreAdj": (1, 46),
}
_RESOURCES_SINCE = {"SwapBytes": (1, 52), "MemorySwappiness": (1, 52)}
_HEALTH_SINCE = {"StartInterval": (1, 44)}
_MOUNT_SINCE = {"Consistency": _NEVER}
_VOLUME_SINCE = {"Subpath": (1, 45)}
"""By field, the version of the API since when services have it."""


_TOLD = {"StartInterval": "healthcheck.start_interval", "Subpath": "volumes.volume.subpath"}
"""Keys of the file that a newer engine honours; of the others the loader tells."""


def fit_to_engine(specs: Iterable[Json], api_version: str) -> dict[str, list[str]]:
    """Take out of service specs, in place, what a Docker engine of this API version does not have.

    The answer has the keys that a newer one would have honoured, and the services that ask for them.
    """
    major, _, minor = api_version.partition(".")
    version = (int(major or 0), int(minor or 0))
    gone: dict[str, list[str]] = {}
    for spec in specs:
        task = spec.get("TaskTemplate") or {}
        container = task.get("ContainerSpec") or {}
        lost = {
            *_keep(task.get("Resources"), _RESOURCES_SINCE, version),
            *_keep(container, _CONTAINER_SINCE, version),
            *_keep(container.get("Healthcheck"), _HEALTH_SINCE, version),
        }
        for mount in container.get("Mounts") or []:
            lost |= _keep(mount, _MOUNT_SINCE, version)
            lost |= _keep(mount.get("VolumeOptions"), _VOLUME_SINCE, version)
        for name in sorted(lost & _TOLD.keys()):
            gone.setdefault(_TOLD[name], []).append(spec["Name"])
    return gone


def _keep(part: Json | None, since: Mapping[str, Version], version: Version) -> set[str]:
    """Take out what is too new; the answer is what was there."""
    newer = {name for name, first in since.items() if part and version < first}
    return {name for name in newer if part and part.pop(name, None)}
