"""Mounts in their short form: `[SOURCE:]TARGET[:OPTIONS]`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_PROPAGATIONS = frozenset({"rprivate", "private", "rshared", "shared", "rslave", "slave"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortVolume:
    """One mount. Without a source it is an anonymous volume; a source that looks like a path is a bind mount."""

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    nocopy: bool = False
    propagation: str = ""


def parse_volume(text: str) -> ShortVolume:
    """The mount that `text` describes; options that are not known are passed over, as the docker CLI does.

    Raises:
        ValueError: it is not a mount.
    """
    if not text:
        raise ValueError("an empty mount; write it like data:/var/lib/data or ./conf:/etc/app:ro")
    parts = text.split(":")
    if "" in parts:
        raise ValueError(f'"{text}" has an empty part between its colons')
    if len(parts) > 3:
        raise ValueError(f'"{text}" has too many colons')
    if len(parts) == 1:
        return ShortVolume(type="volume", target=parts[0])
    options = parts[2].split(",") if len(parts) == 3 else []
    return ShortVolume(
        type="bind" if parts[0][0] in "./~" else "volume",
        source=parts[0],
        target=parts[1],
        read_only="ro" in options,
        nocopy="nocopy" in options,
        propagation=next((option for option in reversed(options) if option in _PROPAGATIONS), ""),
    )
