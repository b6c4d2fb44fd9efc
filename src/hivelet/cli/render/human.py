"""Sizes and moments as the docker CLI words them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hivelet.kit.durations import human_duration

_FRACTION = re.compile(r"\.(\d+)")


def human_size(size: float) -> str:
    """A size in powers of 1000 with three figures: `7.67MB`, `0B`."""
    return _size(size, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"), 3)


def precise_size(size: float) -> str:
    """A size in powers of 1000 with four figures: `7.673MB`."""
    return _size(size, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"), 4)


def binary_size(size: float) -> str:
    """A size in powers of 1024 with four figures: `50MiB`."""
    return _size(size, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), 4)


def parse_time(text: str) -> datetime | None:
    """A moment of the API, which has nanoseconds; None for nothing and for Go's zero time."""
    if not text or text.startswith("0001-01-01"):
        return None
    micro = _FRACTION.sub(
        lambda match: "." + match[1][:6].ljust(6, "0"), text.replace("Z", "+00:00"), count=1
    )
    moment = datetime.fromisoformat(micro)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ago(text: str, now: datetime) -> str:
    """How long ago a moment of the API was: "3 seconds ago"; "" where there is none."""
    moment = parse_time(text)
    return f"{human_duration((now - moment).total_seconds())} ago" if moment else ""


def go_time(text: str) -> str:
    """A moment of the API as Go prints it in UTC, to the nanosecond: `2026-01-02 03:04:05.123456789 +0000 UTC`."""
    moment = parse_time(text)
    if moment is None:
        return "0001-01-01 00:00:00 +0000 UTC"
    fraction = _FRACTION.search(text)
    shown = fraction[0].rstrip("0").rstrip(".") if fraction else ""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}{shown} +0000 UTC"


def truncate_id(identifier: str) -> str:
    """The first twelve characters of an id, without the name of its digest."""
    return identifier.rpartition(":")[2][:12]


def ellipsis(text: str, length: int) -> str:
    """`text` cut to `length` characters, the last one an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _size(size: float, base: float, units: tuple[str, ...], figures: int) -> str:
    index = 0
    while size >= base and index < len(units) - 1:
        size /= base
        index += 1
    return f"{float(f'{size:.{figures}g}'):g}{units[index]}"
