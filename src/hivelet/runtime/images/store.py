"""The node's images: imported, loaded or pulled, named, listed, inspected and removed.

`<root>/images.db` says which images, names and layers there are; `<root>/layers` has the layers, unpacked; `<root>/tmp` is
scratch. Only this class writes there. What always holds: an image that can be resolved has all its layers on disk, whenever the
machine stops; and a layer lives as long as an image, a load under way or a container's file system needs it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.clock import Clock, SystemClock
from hivelet.kit.threads import in_thread
from hivelet.objects.container import ContainerConfig
from hivelet.objects.engine import Container
from hivelet.objects.files import CommitRequest
from hivelet.objects.image import Image, ImageHistory, ImageRemoval
from hivelet.runtime.images.archive import ArchivedImage, read_images, unpack_rootfs
from hivelet.runtime.images.blobs import BlobSource, open_blobs
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.changes import apply_changes
from hivelet.runtime.images.creation import Commit, ImportOptions, build_committed, build_imported
from hivelet.runtime.images.database import ImageDatabase
from hivelet.runtime.images.descriptions import build_description, build_history
from hivelet.runtime.images.export import SavedImage, in_large_pieces, select_saved, write_archive
from hivelet.runtime.images.filters import Filters, select_images
from hivelet.runtime.images.layer_store import LayerStore, Parts
from hivelet.runtime.images.layers import LayerDirectory
from hivelet.runtime.images.platforms import host_platform, parse_platform
from hivelet.runtime.images.records import ImageRecord, LayerRecord, chain_ids
from hivelet.runtime.images.references import Reference, parse_reference, parse_tagged
from hivelet.runtime.images.removal import ImageUse, plan_removal
from hivelet.runtime.images.spool import Source, plain_copy, spooled


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """What images take on disk: all layers, and those that only images without a container need."""

    layers_size: int
    images: tuple[ImageRecord, ...]
    shared_sizes: dict[str, int]
    """By image id: the bytes of its layers that another image has too."""


class ImageStore:
    """The image store at `root`; `start` it before use. Safe for concurrent use within one event loop."""

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        layers_in_use: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._root = root
        self._clock = clock or SystemClock()
        self._layers_in_use = layers_in_use
        self._catalog = Catalog()
        self._writing = asyncio.Lock()
        self._open: tuple[ImageDatabase, LayerDirectory, LayerStore] | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the database and sweep what a crash may have left."""

        def opening() -> tuple[ImageDatabase, LayerDirectory, Catalog]:
            self._root.mkdir(parents=True, exist_ok=True)
            self._root.chmod(0o710)
            directory = LayerDirectory(self._root)
            database = ImageDatabase(self._root / "images.db")
            catalog = database.load()
            # What a container has mounted stays in any case, also where the database was begun anew.
            known = {layer.directory for layer in catalog.layers.values()}
            directory.sweep(known.union(self._layers_in_use()))
            return database, directory, catalog

        database, directory, self._catalog = await asyncio.to_thread(opening)
        parts = Parts(
            database=database, directory=directory, catalog=self._catalog, writing=self._writing
        )
        self._open = database, directory, LayerStore(parts, self._layers_in_use)
        await self.collect_layers()

    async def close(self) -> None:
        """Close the database."""
        if self._open is not None:
            await asyncio.to_thread(self._database.close)
            self._open = None

    # -- reading -----------------------------------------------------------------------------------------------------

    async def resolve(self, name: str) -> ImageRecord:
        """The image called `name`: a reference, `name@digest`, an id or its beginning; ImageUnknown where none is."""
        return self._catalog.resolve(name)

    async def list_images(self, filters: Filters | None = None) -> list[ImageRecord]:
        """All images that fit (`reference`, `dangling`, `label`, `before`, `since`, `until`), the newest first."""
        return select_images(self._catalog, filters or {}, now=self._clock.now())

    async def inspect(self, name: str) -> Image:
        """All there is to say about an image."""
        return self.describe(self._catalog.resolve(name))

    def describe(self, image: ImageRecord) -> Image:
        """An image in the API's words."""
        return build_description(image, paths=[str(path) for path in self.layer_paths(image)])

    async def history(self, name: str) -> list[ImageHistory]:
        """How an image was made, the newest step first."""
        return build_history(self._catalog.resolve(name))

    async def disk_usage(self) -> DiskUsage:
        """How much the images take."""
        images = self._catalog.images()
        owners = Counter(diff_id for image in images for diff_id in set(image.diff_ids))
        sizes = {layer.diff_id: layer.size for layer in self._catalog.layers.values()}
        return DiskUsage(
            layers_size=sum(sizes.values()),
            images=tuple(images),
            shared_sizes={
                image.id: sum(sizes[d] for d in image.diff_ids if owners[d] > 1) for image in images
            },
        )

    def layers_of(self, image: ImageRecord) -> list[str]:
        """The directory names of an image's layers, the base first: what `Snapshots.prepare` takes."""
        return [self._catalog.layers[diff_id].directory for diff_id in image.diff_ids]

    def layer_paths(self, image: ImageRecord) -> list[Path]:
        """Where an image's layers are unpacked, the base first."""
        return [self._directory.path(self._catalog.layers[diff_id]) for diff_id in image.diff_ids]

    # -- taking in ---------------------------------------------------------------------------------------------------

    async def import_rootfs(
        self, source: Source, reference: str = "", options: ImportOptions | None = None
    ) -> ImageRecord:
        """Make an image of one layer from a root file system tar, compressed or not."""
        options = options or ImportOptions()
        names = [parse_tagged(reference).canonical] if reference else []
        config = apply_changes(ContainerConfig(), options.changes)
        platform = parse_platform(options.platform, host_platform())
        async with spooled(source, self._directory.scratch) as path, self._layers.holding() as hold:
            layer = await self._layers.unpack(lambda diff: unpack_rootfs(path, diff), hold)
            image = build_imported(
                config, layer.diff_id, options.message, platform, self._clock.now()
            )
            return await self._commit(image, [layer], names)

    async def commit(
        self, container: Container, layer: AsyncIterator[bytes], request: CommitRequest
    ) -> ImageRecord:
        """Make an image of a container: its image's layers, and one of what it has changed (a tar).

        Raises:
            ImageUnknown: the image that it was made from is gone.
        """
        base = self._catalog.resolve(container.image_id)
        names = [parse_tagged(request.reference).canonical] if request.reference else []
        config = apply_changes(container.config, request.changes)
        async with spooled(layer, self._directory.scratch) as path, self._layers.holding() as hold:
            hold(base.diff_ids)
            top = await self._layers.unpack(lambda diff: unpack_rootfs(path, diff), hold)
            commit = Commit(container=container, base=base, top=top.diff_id, request=request)
            image = build_committed(config, commit, self._clock.now())
            layers = [self._catalog.layers[diff_id] for diff_id in base.diff_ids]
            return await self._commit(image, [*layers, top], names)

    async def load(self, source: Source) -> list[str]:
        """Take in all images of an archive; returns their names, or the id of one without a name.

        Reads `docker save` archives, OCI layouts (tar or directory), compressed or not.
        """
        scratch = self._directory.scratch
        async with spooled(source, scratch) as path:
            plain = await in_thread(plain_copy, path, scratch)
            try:
                return await self._load_plain(plain)
            finally:
                if plain != path:
                    plain.unlink()

    async def _load_plain(self, path: Path) -> list[str]:
        loaded = []
        blobs = await in_thread(open_blobs, path)
        try:
            for image in await in_thread(read_images, blobs, host_platform()):
                record = await self.take_in(blobs, image, image.tags)
                loaded += [parse_reference(tag).familiar for tag in image.tags] or [record.id]
        finally:
            blobs.close()
        return loaded

    async def take_in(
        self, blobs: BlobSource, image: ArchivedImage, names: Sequence[str]
    ) -> ImageRecord:
        """Unpack the layers that are missing, and add the image with `names` (in full form)."""
        async with self._layers.holding() as hold:
            hold(image.record.diff_ids)
            layers = await self._layers.ensure_all(blobs, image.layers, hold)
            return await self._commit(image.record, layers, names)

    async def _commit(
        self, image: ImageRecord, layers: Sequence[LayerRecord], names: Sequence[str]
    ) -> ImageRecord:
        """Files first, rows second: a row never speaks of a file that a power cut can take."""
        await in_thread(self._directory.sync)
        async with self._writing:
            now = self._clock.now()
            await in_thread(self._database.add_image, image, layers, names, now)
            self._catalog.add_image(image, layers)
            for name in names:
                self._catalog.add_name(name, image.id, now)
        return self._catalog.get(image.id)

    async def new_scratch(self, prefix: str) -> Path:
        """A new empty directory beside the store; who asked for it deletes it, or the next start does."""
        return await in_thread(self._directory.new_scratch, prefix)

    async def save(self, names: Sequence[str]) -> AsyncIterator[bytes]:
        """Write images as one archive, which `load`, Docker and skopeo read; a name without a tag means all its tags.

        Raises:
            ImageUnknown, RecipeMissing: before the first piece.
        """
        chosen = select_saved(self._catalog, names)
        async with self._layers.holding() as hold:
            images = []
            for image, tags in chosen:
                hold(image.diff_ids)
                directories = tuple(path.parent for path in self.layer_paths(image))
                images.append(SavedImage(record=image, tags=tags, directories=directories))
            pieces = in_large_pieces(write_archive(images))
            try:
                while (piece := await in_thread(next, pieces, None)) is not None:
                    yield piece
            finally:
                pieces.close()

    async def tag(self, source: str, target: str) -> None:
        """Give image `source` the name `target`; another image that has it loses it."""
        await self._add_name(source, parse_tagged(target).canonical)

    async def add_digest(self, image_id: str, reference: Reference) -> None:
        """Note under which digest a registry has an image."""
        await self._add_name(image_id, reference.canonical)

    async def _add_name(self, source: str, name: str) -> None:
        async with self._writing:
            image = self._catalog.resolve(source)
            now = self._clock.now()
            await in_thread(self._database.add_name, name, image.id, now)
            self._catalog.add_name(name, image.id, now)

    # -- removing ----------------------------------------------------------------------------------------------------

    async def remove(
        self, name: str, *, force: bool = False, uses: Iterable[ImageUse] = ()
    ) -> list[ImageRemoval]:
        """Take a name away, or the image: what was done, in order.

        Args:
            name: a reference or an id.
            force: also where a stopped container uses it, or where it has names in several repositories.
            uses: all containers and the images they were made from.
        """
        async with self._writing:
            plan = plan_removal(self._catalog, name, force=force, uses=uses)
            image = self._catalog.get(plan.image_id)
            answer = [ImageRemoval(untagged=parse_reference(n).familiar) for n in plan.names]
            doomed = plan.image_id if plan.delete else ""
            await in_thread(self._database.remove, plan.names, doomed, [])
            if plan.delete:
                self._catalog.drop_image(plan.image_id)
            else:
                for gone in plan.names:
                    self._catalog.drop_name(gone)
        if plan.delete:
            answer.append(ImageRemoval(deleted=plan.image_id))
            chain = dict(zip(image.diff_ids, chain_ids(image.diff_ids), strict=True))
            answer += [
                ImageRemoval(deleted=chain.get(diff_id, diff_id))
                for diff_id in await self.collect_layers()
            ]
        return answer

    async def collect_layers(self) -> list[str]:
        """Delete the layers that no image, no load under way and no container needs; returns their diff ids."""
        return await self._layers.collect()

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _database(self) -> ImageDatabase:
        return self._opened[0]

    @property
    def _directory(self) -> LayerDirectory:
        return self._opened[1]

    @property
    def _layers(self) -> LayerStore:
        return self._opened[2]

    @property
    def _opened(self) -> tuple[ImageDatabase, LayerDirectory, LayerStore]:
        if self._open is None:
            raise System("the image store is not started")
        return self._open
