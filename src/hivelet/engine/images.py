"""What the API asks of images, answered by the image store; containers count as users of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from hivelet.engine.events import EventBus
from hivelet.engine.pulls import SharedPulls
from hivelet.engine.registry import Registry
from hivelet.errors import HiveletError, InvalidParameter, NotFound, Unavailable
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
from hivelet.runtime.images.arrival import SILENCE
from hivelet.runtime.images.creation import ImportOptions
from hivelet.runtime.images.download import download
from hivelet.runtime.images.pull import Pull, pull_image
from hivelet.runtime.images.push import Push, push_image
from hivelet.runtime.images.questions import check_credentials, inspect_registry
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import Reference, parse_reference, parse_tagged
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.removal import ImageUse
from hivelet.runtime.images.store import ImageStore

REGISTRY_PATIENCE = 5.0
"""Seconds that a question to a registry may take: the docker CLI asks one before each `service create`, and waits."""


class ImageActions:
    """The image side of the engine."""

    def __init__(
        self,
        store: ImageStore,
        registry: Registry,
        events: EventBus,
        registries: InsecureRegistries,
        *,
        silence: float = SILENCE,
    ) -> None:
        self._store = store
        self._silence = silence
        self._registries = registries
        self._containers = registry
        self._image_events = events
        self._pulls = SharedPulls(self._pull)

    async def list_images(self) -> Sequence[Image]:
        """All images, with how many containers each has."""
        users = self._containers.image_users()
        return [
            self._store.describe(record).replaced(containers=len(users.get(record.id, [])))
            for record in await self._store.list_images()
        ]

    async def get_image(self, ref: str) -> Image:
        """One image."""
        return await self._store.inspect(ref)

    async def image_history(self, ref: str) -> Sequence[ImageHistory]:
        """How it was made, newest step first."""
        return await self._store.history(ref)

    async def pull_image(
        self, reference: str, *, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Fetch an image from its registry."""
        insecure = self._registries.covers(parse_reference(reference).domain)
        request = Pull(
            reference=reference,
            platform=platform,
            auth=auth,
            insecure=insecure,
            silence=self._silence,
        )
        async with aclosing(pull_image(self._store, request)) as pulling:
            async for progress in pulling:
                yield progress
        self._image_events.publish("image", "pull", reference, {"name": reference})

    async def push_image(
        self, name: str, tag: str, auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Carry an image to its registry; without `tag` all tags of the repository `name`.

        Raises:
            NotFound: no image here has that name.
        """
        repository = parse_reference(name)
        if repository.digest:
            raise InvalidParameter("cannot push a digest reference")
        references = [parse_tagged(f"{name}:{tag}")] if tag else await self._tags_of(repository)
        for reference in references:
            insecure = self._registries.covers(reference.domain)
            request = Push(reference=reference.canonical, auth=auth, insecure=insecure)
            async with aclosing(push_image(self._store, request)) as pushing:
                async for progress in pushing:
                    yield progress
            familiar = reference.familiar
            self._image_events.publish("image", "push", familiar, {"name": familiar})

    async def _tags_of(self, repository: Reference) -> list[Reference]:
        tags = [
            reference
            for image in await self._store.list_images()
            for reference in map(parse_reference, image.tags)
            if reference.name == repository.name
        ]
        if not tags:
            raise NotFound(
                f"An image does not exist locally with the tag: {repository.familiar_name}"
            )
        return sorted(tags, key=lambda reference: reference.tag or "")

    async def ensure_image(self, reference: str, auth: RegistryAuth | None = None) -> ImageRecord:
        """The image of that name: the one that is here, or else the registry's, asked with these credentials.

        Raises:
            NotFound: it is neither here nor to be had; the message says why.
        """
        try:
            return await self._store.resolve(reference)
        except NotFound as missing:
            try:
                await self._pulls.join(reference, auth)
            except HiveletError as error:
                raise NotFound(f"{missing.message} ({error.message})") from error
        return await self._store.resolve(reference)

    async def import_image(self, archive: AsyncIterator[bytes], request: ImageImport) -> str:
        """Make an image of a root file system's tar."""
        origin = f"Imported from {request.source}" if request.source else ""
        options = ImportOptions(
            changes=request.changes,
            message=request.message or origin,
            platform=request.platform,
        )
        async with aclosing(download(request.source)) as pieces:
            source = pieces if request.source else archive
            record = await self._store.import_rootfs(source, request.reference, options)
        self._image_events.publish(
            "image", "import", record.id, {"name": request.reference or record.id}
        )
        if request.reference:
            self._image_events.publish("image", "tag", record.id, {"name": request.reference})
        return record.id

    async def load_images(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Take in a docker-archive or OCI archive."""
        for name in await self._store.load(archive):
            self._image_events.publish("image", "load", name, {"name": name})
            yield name

    async def save_images(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """A docker-archive of these images."""
        # Before it, for a name may be taken away while its image is sent.
        records = [await self._store.resolve(ref) for ref in refs]
        async for piece in self._store.save(refs):
            yield piece
        for record in records:
            self._image_events.publish("image", "save", record.id, {"name": record.id})

    async def tag_image(self, ref: str, target: str) -> None:
        """Give an image another name."""
        await self._store.tag(ref, target)
        record = await self._store.resolve(ref)
        self._image_events.publish("image", "tag", record.id, {"name": target})

    async def remove_image(self, ref: str, *, force: bool, prune: bool) -> Sequence[ImageRemoval]:
        """Take a name away, and the image with the last."""
        removals = await self._store.remove(ref, force=force, uses=self._uses())
        for removal in removals:
            action = "untag" if removal.untagged else "delete"
            name = removal.untagged or removal.deleted
            self._image_events.publish("image", action, name, {"name": name})
        return removals

    async def prune_images(self, refs: Sequence[str]) -> ImagePrune:
        """Remove those of `refs` that no container uses."""
        used = self._containers.image_users()
        before = (await self._store.disk_usage()).layers_size
        removals: list[ImageRemoval] = []
        for ref in refs:
            record = await self._store.resolve(ref)
            if record.id not in used:
                removals += await self.remove_image(record.id, force=True, prune=True)
        after = (await self._store.disk_usage()).layers_size
        return ImagePrune(removals=removals, space_reclaimed=before - after)

    async def registry_image(
        self, reference: str, auth: RegistryAuth | None = None
    ) -> RegistryImage:
        """What the registry says of an image.

        Raises:
            Unavailable: it does not answer in time; clients go on with the name alone.
        """
        try:
            async with asyncio.timeout(REGISTRY_PATIENCE):
                insecure = self._registries.covers(parse_reference(reference).domain)
                return await inspect_registry(reference, auth, insecure=insecure)
        except TimeoutError as error:
            raise Unavailable(
                f"the registry of {reference} did not answer within {REGISTRY_PATIENCE:.0f} s"
            ) from error

    async def authenticate(self, auth: RegistryAuth) -> str:
        """Check credentials against their registry, which gives no token of its own."""
        await check_credentials(self._store, auth, self._registries)
        return ""

    def _uses(self) -> list[ImageUse]:
        return [
            ImageUse(
                image_id=record.container.image_id,
                container_id=record.id,
                running=record.container.state.running,
            )
            for record in self._containers.all()
        ]

    async def _pull(self, reference: str, auth: RegistryAuth | None) -> None:
        async for _ in self.pull_image(reference, auth=auth):
            pass
