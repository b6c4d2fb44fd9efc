"""Reads image archives: `docker save`'s, OCI layouts and skopeo's `dir:` (as a tar or as a directory).

Says which images an archive holds, and unpacks one layer at a time. What always holds: a layer counts only if the
digest of its blob and that of its uncompressed tar are the stated ones. Whoever wrote the archive, what is read of it at once is
bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json
from hivelet.runtime.images.blobs import BlobSource, FileWindow, read_blob
from hivelet.runtime.images.compression import BufferedBytes, HashedReader, open_decompressed
from hivelet.runtime.images.platforms import Platform
from hivelet.runtime.images.records import ImageRecord, parse_image
from hivelet.runtime.images.references import parse_digest, parse_reference
from hivelet.runtime.images.tarstream import BrokenArchive
from hivelet.runtime.images.unpack import Unpacked, unpack_layer

_JSON_LIMIT = 4 << 20
_VALUES_LIMIT = 200_000
_IMAGES_LIMIT = 1000
_CONFIGS_LIMIT = 16 << 20
_INDEX_DEPTH = 4
_INDEX_TYPES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedLayer:
    """A layer that can be had from an archive. `blob_digest` is "" where the archive states none."""

    diff_id: str
    name: str
    blob_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedImage:
    """An image that can be had from an archive; `tags` are full references."""

    record: ImageRecord
    layers: tuple[ArchivedLayer, ...]
    tags: tuple[str, ...] = ()


def read_images(source: BlobSource, platform: Platform) -> list[ArchivedImage]:
    """All images of an archive; of a multi-architecture index, the one for `platform`.

    Raises:
        BrokenArchive: it is no archive of a known kind, or something in it is missing or altered.
    """
    if source.has("manifest.json"):
        manifest = _read_json(source, "manifest.json")
        if isinstance(manifest, list):
            return _bounded(_read_docker_image(source, item) for item in manifest)
        if source.has("version"):
            return [_read_manifest(source, manifest, _directory_name)]
    if source.has("index.json"):
        return _bounded(_read_layout(source, platform))
    raise BrokenArchive(
        "this is neither a `docker save` archive (it has no manifest.json)"
        " nor an OCI image layout (it has no index.json)"
    )


def unpack_archived(source: BlobSource, layer: ArchivedLayer, target: Path) -> Unpacked:
    """Unpack one layer into the empty directory `target`, and check its digests."""
    blob = HashedReader(source.open(layer.name))
    unpacked = unpack_layer(open_decompressed(blob), target)
    while blob.read(_CHUNK):
        pass
    if layer.blob_digest and blob.digest != layer.blob_digest:
        raise BrokenArchive(f"layer blob {layer.blob_digest} is altered: it is {blob.digest}")
    if unpacked.diff_id != layer.diff_id:
        raise BrokenArchive(f"layer {layer.diff_id} is altered: its content is {unpacked.diff_id}")
    return unpacked


def unpack_rootfs(path: Path, target: Path) -> Unpacked:
    """Unpack a root file system's tar, compressed or not, into the empty directory `target`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return unpack_layer(open_decompressed(FileWindow(descriptor)), target)
    finally:
        os.close(descriptor)


def _read_docker_image(source: BlobSource, item: Any) -> ArchivedImage:
    fields = _expect(item, dict, "an image of manifest.json")
    config = _expect(fields.get("Config"), str, "Config in manifest.json")
    names = [_expect(n, str, "a layer's name") for n in _optional(fields, "Layers", list)]
    tags = [_expect(t, str, "a tag") for t in _optional(fields, "RepoTags", list)]
    record = parse_image(read_blob(source, config, _JSON_LIMIT))
    return ArchivedImage(
        record=record,
        layers=_pair(record, [(name, "") for name in names]),
        tags=tuple(parse_reference(tag).with_default_tag().canonical for tag in tags),
    )


def _bounded(images: Iterable[ArchivedImage]) -> list[ArchivedImage]:
    """All of them; every one is held in memory until the last is taken in."""
    found, size = [], 0
    for image in images:
        found.append(image)
        size += len(image.record.raw)
        if len(found) > _IMAGES_LIMIT or size > _CONFIGS_LIMIT:
            raise BrokenArchive(
                f"the archive has more than {_IMAGES_LIMIT} images, or more than {_CONFIGS_LIMIT >> 20} MiB of image configs"
            )
    return found


def _read_layout(source: BlobSource, platform: Platform) -> Iterable[ArchivedImage]:
    index = _expect(_read_json(source, "index.json"), dict, "index.json")
    none = True
    for descriptor in _manifests(index):
        tag = _annotated_name(descriptor)
        for _ in range(_INDEX_DEPTH):
            raw = _read_blob_checked(source, _digest(descriptor))
            content = _expect(_decode(raw, _digest(descriptor)), dict, "a manifest")
            if not _is_index(descriptor, content):
                break
            descriptor = select_platform(_manifests(content), platform)
        else:
            raise BrokenArchive("the OCI layout nests its indexes too deeply")
        image = _read_manifest(source, content, _layout_name)
        tags = (tag,) if tag else ()
        none = False
        yield ArchivedImage(record=image.record, layers=image.layers, tags=tags)
    if none:
        raise BrokenArchive("the OCI layout's index.json names no image")


