"""A valid compose file in its long form. Pure.

Keys without effect are carried along, so that `stack config` can print them. Paths become absolute: against the file's
directory, `~` against HOME. Takes a file that `validate` found right and cannot fail on one. `resolve.resolve_service` comes later,
when files are merged and services extended: it brings env files into `environment` and label files into `labels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hivelet.compose.addresses import is_address
from hivelet.compose.long_forms import (
    SERVICE_KEYS,
    Json,
    long_mount,
    long_tmpfs,
    text_map,
    with_converted,
)
from hivelet.compose.surroundings import Surroundings


def normalise_file(data: Json, around: Surroundings) -> Json:
    """The whole file in its long form."""
    result: Json = {
        key: value
        for key, value in data.items()
        if key.startswith("x-") or key in {"version", "name", "models"}
    }
    services = data.get("services") or {}
    result["services"] = {
        name: normalise_service(service, around) for name, service in services.items()
    }
    for section, normalise in (("networks", _network), ("volumes", _volume)):
        entries = data.get(section) or {}
        result[section] = {name: normalise(name, entry or {}) for name, entry in entries.items()}
    for section in ("secrets", "configs"):
        entries = data.get(section) or {}
        result[section] = {
            name: _file_object(name, entry, around) for name, entry in entries.items()
        }
    return result


def normalise_service(service: Json, around: Surroundings) -> Json:
    """One service in its long form, `environment` and `labels` as the file has them."""
    result: Json = {}
    for key, value in service.items():
        convert = SERVICE_KEYS.get(key)
        if value is None and key in {"command", "entrypoint", "deploy", "develop", "pid"}:
            continue
        result[key] = convert(value) if convert is not None else value
    if "volumes" in result:
        result["volumes"] = [_mount(entry, around) for entry in result["volumes"]]
    if "env_file" in result:
        result["env_file"] = [
            {**entry, "path": around.kept(entry["path"])} for entry in result["env_file"]
        ]
    if "label_file" in result:
        result["label_file"] = [around.kept(path) for path in result["label_file"]]
    if "security_opt" in result:
        result["security_opt"] = [_profile(option, around) for option in result["security_opt"]]
    context = result.get("build", {}).get("context", "")
    if context and not is_address(context):
        result["build"] = {**result["build"], "context": around.kept(context)}
    return result


def _profile(option: str, around: Surroundings) -> str:
    path = profile_path(option)
    return f"seccomp={around.kept(path)}" if path else option


def profile_path(option: str) -> str:
    """The file of a seccomp profile that an entry of `security_opt` names; "" where it names none."""
    name, _, value = option.partition("=" if "=" in option else ":")
    return "" if name != "seccomp" or value in {"", "unconfined", "builtin"} else value


def _mount(entry: Any, around: Surroundings) -> Json:
    mount = (
        long_mount(entry)
        if isinstance(entry, str)
        else with_converted(
            entry, tmpfs=long_tmpfs, volume=lambda options: with_converted(options, labels=text_map)
        )
    )
    if mount.get("type") == "bind" and mount.get("source"):
        mount["source"] = around.absolute(mount["source"])
    return mount


def _external(name: str, entry: Json) -> Json:
    """`external` as a boolean, with the name that the object has outside."""
    external = entry.get("external")
    if isinstance(external, dict):
        return {
            **entry,
            "external": True,
            "name": external.get("name") or entry.get("name") or name,
        }
    return {**entry, "name": entry.get("name") or name} if external else entry


def _network(name: str, entry: Json) -> Json:
    ipam: Callable[[Json], Json] = lambda part: with_converted(part, options=text_map)  # noqa: E731
    return with_converted(_external(name, entry), driver_opts=text_map, labels=text_map, ipam=ipam)


def _volume(name: str, entry: Json) -> Json:
    return with_converted(_external(name, entry), driver_opts=text_map, labels=text_map)


def _file_object(name: str, entry: Json, around: Surroundings) -> Json:
    result = with_converted(_external(name, entry), driver_opts=text_map, labels=text_map)
    return with_converted(result, file=around.absolute)
