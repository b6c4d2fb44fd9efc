"""Images as JSON, what a pull says as it goes on, credentials, and the filters of `GET /images/json`."""

from __future__ import annotations

import binascii
import fnmatch
from base64 import b64decode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from hivelet.convert.body import convert_json
from hivelet.convert.container_config import encode_container_config
from hivelet.convert.filters import Filters
from hivelet.convert.query import timestamp_ns
from hivelet.convert.shape import Json, empty_to_none, encode, parse_json, rfc3339
from hivelet.errors import InvalidParameter, NotFound
from hivelet.kit.durations import parse_duration
from hivelet.objects.container import ContainerConfig
from hivelet.objects.image import (
    Image,
    ImageHistory,
    ImageProgress,
    ImageRemoval,
    RegistryAuth,
    RegistryImage,
)

FILTERS = ("dangling", "label", "label!", "before", "since", "reference", "until")
"""What `GET /images/json` filters by."""

PRUNE_FILTERS = ("dangling", "label", "label!", "until")
"""What `POST /images/prune` filters by."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_summary(image: Image, *, virtual_size: bool) -> Json:
    """An image as `GET /images/json` lists it; `VirtualSize` went with API 1.44."""
    answer: Json = {
        "Containers": image.containers,
        "Created": int((image.created or _EPOCH).timestamp()),
        "Id": image.id,
        "Labels": empty_to_none(image.config.labels),
        "ParentId": image.parent,
        "RepoDigests": empty_to_none(image.repo_digests),
        "RepoTags": empty_to_none(image.repo_tags),
        "SharedSize": image.shared_size,
        "Size": image.size,
    }
    return answer | ({"VirtualSize": image.size} if virtual_size else {})


def encode_image(image: Image, *, virtual_size: bool) -> Json:
    """An image as `GET /images/{name}/json` answers it."""
    answer: Json = {
        "Id": image.id,
        "RepoTags": image.repo_tags,
        "RepoDigests": image.repo_digests,
        "Parent": image.parent,
        "Comment": image.comment,
        "Created": rfc3339(image.created),
        "Container": "",
        "ContainerConfig": encode_container_config(ContainerConfig()),
        "DockerVersion": "",
        "Author": image.author,
        "Config": encode_container_config(image.config),
        "Architecture": image.platform.architecture,
        "Os": image.platform.os or "linux",
        "Size": image.size,
        "GraphDriver": {"Data": empty_to_none(image.directories), "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": image.layers},
        "Metadata": {"LastTagTime": rfc3339(image.last_tagged)},
    }
    if image.variant:
        answer["Variant"] = image.variant
    return answer | ({"VirtualSize": image.size} if virtual_size else {})


def encode_history(step: ImageHistory) -> Json:
    """One step of `GET /images/{name}/history`."""
    return {
        "Comment": step.comment,
        "Created": int((step.created or _EPOCH).timestamp()),
        "CreatedBy": step.created_by,
        "Id": step.id,
        "Size": step.size,
        "Tags": empty_to_none(step.tags),
    }


def encode_progress(progress: ImageProgress) -> Json:
    """One line of a pull's or push's stream."""
    if progress.pushed is not None:
        return {"progressDetail": {}, "aux": encode(progress.pushed)}
    answer: Json = {"status": progress.status}
    if progress.id:
        answer["id"] = progress.id
    if progress.total:
        answer["progressDetail"] = {"current": progress.current, "total": progress.total}
    elif progress.id:
        answer["progressDetail"] = {}
    return answer


def encode_removal(removal: ImageRemoval) -> Json:
    """One line of what a removal did."""
    return encode(removal)  # type: ignore[no-any-return]


def encode_registry_image(image: RegistryImage) -> Json:
    """What `GET /distribution/{name}/json` answers; the docker CLI pins services to the digest in it."""
    return {
        "Descriptor": {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": image.size,
        },
        "Platforms": [
            {"architecture": platform.architecture, "os": platform.os}
            for platform in image.platforms
        ],
    }


def parse_auth(header: str) -> RegistryAuth | None:
    """Credentials from `X-Registry-Auth`: base64 of JSON, in either alphabet, padded or not. None where none came.

    Raises:
        InvalidParameter: it is something else.
    """
    if not header:
        return None
    plain = header.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        raw = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameter(f"invalid X-Registry-Auth header: {error}") from error
    auth = convert_json(parse_json(raw), RegistryAuth)
    return auth if encode(auth) else None


def join_reference(name: str, tag: str) -> str:
    """`name:tag`, or `name@sha256:…` where the tag is a digest; a name that has either already stays as it is."""
    if not tag:
        return name
    return f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"


def select_images(images: Sequence[Image], filters: Filters, *, now: datetime) -> list[Image]:
    """The images that a list call asked for, newest first; where it asked by `reference`, with the names that fit alone."""
    dangling = filters.boolean("dangling")
    borders = [until_moment(value, now) for value in filters.get("until")]
    for pattern in filters.get("reference"):
        _check_pattern(pattern)
    chosen = [
        _as_asked(image, filters)
        for image in images
        if (dangling is None or dangling == (not image.repo_tags))
        and filters.labels("label", image.config.labels)
        and filters.without_labels("label!", image.config.labels)
        and _has_reference(image, filters)
        and all(_moment(image) < border for border in borders)
    ]
    for key, newer in (("before", False), ("since", True)):
        for ref in filters.get(key):
            border = _moment(_named(images, ref))
            chosen = [
                image
                for image in chosen
                if (_moment(image) > border if newer else _moment(image) < border)
            ]
    return sorted(chosen, key=_moment, reverse=True)


_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}


def check_platform(image: Image, name: str, wanted: str) -> None:
    """Refuse image `name` of another platform than `wanted`: `linux`, `arm64`, `linux/arm/v7`.

    Raises:
        NotFound: in Docker's words; a client pulls the right one then.
    """
    system, _, rest = wanted.lower().partition("/")
    if not rest and system != image.platform.os:
        system, rest = image.platform.os, system
    architecture, _, variant = rest.partition("/")
    architecture = _ARCHITECTURES.get(architecture, architecture)
    differs = (
        system != image.platform.os
        or (architecture and image.platform.architecture not in ("", architecture))
        or (variant and image.variant and variant != image.variant)
    )
    if differs:
        raise NotFound(
            f"image with reference {name} was found but does not match the specified platform: "
            f"wanted {wanted}, actual: {image.platform.os}/{image.platform.architecture}"
        )


def prune_selection(filters: Filters) -> Filters:
    """The filters of a prune as those of a list: only images without a name, unless `dangling=false` was given."""
    kept = {key: filters.get(key) for key in PRUNE_FILTERS if key != "dangling" and key in filters}
    return Filters(
        kept if filters.boolean("dangling") is False else {**kept, "dangling": ("true",)}
    )


def _moment(image: Image) -> datetime:
    return image.created or _EPOCH


def _has_reference(image: Image, filters: Filters) -> bool:
    asked = _as_asked(image, filters)
    return "reference" not in filters or bool(asked.repo_tags or asked.repo_digests)


def _as_asked(image: Image, filters: Filters) -> Image:
    """The filter `reference`: of an image's names those alone that fit."""
    if "reference" not in filters:
        return image
    patterns = filters.get("reference")
    return image.replaced(
        repo_tags=[name for name in image.repo_tags if _fits(name, ":", patterns)],
        repo_digests=[name for name in image.repo_digests if _fits(name, "@", patterns)],
    )


