"""A valid compose file in its long form: one shape for everything, numbers for durations and sizes. Pure.

Keys without effect are carried along, so that `stack config` can print them. Paths become absolute: against the file's
directory, `~` against HOME. Takes a file that `validate` found right and cannot fail on one. `resolve_service` comes later,
when files are merged and services extended: it brings env files into `environment` and label files into `labels`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from posixpath import isabs, join, normpath
from typing import Any, TypeAlias

from hivelet.compose.env_files import RAW
from hivelet.compose.ports import parse_port, parse_published
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import format_number, parse_mode, parse_size, parse_swap
from hivelet.compose.volumes import parse_volume
from hivelet.kit.durations import parse_duration

Json: TypeAlias = dict[str, Any]
"""A part of a file in its long form; `validate` has seen to its types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a file's meaning depends on besides its text: where it lies, and which variables there are.

    `environment` has the `.env` files in it; `exported` is the caller's alone. A `foreign` file lies elsewhere than the
    stack: paths that are kept as they were written become absolute in it.
    """

    directory: str
    environment: Mapping[str, str] = field(default_factory=dict)
    exported: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False

    def absolute(self, path: str) -> str:
        """`path` seen from the file's directory, with `~` at its beginning expanded."""
        if path.startswith("~"):
            path = self.environment.get("HOME", "~") + path[1:]
        return path if isabs(path) else normpath(join(self.directory, path))

    def kept(self, path: str) -> str:
        """`path` as it was written, if it means the same from the directory of the stack."""
        return self.absolute(path) if self.foreign else path


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
        convert = _SERVICE_KEYS.get(key)
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
    if context and "://" not in context and not context.startswith("git@"):
        result["build"] = {**result["build"], "context": around.kept(context)}
    return result


def _profile(option: str, around: Surroundings) -> str:
    path = profile_path(option)
    return f"seccomp={around.kept(path)}" if path else option


def profile_path(option: str) -> str:
    """The file of a seccomp profile that an entry of `security_opt` names; "" where it names none."""
    name, _, value = option.partition("=" if "=" in option else ":")
    return "" if name != "seccomp" or value in {"", "unconfined", "builtin"} else value


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


def text_of(value: Any) -> str:
    """A scalar as the docker CLI turns it into text; nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else format_number(value)


def _text_map(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        pairs = (item.partition("=") for item in value)
        return {name: text for name, _, text in pairs}
    return {name: text_of(item) for name, item in value.items()}


def _variables(value: Any) -> dict[str, str | None]:
    if isinstance(value, list):
        pairs = (item.partition("=") for item in value)
        return {name: text if equals else None for name, equals, text in pairs}
    return {name: None if item is None else text_of(item) for name, item in value.items()}


def _strings(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [text_of(item) for item in value]


def _words(value: Any) -> list[str]:
    return split_words(value) if isinstance(value, str) else list(value)


def _hosts(value: Any) -> list[str]:
    if isinstance(value, dict):
        pairs = ((name, item if isinstance(item, list) else [item]) for name, item in value.items())
        return sorted(
            f"{name}:{text_of(item)}" for name, items in pairs for item in items if item is not None
        )
    return [_colon_form(item) for item in value]


def _colon_form(entry: str) -> str:
    """`host=address`, which today's specification has too, as `host:address`."""
    name, equals, address = entry.partition("=")
    return f"{name}:{address.strip('[]')}" if equals and ":" not in name else entry


def _references(value: Any) -> list[Json]:
    return [
        {"source": entry} if isinstance(entry, str) else _with(entry, mode=_mode) for entry in value
    ]


def _mode(value: Any) -> int:
    return parse_mode(value) if isinstance(value, str) else int(value)


def _named(value: Any) -> dict[str, Any]:
    return dict.fromkeys(value) if isinstance(value, list) else dict(value)


def _service_networks(value: Any) -> dict[str, Any]:
    networks = _named(value)
    return {
        name: None if entry is None else _with(entry, driver_opts=_text_map)
        for name, entry in networks.items()
    }


def _dependencies(value: Any) -> dict[str, Json]:
    if isinstance(value, list):
        return {name: {"condition": "service_started"} for name in value}
    return dict(value)


def _env_file(value: Any) -> list[Json]:
    entries = [value] if isinstance(value, str) else value
    return [
        {"path": entry, "format": RAW} if isinstance(entry, str) else dict(entry)
        for entry in entries
    ]


