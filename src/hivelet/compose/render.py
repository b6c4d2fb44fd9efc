"""A loaded stack as YAML, as `docker stack config` prints it. Pure.

Keys of the format stand in the order in which Docker has them, names of the user's choice in that of the alphabet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hivelet.compose.env_files import RAW
from hivelet.compose.long_forms import Json
from hivelet.compose.yaml_writer import write_block
from hivelet.kit.durations import format_duration

_NEWEST = "3.13"
_MEANINGFUL_WHEN_EMPTY = frozenset(
    {"logging", "healthcheck", "update_config", "rollback_config", "restart_policy", "init"}
)
_USER_NAMED = frozenset({"labels", "driver_opts", "options", "args"})
_ORDERS: dict[str, Sequence[str]] = {
    "service": [
        "build",
        "cap_add",
        "cap_drop",
        "cgroupns_mode",
        "cgroup_parent",
        "command",
        "configs",
        "container_name",
        "credential_spec",
        "depends_on",
        "deploy",
        "devices",
        "dns",
        "dns_search",
        "domainname",
        "entrypoint",
        "environment",
        "env_file",
        "expose",
        "external_links",
        "extra_hosts",
        "hostname",
        "healthcheck",
        "image",
        "init",
        "ipc",
        "isolation",
        "labels",
        "links",
        "logging",
        "mac_address",
        "network_mode",
        "networks",
        "pid",
        "ports",
        "privileged",
        "read_only",
        "restart",
        "secrets",
        "security_opt",
        "shm_size",
        "stdin_open",
        "stop_grace_period",
        "stop_signal",
        "sysctls",
        "tmpfs",
        "tty",
        "ulimits",
        "user",
        "userns_mode",
        "volumes",
        "working_dir",
        "oom_score_adj",
    ],
    "build": (
        "context",
        "dockerfile",
        "args",
        "labels",
        "cache_from",
        "extra_hosts",
        "network",
        "target",
    ),
    "deploy": (
        "mode",
        "replicas",
        "labels",
        "update_config",
        "rollback_config",
        "resources",
        "restart_policy",
        "placement",
        "endpoint_mode",
    ),
    "healthcheck": (
        "test",
        "timeout",
        "interval",
        "retries",
        "start_period",
        "start_interval",
        "disable",
    ),
    "update": ("parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order"),
    "amounts": ("cpus", "memory", "pids", "generic_resources"),
    "restart_policy": ("condition", "delay", "max_attempts", "window"),
    "placement": ("constraints", "preferences", "max_replicas_per_node"),
    "reference": ("source", "target", "uid", "gid", "mode"),
    "port": ("mode", "host_ip", "target", "published", "protocol"),
    "mount": (
        "type",
        "source",
        "target",
        "read_only",
        "consistency",
        "bind",
        "volume",
        "tmpfs",
        "cluster",
    ),
    "network": (
        "name",
        "driver",
        "driver_opts",
        "ipam",
        "external",
        "internal",
        "attachable",
        "labels",
    ),
    "ulimit": ("soft", "hard"),
    "volume": ("name", "driver", "driver_opts", "external", "labels"),
    "object": ("name", "file", "external", "labels", "driver", "driver_opts", "template_driver"),
}
_DURATIONS = frozenset(
    {"interval", "timeout", "start_period", "start_interval", "delay", "monitor", "window"}
)


def render_config(long_form: Json) -> str:
    """The merged file in its long form, as YAML."""
    version = long_form.get("version", "3")
    lines = [
        f'version: "{_NEWEST if version == "3" else version}"',
        *write_block({key: long_form[key] for key in ("name",) if long_form.get(key)}, 0),
        *write_block({"services": _sections(long_form["services"], _service)}, 0),
    ]
    for section, order in (
        ("networks", "network"),
        ("volumes", "volume"),
        ("secrets", "object"),
        ("configs", "object"),
    ):
        entries = long_form.get(section) or {}
        if entries:
            lines += write_block(
                {section: _sections(entries, lambda entry, o=order: _ordered(entry, o))}, 0
            )
    lines += write_block(
        {key: _by_name(long_form[key]) for key in ("models",) if long_form.get(key)}, 0
    )
    extensions = {key: long_form[key] for key in sorted(long_form) if key.startswith("x-")}
    lines += write_block(_by_name(extensions), 0)
    return "\n".join(lines) + "\n"


def _sections(entries: Json, convert: Any) -> Json:
    return {name: convert(entries[name]) for name in sorted(entries)}


def _service(service: Json) -> Json:
    result = {key: _service_value(key, value) for key, value in service.items()}
    return _ordered(result, "service", drop_empty=True)


def _service_value(key: str, value: Any) -> Any:
    if key in _ITEM_ORDERS:
        return [_ordered(entry, _ITEM_ORDERS[key]) for entry in value]
    convert = _SERVICE_VALUES.get(key, _by_name)
    return convert(value)


def _ulimits(limits: Json) -> Json:
    return {
        name: limit if isinstance(limit, int) else _ordered(limit, "ulimit")
        for name, limit in sorted(limits.items())
    }


def _env_files(entries: list[Json]) -> list[Any]:
    """Each as its path alone where it is one that `docker stack` knows."""
    raw = {"path", "format"}
    return [
        entry["path"] if set(entry) == raw and entry["format"] == RAW else entry
        for entry in entries
    ]


def _dependencies(dependencies: Json) -> Any:
    started = all(entry == {"condition": "service_started"} for entry in dependencies.values())
    return list(dependencies) if started else _by_name(dependencies)


def _deploy(deploy: Json) -> Json:
    result = {key: _by_name(value) for key, value in deploy.items()}
    for key, order in (
        ("update_config", "update"),
        ("rollback_config", "update"),
        ("restart_policy", "restart_policy"),
    ):
        if key in deploy:
            given = _without_zeros(deploy[key]) if order == "update" else deploy[key]
            result[key] = _ordered(_with_durations(given), order)
    if "placement" in deploy:
        result["placement"] = _ordered(deploy["placement"], "placement", drop_empty=True)
    if "resources" in deploy:
        parts = {key: _amounts(value) for key, value in deploy["resources"].items()}
        result["resources"] = {
            key: parts[key] for key in ("limits", "reservations") if key in parts
        }
    return _ordered(result, "deploy", drop_empty=True)


def _without_zeros(update: Json) -> Json:
    return {key: value for key, value in update.items() if value or key == "parallelism"}


def _networks(networks: Json) -> Json:
    return {
        name: entry and _by_name({key: value for key, value in entry.items() if value != []})
        for name, entry in sorted(networks.items())
    }


_ITEM_ORDERS = {"ports": "port", "volumes": "mount", "secrets": "reference", "configs": "reference"}
_SERVICE_VALUES: dict[str, Callable[[Any], Any]] = {
    "build": lambda value: _ordered(value, "build"),
    "depends_on": _dependencies,
    "deploy": _deploy,
    "env_file": _env_files,
    "networks": _networks,
    "healthcheck": lambda value: _ordered(_with_durations(value), "healthcheck"),
    "stop_grace_period": format_duration,
    "ulimits": _ulimits,
}


def _amounts(part: Json) -> Json:
    return _ordered(
        {**part, "memory": str(part["memory"])} if "memory" in part else part, "amounts"
    )


def _with_durations(part: Json) -> Json:
    return {
        key: format_duration(value) if key in _DURATIONS else value for key, value in part.items()
    }


def _ordered(part: Json, order: str, *, drop_empty: bool = False) -> Json:
    """`part` in Docker's order of keys; keys that Docker does not have follow in that of the alphabet."""
    known = [key for key in _ORDERS[order] if key in part]
    others = sorted(set(part) - set(known))
    by_name = _USER_NAMED.union(others)
    result = {
        key: _by_name(part[key]) if key in by_name else part[key] for key in [*known, *others]
    }
    return {
        key: value
        for key, value in result.items()
        if key in _MEANINGFUL_WHEN_EMPTY or not _is_empty(value, lists=drop_empty)
    }


def _is_empty(value: Any, *, lists: bool) -> bool:
    return value is None or value is False or value == "" or (lists and value in ([], {}))


def _by_name(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _by_name(value[key]) for key in sorted(value)}
    return [_by_name(item) for item in value] if isinstance(value, list) else value
