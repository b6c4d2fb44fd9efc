"""CPU architectures in Go's words ("amd64"), which images and the API use, for the kernel's ("x86_64"). Pure."""

from __future__ import annotations

_MACHINES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
    "loongarch64": ("loong64", ""),
    "mips64": ("mips64le", ""),
}
"""The kernel's machine name (`uname -m`): the architecture, and the variant that images of it state."""


def go_architecture(machine: str) -> str:
    """The architecture of a machine name; one that is Go's already, or unknown, stays as it is."""
    return go_platform(machine)[0]


def go_platform(machine: str) -> tuple[str, str]:
    """The architecture and the variant of a machine name; the variant is "" where images state none."""
    return _MACHINES.get(machine, (machine, ""))