def select_platform(descriptors: Sequence[dict[str, Any]], platform: Platform) -> dict[str, Any]:
    """The manifest for `platform`: same OS and architecture; the same variant where one has it.

    Raises:
        BrokenArchive: there is none.
    """
    fitting = []
    for descriptor in descriptors:
        stated = _optional(descriptor, "platform", dict)
        if stated.get("os") == platform.os and stated.get("architecture") == platform.architecture:
            fitting.append(descriptor)
    for descriptor in fitting:
        if (descriptor["platform"].get("variant") or "") == platform.variant:
            return descriptor
    if not fitting:
        raise BrokenArchive(f"no matching manifest for {platform} in the manifest list entries")
    return fitting[0]


def _read_manifest(
    source: BlobSource, manifest: Any, name_of: Callable[[str], str]
) -> ArchivedImage:
    fields = _expect(manifest, dict, "a manifest")
    config = _digest(_expect(fields.get("config"), dict, "a manifest's config"))
    layers = [
        _digest(_expect(layer, dict, "a manifest's layer"))
        for layer in _optional(fields, "layers", list)
    ]
    raw = read_blob(source, name_of(config), _JSON_LIMIT)
    record = parse_image(raw)
    if record.id != config:
        raise BrokenArchive(f"image config {config} is altered: it is {record.id}")
    return ArchivedImage(
        record=record, layers=_pair(record, [(name_of(digest), digest) for digest in layers])
    )


def _pair(record: ImageRecord, blobs: Sequence[tuple[str, str]]) -> tuple[ArchivedLayer, ...]:
    if len(blobs) != len(record.diff_ids):
        raise BrokenArchive(
            f"invalid manifest, layers length mismatch: expected {len(record.diff_ids)},"
            f" got {len(blobs)}"
        )
    return tuple(
        ArchivedLayer(diff_id=diff_id, name=name, blob_digest=digest)
        for diff_id, (name, digest) in zip(record.diff_ids, blobs, strict=True)
    )


def _read_blob_checked(source: BlobSource, digest: str) -> bytes:
    hashed = HashedReader(source.open(_layout_name(digest)))
    raw = BufferedBytes(hashed).read(_JSON_LIMIT)
    if hashed.digest != digest:
        raise BrokenArchive(f"blob {digest} is altered: it is {hashed.digest}")
    return raw


def _read_json(source: BlobSource, name: str) -> Any:
    return _decode(read_blob(source, name, _JSON_LIMIT), name)


def _decode(raw: bytes, name: str) -> Any:
    try:
        return decode_json(raw, most=_VALUES_LIMIT)
    except msgspec.MsgspecError as error:
        raise BrokenArchive(f"{name!r} in the archive is not JSON: {error}") from error


def _expect(value: Any, kind: type[Any], what: str) -> Any:
    if not isinstance(value, kind):
        raise BrokenArchive(f"{what} in the archive is not a {kind.__name__}")
    return value


def _optional(fields: dict[str, Any], key: str, kind: type[Any]) -> Any:
    """The field; an empty one where it is null or not there."""
    value = fields.get(key)
    return kind() if value is None else _expect(value, kind, key)


def _manifests(index: dict[str, Any]) -> list[dict[str, Any]]:
    """An index's manifests, without build attestations, which are no images."""
    descriptors = _expect(index.get("manifests"), list, "an index's manifests")
    found = []
    for item in descriptors:
        descriptor = _expect(item, dict, "an index's manifest")
        notes = _optional(descriptor, "annotations", dict)
        if "vnd.docker.reference.type" not in notes:
            found.append(descriptor)
    return found


def _is_index(descriptor: dict[str, Any], content: dict[str, Any]) -> bool:
    stated = content.get("mediaType") or descriptor.get("mediaType")
    return isinstance(stated, str) and stated in _INDEX_TYPES


def _annotated_name(descriptor: dict[str, Any]) -> str:
    notes = _optional(descriptor, "annotations", dict)
    for key in _NAME_ANNOTATIONS:
        name = notes.get(key)
        # A bare word here is a tag of a repository that nobody names.
        if isinstance(name, str) and ("/" in name or ":" in name):
            try:
                return parse_reference(name).with_default_tag().canonical
            except InvalidParameter:
                continue
    return ""


def _digest(descriptor: dict[str, Any]) -> str:
    digest: str = _expect(descriptor.get("digest"), str, "a descriptor's digest")
    algorithm, _ = parse_digest(digest)
    if algorithm != "sha256":
        raise BrokenArchive(f"digest {digest}: only sha256 is supported")
    return digest


def _layout_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _directory_name(digest: str) -> str:
    return digest.partition(":")[2]
