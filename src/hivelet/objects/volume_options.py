"""Options of the volume driver `local`: which there are, and what a volume with them is. Pure; rules and words are dockerd's.

A volume with a type and a device is a file system that is mounted where its first user needs it; without options it is a
plain directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from hivelet.errors import InvalidParameter

_KNOWN = ("type", "o", "device", "size")
_NEEDS = {"device": ("type",), "type": ("device",), "o": ("device", "type")}


def check_volume_options(options: Mapping[str, str]) -> None:
    """Refuse options that the driver `local` does not have, or that make no mount.

    Raises:
        InvalidParameter: names the option.
    """
    for name in sorted(options):
        if name not in _KNOWN:
            raise InvalidParameter(f'invalid option: "{name}"')
    if any("\0" in value for value in options.values()):
        raise InvalidParameter("invalid option: a value has a null byte")
    if "size" in options:
        raise InvalidParameter(
            'quota size requested but no quota support; for a tmpfs, write "o=size=…"'
        )
    for name, needed in _NEEDS.items():
        missing = [one for one in needed if name in options and one not in options]
        if missing:
            raise InvalidParameter(f'missing required option: "{missing[0]}"')
    if options.get("type") == "cifs" and _has_port(options["device"]):
        raise InvalidParameter("port not allowed in CIFS device URL, include 'port' in 'o='")


def needs_mount(options: Mapping[str, str]) -> bool:
    """Whether a volume with these options is a mount of its own."""
    return bool(options.get("device") or options.get("type"))


def _has_port(device: str) -> bool:
    try:
        return urlsplit(device).port is not None
    except ValueError:
        return True
