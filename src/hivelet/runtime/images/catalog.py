"""The store's contents in memory: which images there are, and what they are called. No I/O.

`ImageStore` alone changes a catalog, and only after the database has the change. What always holds: every name belongs to
an image that exists, and every layer of an image exists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from hivelet.errors import NotFound
from hivelet.runtime.images.records import ImageRecord, LayerRecord
from hivelet.runtime.images.references import parse_any, parse_reference


class ImageUnknown(NotFound):
    """No image has this name or id."""

    def __init__(self, familiar: str) -> None:
        super().__init__(f"No such image: {familiar}")


class Catalog:
    """Images by id, their names, and the unpacked layers by diff id."""

    def __init__(self) -> None:
        self.layers: dict[str, LayerRecord] = {}
        self._images: dict[str, ImageRecord] = {}
        self._names: dict[str, str] = {}

    def add_image(self, record: ImageRecord, layers: Iterable[LayerRecord]) -> None:
        """Take in an image and its layers; one that is there already keeps its names."""
        self.layers.update((layer.diff_id, layer) for layer in layers)
        sizes = tuple(self.layers[diff_id].size for diff_id in record.diff_ids)
        tags, digests = self._names_of(record.id)
        known = self._images.get(record.id)
        self._images[record.id] = replace(
            record,
            layer_sizes=sizes,
            size=sum(sizes),
            tags=tags,
            digests=digests,
            last_tagged=known.last_tagged if known else record.last_tagged,
        )

    def add_name(self, name: str, image_id: str, tagged: datetime | None = None) -> None:
        """Give an image a name, in full form; whoever had it loses it."""
        former = self._names.get(name)
        self._names[name] = image_id
        if former is not None and former != image_id:
            self._refresh(former)
        self._refresh(image_id, tagged)

    def drop_name(self, name: str) -> None:
        """Take a name away."""
        image_id = self._names.pop(name, None)
        if image_id is not None:
            self._refresh(image_id)

    def drop_image(self, image_id: str) -> None:
        """Forget an image and all its names."""
        for name in self.get(image_id).references:
            del self._names[name]
        del self._images[image_id]

    def images(self) -> list[ImageRecord]:
        """All images, the newest first."""
        return sorted(self._images.values(), key=lambda i: (i.created_at, i.id), reverse=True)

    def get(self, image_id: str) -> ImageRecord:
        """The image with exactly this id."""
        return self._images[image_id]

    def has(self, image_id: str) -> bool:
        """Whether there is an image with exactly this id."""
        return image_id in self._images

    def resolve(self, text: str) -> ImageRecord:
        """The image that `text` means: a name first, then an id or an unambiguous beginning of one.

        Raises:
            ImageUnknown: in Docker's words.
            InvalidReference: `text` can be neither a name nor an id.
        """
        lookup = parse_any(text)
        if lookup.reference is not None:
            found = self._by_reference(lookup.reference.canonical)
            if found is not None:
                return found
        if lookup.id_prefix:
            prefix = f"sha256:{lookup.id_prefix}"
            if prefix in self._images:
                return self._images[prefix]
            fitting = [
                image for image_id, image in self._images.items() if image_id.startswith(prefix)
            ]
            if len(fitting) == 1:
                return fitting[0]
        raise ImageUnknown(lookup.familiar)

    def unused_layers(
        self, kept: Collection[str], directories: Collection[str]
    ) -> list[LayerRecord]:
        """Layers of no image, except those in `kept` (by diff id) and `directories` (by directory name)."""
        used = {diff_id for image in self._images.values() for diff_id in image.diff_ids}
        return [
            layer
            for layer in self.layers.values()
            if layer.diff_id not in used
            and layer.diff_id not in kept
            and layer.directory not in directories
        ]

    def _by_reference(self, canonical: str) -> ImageRecord | None:
        reference = parse_reference(canonical)
        if reference.digest:
            # With a tag and a digest, the digest is the truth and the tag an explanation.
            canonical = reference.with_digest(reference.digest).canonical
        image_id = self._names.get(canonical, "")
        if not image_id and reference.digest in self._images:
            image = self._images[reference.digest]
            return image if any(t.startswith(f"{reference.name}:") for t in image.tags) else None
        return self._images.get(image_id)

    def _refresh(self, image_id: str, tagged: datetime | None = None) -> None:
        image = self._images[image_id]
        tags, digests = self._names_of(image_id)
        self._images[image_id] = replace(
            image, tags=tags, digests=digests, last_tagged=tagged or image.last_tagged
        )

    def _names_of(self, image_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = sorted(name for name, owner in self._names.items() if owner == image_id)
        return (
            tuple(name for name in names if "@" not in name),
            tuple(name for name in names if "@" in name),
        )
