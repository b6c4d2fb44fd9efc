"""Images to a registry: written as an archive from their layers, and carried there by skopeo."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import NotFound
from hivelet.kit.process import CommandFailed, stream_command
from hivelet.objects.image import ImageProgress, PushedTag, RegistryAuth
from hivelet.runtime.images import skopeo
from hivelet.runtime.images.credentials import AuthFile, has_policy
from hivelet.runtime.images.questions import inspect_registry
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import Reference, parse_tagged
from hivelet.runtime.images.store import ImageStore

_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What to push: a name that an image here has, and that says where it goes."""

    reference: str
    auth: RegistryAuth | None = None
    insecure: bool = False


async def push_image(store: ImageStore, request: Push) -> AsyncGenerator[ImageProgress, None]:
    """Push an image, telling how it goes on in Docker's words; the image then knows its digest there.

    Raises:
        NotFound: no image here has that name.
        Unauthorized: the registry does not let this user push.
        Unavailable: the registry can't be reached.
    """
    reference = parse_tagged(request.reference)
    image = await store.resolve(request.reference)
    if reference.canonical not in image.tags:
        raise NotFound(f"An image does not exist locally with the tag: {reference.familiar_name}")
    yield ImageProgress(status=f"The push refers to repository [{reference.name}]")
    scratch = await store.new_scratch("push")
    try:
        for diff_id in image.diff_ids:
            yield _tell(diff_id, "Preparing")
        archive = scratch / "image.tar"
        await _write(archive, store.save([reference.canonical]))
        async for progress in _copy(archive, reference, request, image):
            yield progress
        digest = await asyncio.to_thread((scratch / "digest").read_text)
        await store.add_digest(image.id, reference.with_digest(digest))
        manifest = await _manifest_size(reference.with_digest(digest), request)
        yield ImageProgress(status=f"{reference.tag}: digest: {digest} size: {manifest}")
        yield ImageProgress(pushed=PushedTag(tag=reference.tag or "", digest=digest, size=manifest))
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch)


async def _copy(
    archive: Path, reference: Reference, request: Push, image: ImageRecord
) -> AsyncIterator[ImageProgress]:
    async with AuthFile(reference, request.auth) as authfile:
        argv = skopeo.build_push(
            str(archive),
            reference,
            skopeo.build_flags(
                reference, authfile=authfile, insecure=request.insecure, prefix="dest-"
            ),
            str(archive.with_name("digest")),
            policy=has_policy(),
        )
        try:
            async for line in stream_command(argv):
                digest = line.removeprefix("Copying blob ")
                if digest in image.diff_ids:
                    yield _tell(digest, "Pushing")
            for diff_id in image.diff_ids:
                yield _tell(diff_id, "Pushed")
        except CommandFailed as error:
            raise skopeo.explain_push_failure(reference, error.status, error.stderr) from error


async def _manifest_size(reference: Reference, request: Push) -> int:
    said = await inspect_registry(reference.canonical, request.auth, insecure=request.insecure)
    return said.size


async def _write(path: Path, pieces: AsyncIterator[bytes]) -> None:
    with path.open("wb") as stream:
        async for piece in pieces:
            await asyncio.to_thread(stream.write, piece)


def _tell(diff_id: str, status: str) -> ImageProgress:
    return ImageProgress(status=status, id=diff_id.removeprefix("sha256:")[:_SHORT])
