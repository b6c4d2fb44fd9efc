"""Images from registries, from a Docker daemon, from Podman's store: fetched by skopeo, taken in by the store.

A pull first asks which digest the name has now, then fetches exactly that, and no more of it than was announced (`arrival.py`). It leaves
nothing behind unless it succeeds.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hivelet.errors import InvalidParameter, System
from hivelet.kit.process import CommandFailed, stream_command
from hivelet.objects.image import ImageProgress, RegistryAuth
from hivelet.runtime.images import skopeo
from hivelet.runtime.images.announced import announced_size, choose_manifest
from hivelet.runtime.images.archive import read_images
from hivelet.runtime.images.arrival import SILENCE, Arrival, Size
from hivelet.runtime.images.blobs import DirectoryBlobs
from hivelet.runtime.images.credentials import AuthFile, has_policy
from hivelet.runtime.images.platforms import Platform, host_platform, parse_platform
from hivelet.runtime.images.questions import decode_manifest, digest_of, read_manifest
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import Reference, parse_reference
from hivelet.runtime.images.store import ImageStore

_SHORT = 12

Emit = Callable[[ImageProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What to pull.

    `reference` is the name that the image gets. It comes from the registry in that name, or from `source`, written as
    skopeo writes it (`docker-daemon:myweb:latest`, `containers-storage:myweb`, `docker-archive:/path`, `oci:/path`).
    """

    reference: str
    source: str = ""
    platform: str = ""
    auth: RegistryAuth | None = None
    insecure: bool = False
    silence: float = SILENCE
    """Seconds that a registry may send nothing."""


async def pull_image(store: ImageStore, request: Pull) -> AsyncGenerator[ImageProgress, None]:
    """Fetch an image, telling how it goes on in Docker's words; who stops listening ends the pull.

    Raises:
        NotFound: the registry has no such image, or does not show it to strangers.
        Unavailable: the registry can't be reached.
        Unauthorized: it does not accept the credentials.
    """
    news: asyncio.Queue[ImageProgress | None] = asyncio.Queue()
    background = asyncio.ensure_future(fetch_image(store, request, news.put_nowait))
    background.add_done_callback(lambda _: news.put_nowait(None))
    try:
        while (progress := await news.get()) is not None:
            yield progress
        await background
    finally:
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)


async def fetch_image(store: ImageStore, request: Pull, emit: Emit) -> ImageRecord:
    """Fetch an image; see `pull_image`."""
    reference = parse_reference(request.reference).with_default_tag()
    platform = parse_platform(request.platform, host_platform())
    scratch = await store.new_scratch("pull")
    try:
        fetch = _Fetch(store, reference, request, platform, scratch, emit)
        return await fetch.run()
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch)


class _Fetch:
    """One pull under way."""

    def __init__(
        self,
        store: ImageStore,
        reference: Reference,
        request: Pull,
        platform: Platform,
        scratch: Path,
        emit: Emit,
    ) -> None:
        self._store = store
        self._reference = reference
        self._request = request
        self._platform = platform
        self._scratch = scratch
        self._emit = emit

    async def run(self) -> ImageRecord:
        reference, request = self._reference, self._request
        self._say(f"Pulling from {reference.path.removeprefix('library/')}", reference.tag)
        if request.source:
            record = await self._copy(request.source, [], "")
            self._say(f"Status: Downloaded newer image for {reference.familiar}")
            return record
        async with AuthFile(reference, request.auth) as authfile:
            flags = skopeo.build_flags(reference, authfile=authfile, insecure=request.insecure)
            raw = await self._ask(reference, flags)
            digest = digest_of(raw)
            if reference.digest and digest != reference.digest:
                raise System(f"{reference.domain} answered {digest} for {reference.familiar}")
            manifest = decode_manifest(raw)
            chosen = choose_manifest(manifest, self._platform)
            wanted = reference.with_digest(chosen or digest)
            size = (
                partial(self._size, wanted, flags)
                if chosen
                else partial(_known, announced_size(manifest))
            )
            present = await self._present(digest)
            record = present or await self._copy(
                skopeo.build_source(wanted),
                skopeo.build_flags(
                    reference, authfile=authfile, insecure=request.insecure, prefix="src-"
                ),
                digest,
                size,
            )
        state = "Image is up to date" if present else "Downloaded newer image"
        self._say(f"Digest: {digest}")
        self._say(f"Status: {state} for {reference.familiar}")
        return record

    async def _present(self, digest: str) -> ImageRecord | None:
        """The image of that digest, if it is here, fits, and has the wanted name already."""
        wanted = {self._reference.canonical, self._reference.with_digest(digest).canonical}
        for image in await self._store.list_images():
            if image.architecture == self._platform.architecture and wanted <= set(
                image.references
            ):
                return image
        return None

    async def _ask(self, reference: Reference, flags: list[str]) -> bytes:
        request = self._request
        return await read_manifest(
            reference, flags, with_credentials=request.auth is not None, patience=request.silence
        )

    async def _size(self, reference: Reference, flags: list[str]) -> int:
        """How much an image of an index is; asked while it comes already."""
        return announced_size(decode_manifest(await self._ask(reference, flags)))

    async def _copy(
        self, source: str, flags: list[str], digest: str, size: Size | None = None
    ) -> ImageRecord:
        target = self._scratch / "image"
        argv = skopeo.build_copy(source, str(target), flags, self._platform, policy=has_policy())
        copying = asyncio.ensure_future(self._run(argv))
        reference = self._reference
        arrival = Arrival(
            name=reference.familiar,
            registry=reference.domain,
            directory=target,
            announced=size or partial(_known, None),
            silence=self._request.silence if size else None,
        )
        watching = asyncio.ensure_future(arrival.watch(self._tell_size))
        try:
            await asyncio.wait({copying, watching}, return_when=asyncio.FIRST_COMPLETED)
            # Whoever is done first: the one that watches only ever ends by an error.
            await (copying if copying.done() else watching)
        finally:
            for background in (copying, watching):
                background.cancel()
            await asyncio.gather(copying, watching, return_exceptions=True)
        return await self._take_in(target, digest)

    async def _run(self, argv: list[str]) -> None:
        try:
            async with aclosing(stream_command(argv)) as lines:
                async for line in lines:
                    if line.startswith("Copying blob "):
                        self._say("Pulling fs layer", _short(line.split()[2]))
        except CommandFailed as error:
            raise skopeo.explain_failure(
                self._reference,
                error.status,
                error.stderr,
                with_credentials=self._request.auth is not None,
            ) from error

    def _tell_size(self, size: int) -> None:
        self._emit(
            ImageProgress(status="Downloading", id=self._reference.tag or "image", current=size)
        )

    async def _take_in(self, directory: Path, digest: str) -> ImageRecord:
        blobs = DirectoryBlobs(directory)
        try:
            images = await asyncio.to_thread(read_images, blobs, self._platform)
            if not images:
                raise InvalidParameter(f"what came for {self._reference.familiar} holds no image")
            image = images[0]
            for layer in image.layers:
                self._say("Extracting", _short(layer.blob_digest))
            names = [self._reference.canonical] if not self._reference.digest else []
            if digest:
                names.append(self._reference.with_digest(digest).canonical)
            record = await self._store.take_in(blobs, image, names)
            for layer in image.layers:
                self._say("Pull complete", _short(layer.blob_digest))
            return record
        finally:
            blobs.close()

    def _say(self, status: str, id: str = "") -> None:
        self._emit(ImageProgress(status=status, id=id))


async def _known(size: int | None) -> int | None:
    """What is known already, for whoever waits for it."""
    return size


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT]
