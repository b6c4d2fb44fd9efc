"""Volumes as JSON, and the filters of `GET /volumes`."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hivelet.convert.filters import Filters
from hivelet.convert.shape import Json, empty_to_none
from hivelet.objects.volume import Volume

FILTERS = ("dangling", "name", "driver", "label")
"""What `GET /volumes` filters by."""

PRUNE_FILTERS = ("label", "label!", "all")
"""What `POST /volumes/prune` filters by."""


def encode_volume(volume: Volume) -> Json:
    """A volume as `GET /volumes/{name}` answers it; its size only where it was looked up."""
    answer: Json = {
        "CreatedAt": volume.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Driver": volume.driver,
        "Labels": empty_to_none(volume.labels),
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Options": empty_to_none(volume.options),
        "Scope": volume.scope,
    }
    if volume.size >= 0 or volume.ref_count >= 0:
        answer["UsageData"] = {"RefCount": volume.ref_count, "Size": volume.size}
    return answer


def select_volumes(
    volumes: Iterable[Volume], filters: Filters, used: Collection[str]
) -> list[Volume]:
    """The volumes that a list call asked for; `used` are the names that a container mounts."""
    dangling = filters.boolean("dangling")
    return [
        volume
        for volume in volumes
        if filters.pattern("name", volume.name)
        and filters.exact("driver", volume.driver)
        and filters.labels("label", volume.labels)
        and (dangling is None or dangling == (volume.name not in used))
    ]


def select_prunable(
    volumes: Iterable[Volume], filters: Filters, used: Collection[str], *, named: bool
) -> list[str]:
    """The names of unused volumes that a prune means; those that a user named only with `named` or `all=true`."""
    everything = named or filters.boolean("all")
    return [
        volume.name
        for volume in volumes
        if volume.name not in used
        and (everything or volume.anonymous)
        and filters.labels("label", volume.labels)
        and filters.without_labels("label!", volume.labels)
    ]
