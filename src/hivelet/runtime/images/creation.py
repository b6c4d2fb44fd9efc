"""What the image of an import, or of a container's changes, says of itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hivelet.objects.container import ContainerConfig
from hivelet.objects.engine import Container
from hivelet.objects.files import CommitRequest
from hivelet.runtime.images.platforms import Platform
from hivelet.runtime.images.records import (
    HistoryEntry,
    ImageRecord,
    build_image,
    parse_image,
    render_time,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How `import` makes an image of a root file system tar; `changes` are Dockerfile instructions."""

    changes: Sequence[str] = ()
    message: str = ""
    platform: str = ""


def build_imported(
    config: ContainerConfig, layer: str, message: str, platform: Platform, now: datetime
) -> ImageRecord:
    """The image of a root file system, which is its one layer."""
    entry = HistoryEntry(created=render_time(now), comment=message or "Imported from -")
    return parse_image(
        build_image(
            config,
            [layer],
            [entry],
            created=now,
            platform=(platform.os, platform.architecture, platform.variant),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A container whose changes became the layer `top` on those of `base`."""

    container: Container
    base: ImageRecord
    top: str
    request: CommitRequest


def build_committed(config: ContainerConfig, commit: Commit, now: datetime) -> ImageRecord:
    """The image of a container: its image's layers and history, and one more of each."""
    base, container = commit.base, commit.container
    entry = HistoryEntry(
        created=render_time(now),
        created_by=" ".join([container.path, *container.args]),
        author=commit.request.author,
        comment=commit.request.message,
    )
    return parse_image(
        build_image(
            config,
            [*base.diff_ids, commit.top],
            [*base.history, entry],
            created=now,
            platform=(base.os or "linux", base.architecture, base.variant),
            author=commit.request.author,
        )
    )
