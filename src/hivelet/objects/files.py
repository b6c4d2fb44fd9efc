"""What is said of files of containers."""

from __future__ import annotations

from datetime import datetime

from hivelet.objects.common import Struct
from hivelet.objects.container import ContainerConfig


class PathStat(Struct, frozen=True, kw_only=True):
    """A file of a container; `mode` is the kernel's (`st_mode`), `link_target` where a symlink leads, from the root."""

    name: str
    size: int
    mode: int
    mtime: datetime
    link_target: str = ""


class FileChange(Struct, frozen=True, kw_only=True):
    """A path that a container has changed (kind 0: modified, 1: added, 2: deleted)."""

    path: str
    kind: int


class CommitRequest(Struct, frozen=True, kw_only=True):
    """How a container becomes an image; `changes` are Dockerfile instructions."""

    container: str
    reference: str = ""
    message: str = ""
    author: str = ""
    changes: list[str] = []
    pause: bool = True
    config: ContainerConfig | None = None
    """Laid over the container's, as a container's is over its image's."""
