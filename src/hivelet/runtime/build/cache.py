"""The layer cache: buildah's storage read as Docker lists a build cache, and which of it a prune takes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hivelet.objects.build import BuildCacheRecord, BuildPruneRequest
from hivelet.runtime.images.records import parse_time


def read_records(
    images: Sequence[Mapping[str, Any]],
    layers: Sequence[Mapping[str, Any]],
    in_use: Collection[str],
) -> list[BuildCacheRecord]:
    """The storage's own lists of images and layers as records, the oldest first.

    A layer's bytes count for the oldest image that has it on top. `in_use` are the ids of images in hivelet's own store.
    """
    by_id = {str(layer["id"]): layer for layer in layers}
    counted: set[str] = set()
    records = []
    for image in sorted(images, key=lambda image: str(image.get("created") or "")):
        identity, size = str(image["id"]), 0
        top = str(image.get("layer") or "")
        while top in by_id and top not in counted:
            counted.add(top)
            size += int(by_id[top].get("diff-size") or 0)
            top = str(by_id[top].get("parent") or "")
        names = [str(name) for name in image.get("names") or []]
        records.append(
            BuildCacheRecord(
                id=identity,
                description=f"image {names[0]}" if names else "step of a build",
                in_use=f"sha256:{identity}" in in_use,
                size=size,
                created=parse_time(_to_utc(str(image.get("created") or ""))),
            )
        )
    return records


def select_pruned(records: Sequence[BuildCacheRecord], rule: BuildPruneRequest) -> list[str]:
    """The ids that a prune takes, the newest first, as steps come before what they were made from."""
    chosen = [
        record
        for record in records
        if (rule.everything or not record.in_use)
        and (rule.before is None or (record.created is not None and record.created < rule.before))
        and (not rule.ids or any(record.id.startswith(i) for i in rule.ids))
    ]
    if rule.keep_bytes:
        left = sum(record.size for record in records)
        kept = []
        for record in chosen:
            if left <= rule.keep_bytes:
                break
            kept.append(record)
            left -= record.size
        chosen = kept
    return [record.id for record in reversed(chosen)]


def _to_utc(text: str) -> str:
    return text if text.endswith("Z") or "+" in text else f"{text}Z" if text else ""
