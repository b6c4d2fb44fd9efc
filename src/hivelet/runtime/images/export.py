"""Writes images as one archive: a `docker save` archive that is an OCI layout as well, as Docker itself writes since 25.

The same images give the same bytes. Streams: nothing but headers and JSON is held in memory.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.recipes import measure_layer, rebuild_layer
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import parse_any, parse_reference

_BLOCK = 512
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """An image to be written: under which tags (in full form), and where each layer lies, the base first."""

    record: ImageRecord
    tags: tuple[str, ...]
    directories: tuple[Path, ...]


def select_saved(
    catalog: Catalog, names: Sequence[str]
) -> list[tuple[ImageRecord, tuple[str, ...]]]:
    """Which images `names` mean, each once, with the tags that it is saved under.

    Raises:
        ImageUnknown: one of them isn't there.
    """
    chosen: dict[str, dict[str, None]] = {}
    for text in names:
        image = catalog.resolve(text)
        tags = chosen.setdefault(image.id, {})
        lookup = parse_any(text)
        wanted = lookup.reference
        if wanted is None or wanted.digest or wanted.canonical not in image.tags:
            continue
        tags[wanted.canonical] = None
        if parse_reference(text).tag:
            continue
        for other in catalog.images():
            for tag in other.tags:
                if parse_reference(tag).name == wanted.name:
                    chosen.setdefault(other.id, {})[tag] = None
    return [(catalog.get(image_id), tuple(tags)) for image_id, tags in chosen.items()]


def write_archive(images: Sequence[SavedImage]) -> Generator[bytes, None, None]:
    """The archive, in pieces.

    Raises:
        RecipeMissing: a layer's tar can't be written again; before the first piece.
        System: a layer is damaged on disk.
    """
    sizes: dict[str, tuple[Path, int]] = {}
    for image in images:
        for diff_id, directory in zip(image.record.diff_ids, image.directories, strict=True):
            sizes[diff_id] = directory, measure_layer(directory / "recipe")
    lengths = {diff_id: size for diff_id, (_, size) in sizes.items()}
    manifests = [build_manifest(image.record, lengths) for image in images]
    blobs = {_digest(raw): raw for raw in manifests}
    blobs |= {image.record.id: image.record.raw for image in images}
    yield _header("blobs/", 0, directory=True) + _header("blobs/sha256/", 0, directory=True)
    for digest, raw in sorted(blobs.items()):
        yield _file(_name(digest), raw)
    for diff_id, (directory, size) in sorted(sizes.items()):
        yield _header(_name(diff_id), size)
        yield from rebuild_layer(directory / "recipe", directory / "diff", diff_id)
        yield bytes(-size % _BLOCK)
    index = build_index(images, manifests)
    yield _file("index.json", msgspec.json.encode(index))
    yield _file("manifest.json", msgspec.json.encode([_docker_entry(image) for image in images]))
    yield _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    yield bytes(2 * _BLOCK)


def in_large_pieces(pieces: Iterable[bytes], size: int = 1 << 20) -> Generator[bytes, None, None]:
    """The same bytes in pieces of at least `size`, save the last."""
    pending = bytearray()
    for piece in pieces:
        pending += piece
        if len(pending) >= size:
            yield bytes(pending)
            pending.clear()
    if pending:
        yield bytes(pending)


def build_manifest(image: ImageRecord, lengths: dict[str, int]) -> bytes:
    """The OCI manifest of an image with uncompressed layers of these lengths."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": image.id, "size": len(image.raw)},
        "layers": [
            {"mediaType": _LAYER, "digest": diff_id, "size": lengths[diff_id]}
            for diff_id in image.diff_ids
        ],
    }
    return msgspec.json.encode(manifest)


def build_index(images: Sequence[SavedImage], manifests: Sequence[bytes]) -> dict[str, Any]:
    """The layout's entry: each image once for each of its tags."""
    entries = []
    for image, raw in zip(images, manifests, strict=True):
        plain: dict[str, Any] = {"mediaType": _MANIFEST, "digest": _digest(raw), "size": len(raw)}
        notes = [
            {
                "io.containerd.image.name": tag,
                "org.opencontainers.image.ref.name": parse_reference(tag).tag,
            }
            for tag in image.tags
        ]
        entries += [plain | {"annotations": note} for note in notes] or [plain]
    return {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}


def _docker_entry(image: SavedImage) -> dict[str, Any]:
    return {
        "Config": _name(image.record.id),
        "RepoTags": [parse_reference(tag).familiar for tag in image.tags] or None,
        "Layers": [_name(diff_id) for diff_id in image.record.diff_ids],
    }


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _file(name: str, data: bytes) -> bytes:
    return _header(name, len(data)) + data + bytes(-len(data) % _BLOCK)


def _header(name: str, size: int, *, directory: bool = False) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o755 if directory else 0o444
    entry.type = tarfile.DIRTYPE if directory else tarfile.REGTYPE
    return entry.tobuf(tarfile.GNU_FORMAT)
