"""What all nouns share: the struct base, ids, metadata, annotations and drivers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NewType, TypeAlias, TypeVar

import msgspec

ServiceId = NewType("ServiceId", str)
TaskId = NewType("TaskId", str)
NodeId = NewType("NodeId", str)
NetworkId = NewType("NetworkId", str)
SecretId = NewType("SecretId", str)
ConfigId = NewType("ConfigId", str)
ContainerId = NewType("ContainerId", str)
VolumeName = NewType("VolumeName", str)

SECOND = 1_000_000_000
"""Nanoseconds in a second: the API counts every duration in nanoseconds."""

GO_RANGES: dict[str, tuple[int, int]] = {
    "int": (-(2**63), 2**63 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
    "uint32": (0, 2**32 - 1),
    "time.Duration": (-(2**63), 2**63 - 1),
    "fs.FileMode": (0, 2**32 - 1),
}
"""The integers of Docker's API, by the names of their Go types: the least and the largest value."""

UInt64: TypeAlias = Annotated[int, msgspec.Meta(extra={"go": "uint64"})]
UInt32: TypeAlias = Annotated[int, msgspec.Meta(extra={"go": "uint32"})]
Int: TypeAlias = Annotated[int, msgspec.Meta(extra={"go": "int"})]
Duration: TypeAlias = Annotated[int, msgspec.Meta(extra={"go": "time.Duration"})]
"""Nanoseconds."""
FileMode: TypeAlias = Annotated[int, msgspec.Meta(extra={"go": "fs.FileMode"})]
Float32: TypeAlias = Annotated[float, msgspec.Meta(extra={"go": "float32"})]

S = TypeVar("S", bound="Struct")


class Struct(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="pascal",
    omit_defaults=True,
    repr_omit_defaults=True,
    # Frozen data can't refer back to itself; with ten thousand tasks, looking for cycles in it was a fifth of all work.
    gc=False,
):
    """The base of all API-shaped data: frozen, PascalCase on the wire, defaults left out.

    Note the difference to what the API *answers*: `hivelet.convert` adds the keys that Docker always writes.
    """

    def replaced(self: S, **changes: Any) -> S:
        """A copy with `changes` made."""
        return msgspec.structs.replace(self, **changes)


class Version(Struct, frozen=True, kw_only=True):
    """A store version; every write to any object takes the next number."""

    index: int = 0


class Annotations(Struct, frozen=True, kw_only=True):
    """The name and labels that every spec begins with."""

    name: str = ""
    labels: dict[str, str] = {}


class Driver(Struct, frozen=True, kw_only=True):
    """A driver's name and options, as log, network, IPAM and volume drivers have them."""

    name: str = ""
    options: dict[str, str] = {}


class Meta(Struct, frozen=True, kw_only=True):
    """When an object was created and last written, and by which store version."""

    version: Version = Version()
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Platform(Struct, frozen=True, kw_only=True):
    """A CPU architecture and an operating system, in Go's words ("amd64", "linux")."""

    architecture: str = ""
    os: str = msgspec.field(default="", name="OS")
