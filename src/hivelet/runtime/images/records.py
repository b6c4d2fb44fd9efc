"""What the store knows of an image, and how an image's own config file is read and written. Pure.

An image *is* its config file: the id is that file's SHA-256, and the bytes are kept as they came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json
from hivelet.objects.container import ContainerConfig
from hivelet.runtime.images.references import parse_digest, parse_reference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONFIG_LIMIT = 4 << 20
_VALUES_LIMIT = 200_000
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of `docker history`: how a layer, or a change of the config alone, came about."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """A layer that is unpacked at `<root>/layers/<directory>/diff`. `size` counts the bytes of its regular files."""

    diff_id: str
    directory: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image in the store.

    `diff_ids` go from the base upwards. `tags` and `digests` are full references (`docker.io/library/myweb:latest`,
    `…@sha256:…`), sorted; an image without either is dangling. `raw` is the config file itself.
    """

    id: str
    config: ContainerConfig
    raw: bytes = field(repr=False)
    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str = ""
    author: str = ""
    comment: str = ""
    docker_version: str = ""
    diff_ids: tuple[str, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    size: int = 0
    layer_sizes: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    last_tagged: datetime | None = None

    @property
    def created_at(self) -> datetime:
        """When it was built; the epoch where it does not say."""
        return parse_time(self.created)

    @property
    def repo_tags(self) -> list[str]:
        """The tags as people write them: `myweb:latest`."""
        return [parse_reference(tag).familiar for tag in self.tags]

    @property
    def repo_digests(self) -> list[str]:
        """The digest references as people write them: `myweb@sha256:…`."""
        return [parse_reference(digest).familiar for digest in self.digests]

    @property
    def references(self) -> tuple[str, ...]:
        """Tags and digest references together, in full."""
        return self.tags + self.digests


class _Words(msgspec.Struct, frozen=True):
    """The plain texts of a config file."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str = ""
    author: str = ""
    comment: str = ""
    docker_version: str = ""


def parse_image(raw: bytes) -> ImageRecord:
    """Read an image's config file (Docker's or OCI's, which agree where it matters).

    Raises:
        InvalidParameter: it is no such file, or not for Linux.
    """
    if len(raw) > _CONFIG_LIMIT:
        raise InvalidParameter(f"the image's config file is larger than {_CONFIG_LIMIT} bytes")
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    try:
        data = decode_json(raw, dict[str, Any], most=_VALUES_LIMIT)
        rootfs = data.get("rootfs") or {}
        diff_ids = tuple(msgspec.convert(rootfs.get("diff_ids") or [], list[str]))
        config = msgspec.convert(_without_nulls(data.get("config") or {}), ContainerConfig)
        entries = msgspec.convert(data.get("history") or [], list[dict[str, Any]])
        history = tuple(_parse_history(entry) for entry in entries)
        words = msgspec.convert(_without_nulls(data), _Words)
    except (msgspec.MsgspecError, AttributeError) as error:
        raise InvalidParameter(f"image config {digest} is not valid: {error}") from error
    for diff_id in diff_ids:
        parse_digest(diff_id)
    if words.os not in {"", "linux"}:
        raise InvalidParameter(f"cannot load {words.os} image on linux")
    return ImageRecord(
        id=digest,
        config=config,
        raw=raw,
        architecture=words.architecture,
        os=words.os,
        variant=words.variant,
        created=words.created,
        author=words.author,
        comment=words.comment,
        docker_version=words.docker_version,
        diff_ids=diff_ids,
        history=history,
    )


def build_image(
    config: ContainerConfig,
    diff_ids: Sequence[str],
    history: Sequence[HistoryEntry],
    *,
    created: datetime,
    platform: tuple[str, str, str],
    author: str = "",
) -> bytes:
    """Write the config file of a new image; `platform` is os, architecture and variant, as Go names them."""
    os, architecture, variant = platform
    data: dict[str, Any] = {
        "architecture": architecture,
        "config": msgspec.to_builtins(config),
        "created": render_time(created),
        "history": [_render_history(entry) for entry in history],
        "os": os,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }
    if variant:
        data["variant"] = variant
    if author:
        data["author"] = author
    return msgspec.json.encode(data, order="sorted")


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """What the OCI specification calls each layer together with all below it."""
    chain: list[str] = []
    for diff_id in diff_ids:
        if not chain:
            chain.append(diff_id)
            continue
        joined = f"{chain[-1]} {diff_id}".encode()
        chain.append(f"sha256:{hashlib.sha256(joined).hexdigest()}")
    return chain


def parse_time(text: str) -> datetime:
    """An RFC 3339 time, to the microsecond; the epoch where it is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return EPOCH
    fraction = (found[2] or ".0")[:7]
    try:
        return datetime.fromisoformat(f"{found[1]}{fraction:0<7}{found[3]}").astimezone(UTC)
    except (ValueError, OverflowError):
        return EPOCH


def render_time(moment: datetime) -> str:
    """RFC 3339 in UTC, as Docker writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _parse_history(entry: dict[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        created=str(entry.get("created") or ""),
        created_by=str(entry.get("created_by") or ""),
        author=str(entry.get("author") or ""),
        comment=str(entry.get("comment") or ""),
        empty_layer=bool(entry.get("empty_layer")),
    )


def _render_history(entry: HistoryEntry) -> dict[str, Any]:
    data: dict[str, Any] = {"created": entry.created}
    for key in ("created_by", "author", "comment"):
        if value := getattr(entry, key):
            data[key] = value
    if entry.empty_layer:
        data["empty_layer"] = True
    return data


_MAPS = ("ExposedPorts", "Volumes")
_LISTS = ("Cmd", "Entrypoint", "OnBuild", "Shell")


def _without_nulls(config: dict[str, Any]) -> dict[str, Any]:
    """Go writes null for an empty list or map, and one string for a list of one."""
    clean: dict[str, Any] = {}
    for key, value in config.items():
        if value is None:
            continue
        if key in _MAPS and isinstance(value, dict):
            clean[key] = {name: {} for name in value}
        elif key in _LISTS and isinstance(value, str):
            clean[key] = [value]
        elif key == "Healthcheck" and isinstance(value, dict):
            clean[key] = {k: v for k, v in value.items() if v is not None}
        else:
            clean[key] = value
    return clean