def _ports(value: Any) -> list[Json]:
    result: list[Json] = []
    for entry in value:
        if isinstance(entry, dict):
            result.append(_with(entry, published=lambda port: parse_published(str(port))))
            continue
        for port in parse_port(text_of(entry)):
            long: Json = {"mode": "ingress", "target": port.target, "protocol": port.protocol}
            if port.published:
                long["published"] = port.published
            if port.host_ip:
                long["host_ip"] = port.host_ip
            result.append(long)
    return result


def _mount(entry: Any, around: Surroundings) -> Json:
    mount = (
        _long_mount(entry)
        if isinstance(entry, str)
        else _with(entry, tmpfs=_tmpfs, volume=lambda options: _with(options, labels=_text_map))
    )
    if mount.get("type") == "bind" and mount.get("source"):
        mount["source"] = around.absolute(mount["source"])
    return mount


def _long_mount(text: str) -> Json:
    short = parse_volume(text)
    mount: Json = {"type": short.type, "target": short.target}
    if short.source:
        mount["source"] = short.source
    if short.read_only:
        mount["read_only"] = True
    if short.nocopy:
        mount["volume"] = {"nocopy": True}
    if short.propagation:
        mount["bind"] = {"propagation": short.propagation}
    return mount


def _size(value: Any) -> int:
    return parse_size(value) if isinstance(value, str) else int(value)


def _tmpfs(value: Json) -> Json:
    return _with(value, size=_size, mode=_mode)


def _build(value: Any) -> Json:
    if isinstance(value, str):
        return {"context": value}
    maps = dict.fromkeys(("labels", "additional_contexts"), _text_map)
    lists = dict.fromkeys(("no_cache_filter",), _strings)
    texts = dict.fromkeys(("provenance", "sbom", "shm_size"), text_of)
    return _with(
        value,
        args=_variables,
        ssh=lambda given: _variables([given] if isinstance(given, str) else given),
        extra_hosts=_hosts,
        secrets=_references,
        **maps,
        **lists,
        **texts,
    )


def _healthcheck(value: Json) -> Json:
    def test(command: Any) -> list[str]:
        return ["CMD-SHELL", command] if isinstance(command, str) else list(command)

    durations = dict.fromkeys(
        ("interval", "timeout", "start_period", "start_interval"), parse_duration
    )
    return _with(value, test=test, **durations)


def _deploy(value: Json) -> Json:
    amounts: Callable[[Json], Json] = lambda part: _with(part, cpus=text_of, memory=_size)  # noqa: E731
    update: Callable[[Json], Json] = lambda part: _with(  # noqa: E731
        part, delay=parse_duration, monitor=parse_duration, max_failure_ratio=float
    )
    return _with(
        value,
        labels=_text_map,
        resources=lambda part: _with(part, limits=amounts, reservations=amounts),
        restart_policy=lambda part: _with(part, delay=parse_duration, window=parse_duration),
        update_config=update,
        rollback_config=update,
    )


def _with(part: Json, **converters: Callable[[Any], Any]) -> Json:
    """A copy of `part` with some of its keys converted."""
    return {
        key: converters[key](value) if key in converters else value for key, value in part.items()
    }


_SERVICE_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "annotations": _text_map,
    "build": _build,
    "command": _words,
    "configs": _references,
    "cpus": text_of,
    "depends_on": _dependencies,
    "deploy": _deploy,
    "dns": _strings,
    "dns_search": _strings,
    "entrypoint": _words,
    "env_file": _env_file,
    "environment": _variables,
    "expose": _strings,
    "extends": lambda value: {"service": value} if isinstance(value, str) else dict(value),
    "extra_hosts": _hosts,
    "group_add": _strings,
    "healthcheck": _healthcheck,
    "label_file": _strings,
    "labels": _text_map,
    "logging": lambda value: _with(value, options=_text_map),
    "mem_limit": _size,
    "mem_reservation": _size,
    "memswap_limit": lambda value: parse_swap(str(value)),
    "networks": _service_networks,
    "ports": _ports,
    "secrets": _references,
    "shm_size": text_of,
    "stop_grace_period": parse_duration,
    "sysctls": _text_map,
    "tmpfs": _strings,
}


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
    ipam: Callable[[Json], Json] = lambda part: _with(part, options=_text_map)  # noqa: E731
    return _with(_external(name, entry), driver_opts=_text_map, labels=_text_map, ipam=ipam)


def _volume(name: str, entry: Json) -> Json:
    return _with(_external(name, entry), driver_opts=_text_map, labels=_text_map)


def _file_object(name: str, entry: Json, around: Surroundings) -> Json:
    result = _with(_external(name, entry), driver_opts=_text_map, labels=_text_map)
    return _with(result, file=around.absolute)
