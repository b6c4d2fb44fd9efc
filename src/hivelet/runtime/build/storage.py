"""buildah's storage: base images in, built images out, and the layer cache that stays between builds.

It is a store of its own below the daemon's root. An image's id is the same in both stores, as it is the digest of the same
config file. Nothing here is needed to run a container: whoever deletes the whole directory loses a cache.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import System
from hivelet.kit.files import ensure_private, write_atomic
from hivelet.kit.process import CommandFailed, run_command
from hivelet.kit.trees import remove_tree
from hivelet.objects.build import BuildCacheRecord
from hivelet.runtime.build import commands
from hivelet.runtime.build.cache import read_records
from hivelet.runtime.build.commands import StoragePlace
from hivelet.runtime.images.archive import read_images
from hivelet.runtime.images.blobs import DirectoryBlobs
from hivelet.runtime.images.platforms import host_platform
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.store import ImageStore

_INSTALL = "building images needs {0}: apt-get install {0}"


class BuildStorage:
    """The storage at `place`, beside the image store `store`."""

    def __init__(self, place: StoragePlace, store: ImageStore) -> None:
        self.place = place
        self._store = store
        self._importing = asyncio.Lock()

    @property
    def policy(self) -> Path:
        """The trust policy that the programs are given: what is here was trusted when it came."""
        return self.place.root / "policy.json"

    async def prepare(self) -> None:
        """Make what the programs need to find the storage.

        Raises:
            System: buildah is not installed.
        """
        for program in ("buildah", "skopeo"):
            if shutil.which(program) is None:
                raise System(_INSTALL.format(program))
        await asyncio.to_thread(self._write_configuration)

    def _write_configuration(self) -> None:
        for directory in (self.place.root, self.place.root / "tmp", self.place.run):
            ensure_private(directory)
        for name, text in self.place.configuration().items():
            path = self.place.root / name
            if not path.exists() or path.read_text() != text:
                write_atomic(path, text)

    async def sweep(self) -> None:
        """Remove what builds that were cut off left. Nothing else may be building."""
        if self.place.graph.exists() and shutil.which("buildah") is not None:
            await self.prepare()
            await self._run(commands.sweep_argv())

    async def bring(self, image: ImageRecord) -> None:
        """Have an image of our own store in the storage."""
        async with self._importing:
            if image.id.removeprefix("sha256:") in await asyncio.to_thread(self._known):
                return
            scratch = await self._store.new_scratch("base-")
            try:
                archive = scratch / "image.tar"
                with archive.open("wb") as stream:
                    async for piece in self._store.save([image.id]):
                        await asyncio.to_thread(stream.write, piece)
                await self._run(commands.import_argv(str(archive), image.id, self.policy))
            finally:
                await asyncio.to_thread(remove_tree, scratch)
            if image.id.removeprefix("sha256:") not in await asyncio.to_thread(self._known):
                raise System(f"image {image.id} became another one on its way into the build")

    async def take_out(self, image_id: str, names: Sequence[str]) -> ImageRecord:
        """Take a built image into our own store, with these names (in full form)."""
        scratch = await self._store.new_scratch("built-")
        try:
            target = scratch / "image"
            await self._run(commands.export_argv(image_id, str(target), self.policy))
            blobs = DirectoryBlobs(target)
            try:
                image = (await asyncio.to_thread(read_images, blobs, host_platform()))[0]
                return await self._store.take_in(blobs, image, names)
            finally:
                blobs.close()
        finally:
            await asyncio.to_thread(remove_tree, scratch)

    async def records(self, in_use: Collection[str]) -> list[BuildCacheRecord]:
        """The cache, the oldest step first."""
        return await asyncio.to_thread(lambda: read_records(*self._lists(), in_use))

    async def remove(self, ids: Sequence[str]) -> None:
        """Remove steps of the cache; their layers go when no other step has them."""
        if ids:
            await self.prepare()
            await self._run(commands.remove_argv(ids), check=self._all_gone(ids))

    async def clear(self) -> None:
        """Remove the whole cache. Nothing may be building."""
        for directory in (self.place.graph, self.place.run):
            if directory.exists():
                await asyncio.to_thread(remove_tree, directory)

    def _all_gone(self, ids: Sequence[str]) -> Callable[[], bool]:
        return lambda: not self._known().intersection(ids)

    def _known(self) -> set[str]:
        return {str(image["id"]) for image in self._lists()[0]}

    def _lists(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The storage's own lists. They are read, never written: asking the program for them takes fifty times as long."""
        graph = self.place.graph
        return (
            _read_list(graph / "overlay-images" / "images.json"),
            _read_list(graph / "overlay-layers" / "layers.json"),
        )

    async def _run(self, argv: Sequence[str], check: Callable[[], bool] | None = None) -> None:
        try:
            await run_command(argv, env=self.place.environment)
        except CommandFailed:
            # A step that goes takes those along that only it was made for, and those are then not found.
            if check is None or not await asyncio.to_thread(check):
                raise


def _read_list(path: Path) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    except FileNotFoundError:
        return []
    except msgspec.MsgspecError as error:
        raise System(f"the build cache's list {path} can't be read: {error}") from error
