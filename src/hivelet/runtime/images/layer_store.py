"""The life of a layer: unpacked once however many ask for it at a time, held while something needs it, deleted when nothing does.

What always holds: a layer lives as long as an image, a load under way or a container's file system needs it, and one that was
unpacked for nothing goes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from hivelet.kit.threads import in_thread
from hivelet.runtime.images.archive import ArchivedLayer, unpack_archived
from hivelet.runtime.images.blobs import BlobSource
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.database import ImageDatabase
from hivelet.runtime.images.holds import Hold, LayerHolds
from hivelet.runtime.images.layers import LayerDirectory
from hivelet.runtime.images.records import LayerRecord
from hivelet.runtime.images.unpack import Unpacked

_PARALLEL_UNPACKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an image store consists of: what it says, where that is written, and who may write at the moment."""

    database: ImageDatabase
    directory: LayerDirectory
    catalog: Catalog
    writing: asyncio.Lock


class LayerStore:
    """The layers of an image store; `in_use` says which of them containers have mounted."""

    def __init__(self, parts: Parts, in_use: Callable[[], Collection[str]]) -> None:
        self._database = parts.database
        self._directory = parts.directory
        self._catalog = parts.catalog
        self._writing = parts.writing
        self._in_use = in_use
        self._holds = LayerHolds()
        self._unpacking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(_PARALLEL_UNPACKS)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[Hold]:
        """Layers that are held are not collected; what was unpacked for nothing is, when a failed hold ends."""
        try:
            with self._holds.holding() as hold:
                yield hold
        except BaseException:
            await self.collect()
            raise

    async def ensure_all(
        self, blobs: BlobSource, layers: Sequence[ArchivedLayer], hold: Hold
    ) -> list[LayerRecord]:
        """Unpack those that are missing."""
        background = [asyncio.ensure_future(self._ensure(blobs, layer, hold)) for layer in layers]
        try:
            return await asyncio.gather(*background)
        finally:
            # One layer that fails must not leave others reading from an archive that is closed.
            for unfinished in background:
                unfinished.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    async def _ensure(self, blobs: BlobSource, layer: ArchivedLayer, hold: Hold) -> LayerRecord:
        lock = self._unpacking.setdefault(layer.diff_id, asyncio.Lock())
        async with lock:
            known = self._catalog.layers.get(layer.diff_id)
            if known is not None:
                return known
            return await self.unpack(lambda diff: unpack_archived(blobs, layer, diff), hold)

    async def unpack(self, write: Callable[[Path], Unpacked], hold: Hold) -> LayerRecord:
        """Have `write` fill a new layer, which is held from then on."""
        made: list[LayerRecord] = []
        try:
            async with self._slots:
                await in_thread(lambda: made.append(self._directory.unpack(write)))
        except BaseException:
            # Cancelled while the thread was finishing: nobody will ever know this one.
            await self._delete(made)
            raise
        [layer] = made
        hold([layer.diff_id])
        # Imports learn only now which layer it is; another one may have brought it meanwhile.
        known = self._catalog.layers.setdefault(layer.diff_id, layer)
        if known is not layer:
            await self._delete([layer])
        return known

    async def collect(self) -> list[str]:
        """Delete the layers that nothing needs; returns their diff ids."""
        async with self._writing:
            unused = self._catalog.unused_layers(self._holds.held(), self._in_use())
            if not unused:
                return []
            await in_thread(self._database.remove, (), "", unused)
            for layer in unused:
                del self._catalog.layers[layer.diff_id]
        await self._delete(unused)
        return [layer.diff_id for layer in unused]

    async def _delete(self, layers: Sequence[LayerRecord]) -> None:
        doomed = await in_thread(self._directory.set_aside, layers)
        await in_thread(self._directory.delete, doomed)
