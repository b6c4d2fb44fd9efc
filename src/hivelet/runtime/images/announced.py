"""What a registry's manifest announces, checked before anything of it is fetched: which manifest is the image's, and its size. Pure.

A registry may say anything. What always holds: whatever is fetched has a digest that was checked, and a size that was announced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hivelet.errors import HiveletError, InvalidParameter, NotFound
from hivelet.runtime.images.platforms import Platform
from hivelet.runtime.images.references import parse_digest

_VARIANT = "v"
_LAYERS_LIMIT = 1000
"""Docker has no such limit, but can mount no more than 127 of them."""


def choose_manifest(document: dict[str, Any], platform: Platform) -> str:
    """The digest of the manifest for `platform`, where the document is an index; "" where it is a manifest itself.

    Raises:
        InvalidParameter: it is an index, but not a valid one.
        NotFound: it has no manifest for the platform.
    """
    if "manifests" not in document or "layers" in document:
        return ""
    fitting = [
        entry
        for entry in _list(document, "manifests")
        if _platform(entry).get("os") == platform.os
        and _platform(entry).get("architecture") == platform.architecture
    ]
    if not fitting:
        raise NotFound(f"no matching manifest for {platform} in the manifest list entries")
    return _digest(_nearest(fitting, platform.variant))


def announced_size(document: dict[str, Any]) -> int:
    """How many bytes a manifest's config and layers have, as it says.

    Raises:
        InvalidParameter: it is no manifest of an image that can be had.
    """
    if not isinstance(document.get("config"), dict):
        raise InvalidParameter(
            "the registry's manifest is not valid: it has no config (the old schema 1 is not supported)"
        )
    layers = _list(document, "layers")
    if len(layers) > _LAYERS_LIMIT:
        raise InvalidParameter(
            f"the registry's manifest is not valid: it has more than {_LAYERS_LIMIT} layers"
        )
    return sum(_size(entry) for entry in (document["config"], *layers))


def _nearest(entries: Sequence[dict[str, Any]], variant: str) -> dict[str, Any]:
    """The same variant, or else the highest that is not higher (of an ARM), or else the first."""

    def rank(entry: dict[str, Any]) -> tuple[bool, int]:
        stated = str(_platform(entry).get("variant") or "")
        number = _number(stated)
        return stated == variant, number if number <= _number(variant) else -1

    return max(entries, key=rank)


def _number(variant: str) -> int:
    word = variant.removeprefix(_VARIANT)
    return int(word) if word.isascii() and word.isdigit() and len(word) < 4 else 0


def _platform(entry: dict[str, Any]) -> dict[str, Any]:
    stated = entry.get("platform")
    return stated if isinstance(stated, dict) else {}


def _list(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InvalidParameter(f"the registry's manifest is not valid: {key} is no list of objects")
    return found


def _digest(entry: dict[str, Any]) -> str:
    digest = entry.get("digest")
    try:
        algorithm, _ = parse_digest(digest if isinstance(digest, str) else "")
    except HiveletError as error:
        raise InvalidParameter(
            f"the registry's manifest is not valid: {_short(digest)} is no digest"
        ) from error
    if algorithm != "sha256":
        raise InvalidParameter(
            f"the registry's manifest is not valid: {_short(digest)}: only sha256 is supported"
        )
    return str(digest)


def _size(entry: dict[str, Any]) -> int:
    digest, size = _digest(entry), entry.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidParameter(
            f"the registry's manifest is not valid: {_short(size)} is no size of {digest}"
        )
    return size


def _short(value: object) -> str:
    return repr(value)[:100]
