"""Images from registries, from a Docker daemon, from Podman's store: fetched by skopeo, taken in by the store.

A pull first asks which digest the name has now, then fetches exactly that. It leaves nothing behind unless it succeeds.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter, System
from hivelet.kit.foreign_json import decode_json
from hivelet.kit.process import CommandFailed, run_command, stream_command
from hivelet.objects import common
from hivelet.objects.image import ImageProgress, RegistryAuth, RegistryImage
from hivelet.runtime.images import skopeo
from hivelet.runtime.images.archive import read_images
from hivelet.runtime.images.blobs import DirectoryBlobs
from hivelet.runtime.images.credentials import AuthFile, has_policy
from hivelet.runtime.images.platforms import Platform, host_platform, parse_platform
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import Reference, parse_reference, parse_registry
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.store import ImageStore

_TICK = 0.5
_VALUES_LIMIT = 200_000
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


async def inspect_registry(
    reference: str, auth: RegistryAuth | None = None, *, insecure: bool = False
) -> RegistryImage:
    """What the registry says of an image, without fetching it."""
    parsed = parse_reference(reference).with_default_tag()
    async with AuthFile(parsed, auth) as authfile:
        flags = skopeo.build_flags(parsed, authfile=authfile, insecure=insecure)
        raw = await _inspect_raw(parsed, flags, with_credentials=auth is not None)
    manifest = _decode_manifest(raw)
    media_type = str(manifest.get("mediaType") or "")
    listed = manifest.get("manifests")
    platforms = [
        common.Platform(
            architecture=str(item["platform"].get("architecture") or ""),
            os=str(item["platform"].get("os") or ""),
        )
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and isinstance(item.get("platform"), dict)
    ]
    return RegistryImage(
        media_type=media_type, digest=_digest_of(raw), size=len(raw), platforms=platforms
    )


async def check_credentials(
    store: ImageStore, auth: RegistryAuth, registries: InsecureRegistries | None = None
) -> None:
    """Ask a registry whether it accepts a user's credentials.

    Raises:
        Unauthorized: it does not.
        Unavailable: it can't be reached.
        InvalidParameter: no user is named, or no registry.
    """
    if not auth.username or not auth.password:
        raise InvalidParameter("give a user name and a password")
    registry = parse_registry(auth.serveraddress)
    scratch = await store.new_scratch("login")
    try:
        insecure = (registries or InsecureRegistries()).covers(registry)
        authfile = str(scratch / "auth.json")
        argv = skopeo.build_login(registry, auth.username, authfile, insecure=insecure)
        await run_command(argv, stdin=auth.password.encode())
    except CommandFailed as error:
        reference = Reference(domain=registry, path="")
        raise skopeo.explain_failure(
            reference, error.status, error.stderr, with_credentials=True
        ) from error
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
            raw = await _inspect_raw(reference, flags, with_credentials=bool(request.auth))
            digest = _digest_of(raw)
            if reference.digest and digest != reference.digest:
                raise System(f"{reference.domain} answered {digest} for {reference.familiar}")
            present = await self._present(digest)
            record = present or await self._copy(
                skopeo.build_source(reference.with_digest(digest)),
                skopeo.build_flags(
                    reference, authfile=authfile, insecure=request.insecure, prefix="src-"
                ),
                digest,
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

    async def _copy(self, source: str, flags: list[str], digest: str) -> ImageRecord:
        target = self._scratch / "image"
        argv = skopeo.build_copy(source, str(target), flags, self._platform, policy=has_policy())
        watch = asyncio.ensure_future(self._watch_size(target))
        try:
            async for line in stream_command(argv):
                if line.startswith("Copying blob "):
                    self._say("Pulling fs layer", _short(line.split()[2]))
        except CommandFailed as error:
            raise skopeo.explain_failure(
                self._reference,
                error.status,
                error.stderr,
                with_credentials=self._request.auth is not None,
            ) from error
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        return await self._take_in(target, digest)

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

    async def _watch_size(self, directory: Path) -> None:
        while True:
            await asyncio.sleep(_TICK)
            size = await asyncio.to_thread(_size_of, directory)
            self._emit(
                ImageProgress(status="Downloading", id=self._reference.tag or "image", current=size)
            )

    def _say(self, status: str, id: str = "") -> None:
        self._emit(ImageProgress(status=status, id=id))


async def _inspect_raw(reference: Reference, flags: list[str], *, with_credentials: bool) -> bytes:
    argv = skopeo.build_inspect(skopeo.build_source(reference), flags, policy=has_policy())
    try:
        return (await run_command(argv)).stdout
    except CommandFailed as error:
        raise skopeo.explain_failure(
            reference, error.status, error.stderr, with_credentials=with_credentials
        ) from error


def _decode_manifest(raw: bytes) -> dict[str, Any]:
    try:
        decoded: dict[str, Any] = decode_json(raw, dict[str, Any], most=_VALUES_LIMIT)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"the registry's manifest is not valid: {error}") from error
    return decoded


def _digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _size_of(directory: Path) -> int:
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except FileNotFoundError:
        return 0


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT]