def _fits(name: str, mark: str, patterns: Sequence[str]) -> bool:
    """A shell pattern over the whole name or over the repository, where `*` stops at a slash."""
    repository = name.rpartition(mark)[0]
    return any(_path_match(each, value) for value in patterns for each in (name, repository))


def _path_match(name: str, pattern: str) -> bool:
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(
        fnmatch.fnmatchcase(part, wanted) for part, wanted in zip(parts, patterns, strict=True)
    )


def _check_pattern(pattern: str) -> None:
    """Refuse a set of characters that does not end."""
    for part in pattern.split("/"):
        opened = part.rfind("[")
        if opened >= 0 and "]" not in part[opened + 2 :]:
            raise InvalidParameter("syntax error in pattern")


def until_moment(value: str, now: datetime) -> datetime:
    """The moment that `until` of a prune or list means: seconds since 1970, a date, or a span such as "24h" before now.

    Raises:
        InvalidParameter: it has another form.
    """
    try:
        if value[:1].isdecimal() and "-" in value:
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if value[-1:].isalpha():
            return now - timedelta(microseconds=parse_duration(value) / 1000)
        return datetime.fromtimestamp(timestamp_ns(value) / 1_000_000_000, UTC)
    except (ValueError, OverflowError, InvalidParameter) as error:
        raise InvalidParameter(f'failed to parse value as time or duration: "{value}"') from error


def _named(images: Iterable[Image], ref: str) -> Image:
    for image in images:
        tagged = ref in image.repo_tags or f"{ref}:latest" in image.repo_tags
        if tagged or image.id == ref or image.id.removeprefix("sha256:").startswith(ref):
            return image
    raise NotFound(f"No such image: {ref}")
