"""A loaded stack as YAML, as `docker stack config` prints it. Pure.

Keys of the format stand in the order in which Docker has them, names of the user's choice in that of the alphabet. Writing is
done here because the result must equal Docker's letter by letter: people keep it in files and compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from hivelet.compose.env_files import RAW
from hivelet.compose.normalise import Json
from hivelet.compose.units import format_number
from hivelet.compose.yaml_reader import resolve_plain
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
_PLAIN = re.compile(
    r"[^\s\-?:,\[\]{}#&*!|>'\"%@`=](?:[^\n\t]*[^\s])?\Z|[-?:][^\s](?:[^\n\t]*[^\s])?\Z"
)
_OLD_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})
_OLD_NUMBERS = re.compile(
    r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z"
    r"|\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{2}:\d{2}(\.\d+)?([Zz]|[-+]\d{2}:\d{2})?)?\Z"
)
"""What older readers take for numbers in base 60, or for moments."""


def render_config(long_form: Json) -> str:
    """The merged file in its long form, as YAML."""
    version = long_form.get("version", "3")
    lines = [
        f'version: "{_NEWEST if version == "3" else version}"',
        *_block({key: long_form[key] for key in ("name",) if long_form.get(key)}, 0),
        *_block({"services": _sections(long_form["services"], _service)}, 0),
    ]
    for section, order in (
        ("networks", "network"),
        ("volumes", "volume"),
        ("secrets", "object"),
        ("configs", "object"),
    ):
        entries = long_form.get(section) or {}
        if entries:
            lines += _block(
                {section: _sections(entries, lambda entry, o=order: _ordered(entry, o))}, 0
            )
    lines += _block({key: _by_name(long_form[key]) for key in ("models",) if long_form.get(key)}, 0)
    extensions = {key: long_form[key] for key in sorted(long_form) if key.startswith("x-")}
    lines += _block(_by_name(extensions), 0)
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


def _block(mapping: Json, indent: int) -> list[str]:
    lines: list[str] = []
    pad = " " * indent
    for key, value in mapping.items():
        name = _scalar(key)
        if isinstance(value, dict) and value:
            lines += [f"{pad}{name}:", *_block(value, indent + 2)]
        elif isinstance(value, list) and value:
            lines += [f"{pad}{name}:", *_items(value, indent + 2)]
        elif _takes_lines(value):
            lines += _literal(f"{pad}{name}: ", value, indent + 2)
        else:
            lines.append(f"{pad}{name}: {_leaf(value)}")
    return lines


def _items(items: list[Any], indent: int) -> list[str]:
    lines: list[str] = []
    pad = " " * indent
    for item in items:
        if (isinstance(item, dict) and item) or (isinstance(item, list) and item):
            inner = _block(item, indent + 2) if isinstance(item, dict) else _items(item, indent + 2)
            lines += [f"{pad}- {inner[0].lstrip()}", *inner[1:]]
        elif _takes_lines(item):
            lines += _literal(f"{pad}- ", item, indent + 2)
        else:
            lines.append(f"{pad}- {_leaf(item)}")
    return lines


def _takes_lines(value: Any) -> bool:
    """Whether a text is written as lines of its own: blanks before a line's end would not survive there."""
    return isinstance(value, str) and "\n" in value and not re.search(r" (\n|\Z)", value)


def _literal(head: str, text: str, indent: int) -> list[str]:
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    mark = "|-" if trailing == 0 else "|" if trailing == 1 else "|+"
    if text[0] in " \n":  # what leads would be taken for the block's own indentation
        mark = f"|2{mark[1:]}"
    pad = " " * indent
    lines = [f"{pad}{line}" if line else "" for line in body.split("\n")]
    return [head + mark, *lines, *[""] * (trailing - 1)]


def _leaf(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _scalar(value) if isinstance(value, str) else format_number(value)


def _scalar(text: str) -> str:
    """`text` plain where that reads back as the same string, else in the quotes that Docker would choose."""
    other_meaning = not isinstance(resolve_plain(text), str) if text else True
    if other_meaning or text.lower() in _OLD_BOOLEANS or _OLD_NUMBERS.match(text):
        return _double_quoted(text)
    if any(not 32 <= ord(character) < 0xFFFE or ord(character) == 127 for character in text):
        return _double_quoted(text)
    if text == "=":
        return text
    if _PLAIN.match(text) and ": " not in text and " #" not in text and not text.endswith(":"):
        return text
    return "'" + text.replace("'", "''") + "'"


def _double_quoted(text: str) -> str:
    escapes = {
        "\\": "\\\\",
        '"': '\\"',
        "\t": "\\t",
        "\n": "\\n",
        "\r": "\\r",
        "\0": "\\0",
        "\x1b": "\\e",
    }
    return '"' + "".join(escapes.get(character) or _escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if 32 <= code < 0xFFFE and code != 127:
        return character
    return (
        f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}" if code < 65536 else f"\\U{code:08X}"
    )
