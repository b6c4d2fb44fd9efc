"""A service with what its env files and label files say, once files are merged and services extended. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hivelet.compose.long_forms import Json
from hivelet.compose.surroundings import Surroundings


def resolve_service(
    service: Json,
    around: Surroundings,
    env_files: Mapping[tuple[str, str], Mapping[str, str]],
) -> Json:
    """The service with its env files below `environment` and its label files below `labels`.

    A variable without a value takes the caller's, if there is one; so does an empty one, as in the docker CLI, but
    from the caller's own environment alone. `env_files` has the files' content by absolute path and format.
    """
    merged: dict[str, str | None] = {}
    layers: list[Mapping[str, str | None]] = [
        env_files[key] for key, _ in env_file_keys(service, around) if key in env_files
    ]
    for layer in [*layers, service.get("environment") or {}]:
        for name, value in layer.items():
            if value is None:
                merged[name] = around.environment.get(name)
            else:
                merged[name] = value or around.exported.get(name, value)
    labels: dict[str, str] = {}
    for path in service.get("label_file") or []:
        labels |= env_files[around.absolute(path), ""]
    labels |= service.get("labels") or {}
    result = {**service, "environment": merged, "labels": labels}
    return {
        key: value for key, value in result.items() if value or key not in {"environment", "labels"}
    }


def env_file_keys(service: Json, around: Surroundings) -> list[tuple[tuple[str, str], bool]]:
    """A service's env files as (absolute path, format), and whether each must exist."""
    return [
        ((around.absolute(entry["path"]), entry.get("format", "")), entry.get("required", True))
        for entry in service.get("env_file") or []
    ]
