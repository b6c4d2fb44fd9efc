"""Laying several compose files over each other, as `-c base.yml -c override.yml` does. Pure.

Works on long forms. Mappings merge key by key; lists grow, without repeating what is there; and, as the docker CLI has it: a
command, an entrypoint and a health test are replaced as a whole, ports are a set, secrets and configs go by their source,
mounts and devices by their target, and log options survive only where the driver stays the same.
Note the difference to the docker CLI: a value that is given always wins, `false` and `0` too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hivelet.compose.devices import parse_device

Json: TypeAlias = dict[str, Any]

_SECTIONS = ("networks", "volumes", "secrets", "configs")


def merge_files(base: Json, override: Json) -> Json:
    """`base` with `override` laid over it."""
    result = {
        **base,
        **{
            key: value
            for key, value in override.items()
            if key.startswith("x-") or key in {"name", "models"}
        },
    }
    services = dict(base["services"])
    for name, service in override["services"].items():
        services[name] = merge_services(services[name], service) if name in services else service
    result["services"] = services
    for section in _SECTIONS:
        result[section] = _merge_values(base[section], override[section])
    return result


def merge_services(base: Json, override: Json) -> Json:
    """One service with another laid over it."""
    result = dict(base)
    for key, value in override.items():
        merge = _SPECIAL.get(key, _merge_values)
        result[key] = merge(base[key], value) if key in base else value
    return result


def _merge_values(base: Any, override: Any) -> Any:
    if isinstance(base, dict) and isinstance(override, dict):
        return {
            **base,
            **{k: _merge_values(base[k], v) if k in base else v for k, v in override.items()},
        }
    if isinstance(base, list) and isinstance(override, list):
        return [*base, *(item for item in override if item not in base)]
    return override


def _replace(base: Any, override: Any) -> Any:
    return override or base


def _merge_ports(base: list[Json], override: list[Json]) -> list[Json]:
    ports = [*base, *(port for port in override if port not in base)]
    return sorted(ports, key=lambda port: int(port.get("published", 0)))


def _keyed_by(key: str) -> Callable[[list[Json], list[Json]], list[Json]]:
    def merge(base: list[Json], override: list[Json]) -> list[Json]:
        entries = {entry.get(key, ""): entry for entry in [*base, *override]}
        return [entries[name] for name in sorted(entries)]

    return merge


def _merge_devices(base: list[Any], override: list[Any]) -> list[Any]:
    return list({_device_target(entry): entry for entry in [*base, *override]}.values())


def _device_target(entry: Any) -> str:
    if isinstance(entry, str):
        return parse_device(entry).target
    return str(entry.get("target") or entry["source"])


def _merge_logging(base: Json, override: Json) -> Json:
    drivers = {base.get("driver", ""), override.get("driver", "")} - {""}
    return _merge_values(base, override) if len(drivers) < 2 else override


def _merge_healthcheck(base: Json, override: Json) -> Json:
    return {**base, **override}


def _merge_networks(base: Json, override: Json) -> Json:
    result = dict(base)
    for name, entry in override.items():
        result[name] = {**(base.get(name) or {}), **entry} if entry else base.get(name)
    return result


_SPECIAL: dict[str, Callable[[Any, Any], Any]] = {
    "command": _replace,
    "configs": _keyed_by("source"),
    "devices": _merge_devices,
    "entrypoint": _replace,
    "healthcheck": _merge_healthcheck,
    "logging": _merge_logging,
    "networks": _merge_networks,
    "ports": _merge_ports,
    "secrets": _keyed_by("source"),
    "ulimits": lambda base, override: {**base, **override},
    "volumes": _keyed_by("target"),
}
