"""JSON that somebody else wrote, read so that its shape cannot hurt: nested deeply, it would end Python's stack. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

DEPTH = 100
"""How deeply it may be nested; what Docker's API, images and registries have is not above ten."""


def decode_json(raw: bytes | str, kind: Any = Any, *, most: int | None = None) -> Any:
    """The data, of this type; `most` is how many values it may have, about, since each takes much more than its text.

    Raises:
        msgspec.DecodeError: it is no JSON, not of this type, nested too deeply, or text with half a surrogate pair.
    """
    if most is not None and _count(raw) > most:
        raise msgspec.DecodeError(f"more than {most} values")
    try:
        data = msgspec.json.decode(raw, type=kind)
    except RecursionError as error:
        raise msgspec.DecodeError(f"nested more than {DEPTH} deep") from error
    except UnicodeError as error:
        raise msgspec.DecodeError(f"no valid UTF-8: {error}") from error
    if _is_deeper(data, DEPTH):
        raise msgspec.DecodeError(f"nested more than {DEPTH} deep")
    return data


def _count(raw: bytes | str) -> int:
    """No fewer than there are: what stands in texts counts as well."""
    data = raw if isinstance(raw, bytes) else raw.encode(errors="replace")
    return sum(data.count(mark) for mark in (b",", b"[", b"{"))


def _is_deeper(data: Any, limit: int) -> bool:
    layer = [data]
    for _ in range(limit):
        parts: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                parts.extend(part for part in item.values() if isinstance(part, dict | list))
            elif isinstance(item, list):
                parts.extend(part for part in item if isinstance(part, dict | list))
        if not parts:
            return False
        layer = parts
    return True
