"""Images as the API describes them: the store's records turned into `hivelet.objects.image`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hivelet.objects.common import Platform
from hivelet.objects.image import Image, ImageHistory
from hivelet.runtime.images.records import EPOCH, ImageRecord, parse_time


def build_description(image: ImageRecord, *, paths: Sequence[str] = (), shared: int = -1) -> Image:
    """An image in the API's words; `paths` are its unpacked layers (the base first), `shared` what others have too."""
    return Image(
        id=image.id,
        repo_tags=image.repo_tags,
        repo_digests=image.repo_digests,
        comment=image.comment or (image.history[-1].comment if image.history else ""),
        author=image.author,
        created=None if image.created_at == EPOCH else image.created_at,
        last_tagged=image.last_tagged,
        config=image.config,
        platform=Platform(architecture=image.architecture, os=image.os or "linux"),
        variant=image.variant,
        size=image.size,
        shared_size=shared,
        layers=list(image.diff_ids),
        directories=_build_directories(paths),
    )


def build_history(image: ImageRecord) -> list[ImageHistory]:
    """How an image was made, the newest step first; only that one has the image's id and tags."""
    sizes = list(image.layer_sizes)
    steps = []
    for entry in image.history:
        created = parse_time(entry.created)
        steps.append(
            ImageHistory(
                created=None if created == EPOCH else created,
                created_by=entry.created_by,
                comment=entry.comment,
                size=0 if entry.empty_layer or not sizes else sizes.pop(0),
            )
        )
    # Builders other than Docker's may tell less history than there are layers.
    steps += [ImageHistory(size=size) for size in sizes]
    steps.reverse()
    if steps:
        steps[0] = steps[0].replaced(id=image.id, tags=image.repo_tags)
    return steps


def _build_directories(paths: Sequence[str]) -> dict[str, str]:
    """The overlay driver's data: the top layer is "upper", all others "lower", the top one first."""
    if not paths:
        return {}
    below = {"LowerDir": ":".join(paths[-2::-1])} if len(paths) > 1 else {}
    return below | {"UpperDir": paths[-1]}
