"""A build of an image, as `POST /build` asks for it, what it says as it goes on, and what it leaves in its cache."""

from __future__ import annotations

from datetime import datetime

from hivelet.errors import System
from hivelet.objects.common import Struct
from hivelet.objects.container import Ulimit
from hivelet.objects.image import ImageProgress, RegistryAuth


class BuildLimits(Struct, frozen=True, kw_only=True):
    """What the commands of a build may take; 0 and "" are no limit. Sizes in bytes."""

    memory: int = 0
    memory_swap: int = 0
    shm_size: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    ulimits: list[Ulimit] = []


class BuildRequest(Struct, frozen=True, kw_only=True):
    """What to build. `dockerfile` is a path in the context; `remote` an address that the context comes from instead."""

    tags: list[str] = []
    dockerfile: str = "Dockerfile"
    remote: str = ""
    target: str = ""
    build_args: dict[str, str] = {}
    labels: dict[str, str] = {}
    platform: str = ""
    network_mode: str = ""
    extra_hosts: list[str] = []
    security_options: list[str] = []
    limits: BuildLimits = BuildLimits()
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    auths: dict[str, RegistryAuth] = {}
    """Credentials by registry, as the docker CLI names it."""


class BuildProgress(Struct, frozen=True, kw_only=True):
    """One word of a build: output, the id of what was built, or how a pull goes on."""

    stream: str = ""
    image_id: str = ""
    pull: ImageProgress | None = None


class BuildCacheRecord(Struct, frozen=True, kw_only=True):
    """One step that a later build need not take again. `size` counts what no earlier step has."""

    id: str
    parent: str = ""
    description: str = ""
    in_use: bool = False
    size: int = 0
    created: datetime | None = None


class BuildPruneRequest(Struct, frozen=True, kw_only=True):
    """What a prune of the build cache is asked to take; without `everything`, no step that is an image of this node.

    `before` is a moment, `keep_bytes` what may stay at most, `ids` beginnings of ids.
    """

    everything: bool = False
    before: datetime | None = None
    ids: list[str] = []
    keep_bytes: int = 0


class BuildPrune(Struct, frozen=True, kw_only=True):
    """What a prune of the build cache did."""

    deleted: list[str] = []
    space_reclaimed: int = 0


class BuildFailed(System):
    """A build that came to an end before its image; `code` is the exit code of the command that failed, or 0."""

    def __init__(self, message: str, code: int = 0) -> None:
        self.code = code
        super().__init__(message)
