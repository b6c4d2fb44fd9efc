"""Images: what they hold, how they came, and what a registry says of them. Sizes in bytes; ids are `sha256:…`."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from hivelet.objects.common import Platform, Struct
from hivelet.objects.container import ContainerConfig


class ImageHistory(Struct, frozen=True, kw_only=True):
    """One step of an image's making; `id` is the image's own for the newest step and "<missing>" below."""

    id: str = "<missing>"
    created: datetime | None = None
    created_by: str = ""
    comment: str = ""
    size: int = 0
    tags: list[str] = []


class Image(Struct, frozen=True, kw_only=True):
    """An image of this node.

    `repo_tags` are familiar names (`nginx:latest`), `repo_digests` `name@sha256:…`; both empty for a dangling image.
    `containers` is how many containers use it, -1 where that was not counted.
    """

    id: str
    repo_tags: list[str] = []
    repo_digests: list[str] = []
    parent: str = ""
    comment: str = ""
    author: str = ""
    created: datetime | None = None
    last_tagged: datetime | None = None
    config: ContainerConfig = ContainerConfig()
    platform: Platform = Platform()
    variant: str = ""
    size: int = 0
    shared_size: int = -1
    containers: int = -1
    layers: list[str] = []
    """Diff ids, bottom first."""
    directories: dict[str, str] = {}
    """The graph driver's data: where the layers lie (LowerDir, UpperDir, …)."""


class ImageImport(Struct, frozen=True, kw_only=True):
    """How a root file system becomes an image: its name ("" for none), Dockerfile-like changes, a message.

    `source` is the address that it comes from, "" where it is sent.
    """

    source: str = ""
    reference: str = ""
    changes: list[str] = []
    message: str = ""
    platform: str = ""


class PushedTag(Struct, frozen=True, kw_only=True):
    """What a push has left in the registry; `size` is the manifest's."""

    tag: str
    digest: str
    size: int = 0


class ImageProgress(Struct, frozen=True, kw_only=True):
    """A word on how a pull, push or load goes on. `id` names the layer or tag; 0 of 0 means "no numbers"."""

    status: str = ""
    id: str = ""
    current: int = 0
    total: int = 0
    pushed: PushedTag | None = None


class ImageRemoval(Struct, frozen=True, kw_only=True):
    """What a removal did: exactly one of a tag taken away and an image or layer deleted."""

    untagged: str = ""
    deleted: str = ""


class ImagePrune(Struct, frozen=True, kw_only=True):
    """What a prune of images did."""

    removals: list[ImageRemoval] = []
    space_reclaimed: int = 0


class RegistryAuth(Struct, frozen=True, kw_only=True, rename="lower"):
    """A user's credentials for a registry, as `X-Registry-Auth` carries them."""

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class RegistryImage(Struct, frozen=True, kw_only=True):
    """What a registry says of an image, without its layers being fetched."""

    media_type: str = ""
    digest: str = ""
    size: int = 0
    platforms: list[Platform] = []
    urls: list[str] = field(default_factory=list, name="URLs")
