"""Images, and a registry that knows what it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from hivelet.errors import NotFound, System, Unauthorized
from hivelet.kit.ids import new_hex_id
from hivelet.objects.build import BuildPrune, BuildPruneRequest
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
from hivelet.testing.engine_backend.contents import Contents


class FakeImages(Contents):
    """Images are what a test puts in."""

    async def list_images(self) -> Sequence[Image]:
        """All images."""
        return list(self.images.values())

    async def get_image(self, ref: str) -> Image:
        """By id or tag."""
        for image in self.images.values():
            if image.id == ref or ref in image.repo_tags or f"{ref}:latest" in image.repo_tags:
                return image
        raise NotFound(f"No such image: {ref}")

    async def image_history(self, ref: str) -> Sequence[ImageHistory]:
        """One step."""
        image = await self.get_image(ref)
        return [ImageHistory(id=image.id, created=image.created, size=image.size)]

    async def pull_image(
        self, reference: str, *, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Two words where the registry has it; the error comes first or, for "broken…", in the middle."""
        self.calls.append(("pull", reference, platform, auth))
        if reference.startswith("broken"):
            yield ImageProgress(status="Pulling fs layer", id="abc")
            raise System("the connection to the registry broke")
        if reference not in self.registry:
            raise NotFound(f"pull access denied for {reference}")
        yield ImageProgress(status="Downloading", id="abc", current=1, total=2)
        yield ImageProgress(status=f"Status: Downloaded newer image for {reference}")

    async def import_image(self, archive: AsyncIterator[bytes], request: ImageImport) -> str:
        """Keep the bytes in `received` and an image of that name."""
        self.received.append(b"".join([chunk async for chunk in archive]))
        image = Image(
            id=f"sha256:{new_hex_id()}", repo_tags=[request.reference], created=self.moment
        )
        self.images[image.id] = image
        return image.id

    async def load_images(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Keep the bytes in `received`."""
        self.received.append(b"".join([chunk async for chunk in archive]))
        yield "loaded:latest"

    async def save_images(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """Each name as a chunk."""
        for ref in refs:
            yield (await self.get_image(ref)).id.encode()

    async def tag_image(self, ref: str, target: str) -> None:
        """Add the tag."""
        image = await self.get_image(ref)
        self.images[image.id] = image.replaced(repo_tags=[*image.repo_tags, target])

    async def remove_image(self, ref: str, *, force: bool, prune: bool) -> Sequence[ImageRemoval]:
        """Forget it."""
        image = await self.get_image(ref)
        del self.images[image.id]
        return [ImageRemoval(untagged=ref), ImageRemoval(deleted=image.id)]

    async def prune_images(self, refs: Sequence[str]) -> ImagePrune:
        """Forget them."""
        gone = [self.images.pop(ref) for ref in refs]
        return ImagePrune(removals=[ImageRemoval(deleted=image.id) for image in gone])

    async def prune_build_cache(self, rule: BuildPruneRequest) -> BuildPrune:
        """Say what was asked for: there are two steps, of which one is an image of this node."""
        gone = ["step1", "step2"] if rule.everything else ["step1"]
        return BuildPrune(deleted=gone, space_reclaimed=100 * len(gone))

    async def registry_image(
        self, reference: str, auth: RegistryAuth | None = None
    ) -> RegistryImage:
        """What `registry` has."""
        if reference not in self.registry:
            raise System(f"the registry of {reference} cannot be reached")
        return self.registry[reference]

    async def authenticate(self, auth: RegistryAuth) -> str:
        """Whoever is in `credentials`."""
        if self.credentials.get(auth.username) != auth.password:
            raise Unauthorized("incorrect username or password")
        return ""
