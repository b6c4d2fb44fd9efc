"""Devices of the host in their short form: `PATH[:PATH_IN_CONTAINER][:PERMISSIONS]`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERMISSIONS = re.compile(r"[rwm]{1,3}\Z")


@dataclass(frozen=True, slots=True)
class ShortDevice:
    """One device; without a path in the container it has that of the host."""

    source: str
    target: str
    permissions: str = "rwm"


def parse_device(text: str) -> ShortDevice:
    """The device that `text` describes.

    Raises:
        ValueError: it is not a device.
    """
    source, *rest = text.split(":")
    target = rest.pop(0) if rest and rest[0].startswith("/") else source
    permissions = rest.pop(0) if rest else "rwm"
    if rest or not source.startswith("/") or not _PERMISSIONS.match(permissions):
        raise ValueError(
            f'"{text}" is not a device; write it like "/dev/fuse" or "/dev/sda:/dev/xvda:r"'
        )
    return ShortDevice(source, target, permissions)
