"""What the OCI spec in a bundle says of a container that may have been made by an earlier daemon."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


def cgroup_of(spec: Mapping[str, Any]) -> str:
    """The cgroup that the container is to be in; "" where the spec names none."""
    return str(spec.get("linux", {}).get("cgroupsPath", ""))


def read_spec(config: Path) -> dict[str, Any]:
    """The spec in this file; empty where there is none."""
    try:
        spec: dict[str, Any] = msgspec.json.decode(config.read_bytes())
    except FileNotFoundError:
        return {}
    return spec
