"""What the API asks of this node's images and of registries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from hivelet.objects.build import BuildProgress, BuildPrune, BuildPruneRequest, BuildRequest
from hivelet.objects.image import (
    Image,
    ImageHistory,
    ImageImport,
    ImageProgress,
    ImagePrune,
    ImageRemoval,
    RegistryAuth,
    RegistryImage,
)


class ImagesBackend(Protocol):
    """The images of this node, and what registries say."""

    async def list_images(self) -> Sequence[Image]:
        """All images."""
        ...

    async def get_image(self, ref: str) -> Image:
        """One image, by name, id or digest."""
        ...

    async def image_history(self, ref: str) -> Sequence[ImageHistory]:
        """How it was made, newest step first."""
        ...

    def pull_image(
        self, reference: str, *, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Fetch an image from its registry."""
        ...

    def push_image(
        self, name: str, tag: str, auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Carry an image to its registry; without `tag` all tags of the repository."""
        ...

    async def import_image(self, archive: AsyncIterator[bytes], request: ImageImport) -> str:
        """Make an image of a root file system's tar; the answer is its id."""
        ...

    def load_images(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Take in a docker-archive or OCI archive; the answers are the tags or ids that were loaded."""
        ...

    def save_images(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """A docker-archive of these images."""
        ...

    async def tag_image(self, ref: str, target: str) -> None:
        """Give an image another name (`repository:tag`)."""
        ...

    async def remove_image(self, ref: str, *, force: bool, prune: bool) -> Sequence[ImageRemoval]:
        """Take a name away, and the image with the last; `prune` takes parents without a name along."""
        ...

    async def prune_images(self, refs: Sequence[str]) -> ImagePrune:
        """Remove those of `refs` that no container uses."""
        ...

    async def registry_image(
        self, reference: str, auth: RegistryAuth | None = None
    ) -> RegistryImage:
        """What the registry says of an image; `Unavailable` or `System` where it can't be asked."""
        ...

    async def authenticate(self, auth: RegistryAuth) -> str:
        """Check credentials against their registry; the answer is an identity token or ""."""
        ...


class BuildsBackend(Protocol):
    """Images built on this node."""

    def build_image(
        self, context: AsyncIterator[bytes], request: BuildRequest
    ) -> AsyncIterator[BuildProgress]:
        """Build an image of a tar; the first step is empty: what was asked for can be done."""
        ...

    async def prune_build_cache(self, rule: BuildPruneRequest) -> BuildPrune:
        """Remove steps that later builds would not have to take again."""
        ...
