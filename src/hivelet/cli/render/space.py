"""What takes up the disk, as rows: a line for each kind of thing, or everything in four tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

from hivelet.cli.render.human import ago, precise_size, truncate_id
from hivelet.cli.render.listing import Row, View
from hivelet.cli.render.others import CONTAINERS, IMAGES, VOLUMES, container_rows, image_rows

Json: TypeAlias = dict[str, Any]

SPACE = View(
    headers={
        "Type": "TYPE",
        "TotalCount": "TOTAL",
        "Active": "ACTIVE",
        "Size": "SIZE",
        "Reclaimable": "RECLAIMABLE",
    },
    table=("Type", "TotalCount", "Active", "Size", "Reclaimable"),
)
_IMAGES = View(
    headers=IMAGES.headers,
    table=(
        "Repository",
        "Tag",
        "ID",
        "CreatedSince",
        "Size",
        "SharedSize",
        "UniqueSize",
        "Containers",
    ),
)
_CONTAINERS = View(
    headers=CONTAINERS.headers,
    table=("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"),
)
_VOLUMES = View(headers=VOLUMES.headers, table=("Name", "Links", "Size"))
_CACHE = View(
    headers={
        "ID": "CACHE ID",
        "CacheType": "CACHE TYPE",
        "Size": "SIZE",
        "CreatedSince": "CREATED",
        "LastUsedSince": "LAST USED",
        "UsageCount": "USAGE",
        "Shared": "SHARED",
    },
    table=("ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared"),
)
VERBOSE: tuple[tuple[str, View], ...] = (
    ("Images space usage:", _IMAGES),
    ("Containers space usage:", _CONTAINERS),
    ("Local Volumes space usage:", _VOLUMES),
    ("Build cache usage: {cache}", _CACHE),
)


def space_rows(usage: Json) -> list[Row]:
    """A row for each kind of thing."""
    return [_images(usage), _containers(usage), _volumes(usage), _cache(usage)]


def _images(usage: Json) -> Row:
    images = usage.get("Images") or []
    active = [image for image in images if image.get("Containers", 0) > 0]
    total = int(usage.get("LayersSize") or 0)
    used = sum(
        int(image.get("Size", 0)) - max(0, int(image.get("SharedSize", 0)))
        for image in active
        if image.get("Size", -1) != -1 and image.get("SharedSize", -1) != -1
    )
    return _row("Images", images, len(active), total, total - used)


def _containers(usage: Json) -> Row:
    containers = usage.get("Containers") or []
    active = [each for each in containers if _is_active(each)]
    total = sum(int(each.get("SizeRw", 0)) for each in containers)
    free = sum(int(each.get("SizeRw", 0)) for each in containers if not _is_active(each))
    return _row("Containers", containers, len(active), total, free)


def _is_active(container: Json) -> bool:
    return container.get("State") in {"running", "paused", "restarting"}


def _volumes(usage: Json) -> Row:
    volumes = usage.get("Volumes") or []
    known = [each for each in volumes if (each.get("UsageData") or {}).get("Size", -1) >= 0]
    active = [each for each in volumes if (each.get("UsageData") or {}).get("RefCount", 0) > 0]
    total = sum(int(each["UsageData"]["Size"]) for each in known)
    free = sum(
        int(each["UsageData"]["Size"]) for each in known if not each["UsageData"].get("RefCount")
    )
    return _row("Local Volumes", volumes, len(active), total, free)


def _cache(usage: Json) -> Row:
    entries = usage.get("BuildCache") or []
    active = [each for each in entries if each.get("InUse")]
    total = _cache_size(entries)
    busy = sum(int(each.get("Size", 0)) for each in active if not each.get("Shared"))
    row = _row("Build Cache", entries, len(active), total, total - busy)
    return {**row, "Reclaimable": precise_size(total - busy)}


def _cache_size(entries: Iterable[Json]) -> int:
    return sum(int(each.get("Size", 0)) for each in entries if not each.get("Shared"))


def _row(kind: str, entries: list[Json], active: int, total: int, free: int) -> Row:
    share = f" ({100 * free // total}%)" if total > 0 else ""
    return {
        "Type": kind,
        "TotalCount": str(len(entries)),
        "Active": str(active),
        "Size": precise_size(total),
        "Reclaimable": f"{precise_size(free)}{share}",
    }


def verbose_rows(usage: Json, now: datetime) -> dict[str, Any]:
    """The rows of each table of VERBOSE, by its title, and the size of the cache."""
    titles = [title for title, _ in VERBOSE]
    containers = container_rows(usage.get("Containers") or [], now=now, trunc=True)
    entries = usage.get("BuildCache") or []
    return {
        titles[0]: _image_rows(usage, now),
        titles[1]: [{**row, "Size": str(row["Size"]).partition(" (")[0]} for row in containers],
        titles[2]: [_volume_row(each) for each in usage.get("Volumes") or []],
        titles[3]: [_cache_row(each, now) for each in entries],
        "cache_size": precise_size(_cache_size(entries)),
    }


def _image_rows(usage: Json, now: datetime) -> list[Row]:
    images = {truncate_id(image["Id"]): image for image in usage.get("Images") or []}
    rows: list[Row] = []
    for row in image_rows(images.values(), now=now, trunc=True):
        image = images[row["ID"]]
        shared = max(0, int(image.get("SharedSize", 0)))
        rows.append(
            {
                **row,
                "SharedSize": precise_size(shared),
                "UniqueSize": precise_size(int(image.get("Size", 0)) - shared),
                "Containers": str(image.get("Containers", 0)),
            }
        )
    return rows


def _volume_row(volume: Json) -> Row:
    data = volume.get("UsageData") or {}
    size = data.get("Size", -1)
    return {
        "Name": volume["Name"],
        "Links": str(data.get("RefCount", 0)),
        "Size": precise_size(size) if size >= 0 else "N/A",
    }


def _cache_row(entry: Json, now: datetime) -> Row:
    identity = str(entry.get("ID", ""))
    return {
        "ID": f"{truncate_id(identity)}{'*' if entry.get('InUse') else ''}",
        "CacheType": str(entry.get("Type", "")),
        "Size": precise_size(int(entry.get("Size", 0))),
        "CreatedSince": ago(str(entry.get("CreatedAt", "")), now),
        "LastUsedSince": ago(str(entry.get("LastUsedAt") or ""), now),
        "UsageCount": str(entry.get("UsageCount", 0)),
        "Shared": str(bool(entry.get("Shared"))).lower(),
    }
