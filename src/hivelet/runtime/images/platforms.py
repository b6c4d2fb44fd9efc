"""Operating system and CPU as images name them: Go's words, not the kernel's. Pure but for `host_platform`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hivelet.errors import InvalidParameter
from hivelet.kit.architecture import go_platform

_FOREIGN = {"windows", "darwin", "freebsd"}
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An operating system and a CPU, in Go's words."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_machine(machine: str) -> Platform:
    """The platform of a kernel that calls its machine `machine` (`uname -m`)."""
    architecture, variant = go_platform(machine)
    return Platform(architecture=architecture, variant=variant)


def host_platform() -> Platform:
    """The platform of this machine."""
    return parse_machine(os.uname().machine)


def parse_platform(text: str, default: Platform) -> Platform:
    """Read `linux/arm64/v8`, `linux/amd64`, `arm64` or `linux`; "" is `default`.

    Raises:
        InvalidParameter: it is not of that form, or not Linux.
    """
    if not text:
        return default
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(
        part.replace("-", "").replace("_", "").isalnum() for part in parts
    ):
        raise InvalidParameter(
            f'"{text}": unknown operating system or architecture: invalid argument'
        )
    if len(parts) == 1:
        if parts[0] == "linux":
            return default
        parts = ["linux", *parts] if parts[0] not in _FOREIGN else parts
    if parts[0] != "linux":
        raise InvalidParameter(f"operating system {parts[0]!r} is not supported on linux")
    architecture = _ALIASES.get(parts[1], parts[1])
    stated = parts[2] if len(parts) == 3 else ""
    if not stated and architecture == default.architecture:
        return default
    return Platform(architecture=architecture, variant=stated)
