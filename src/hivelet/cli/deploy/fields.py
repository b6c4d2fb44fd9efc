"""Two specs of a service, field by field, in the words of a compose file. Pure.

Lists whose items have a name of their own (variables, mounts, ports, secrets, networks) are compared item by item. The value of
a variable whose name speaks of a secret is not shown: plans end up in logs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from hivelet.cli.deploy.plan import FieldChange
from hivelet.cli.render.human import binary_size
from hivelet.compose.names import IMAGE_LABEL
from hivelet.kit.durations import format_duration
from hivelet.objects.service import DEPENDS_ON_LABEL

Json: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, ...]

HIDDEN = "(hidden)"

_CONTAINER: Place = ("TaskTemplate", "ContainerSpec")
_NAMES: Mapping[Place, str] = {
    ("Labels",): "deploy.labels",
    ("Mode", "ReplicatedJob", "TotalCompletions"): "deploy.replicas",
    ("Mode", "ReplicatedJob", "MaxConcurrent"): "deploy.max_concurrent",
    ("UpdateConfig",): "deploy.update_config",
    ("RollbackConfig",): "deploy.rollback_config",
    ("EndpointSpec", "Mode"): "deploy.endpoint_mode",
    ("EndpointSpec", "Ports"): "ports",
    ("TaskTemplate", "Networks"): "networks",
    ("TaskTemplate", "LogDriver"): "logging",
    ("TaskTemplate", "Resources"): "deploy.resources",
    ("TaskTemplate", "RestartPolicy"): "deploy.restart_policy",
    ("TaskTemplate", "Placement"): "deploy.placement",
    ("TaskTemplate", "Placement", "MaxReplicas"): "deploy.placement.max_replicas_per_node",
    ("TaskTemplate",): "deploy",
    (*_CONTAINER, "Env"): "environment",
    (*_CONTAINER, "Command"): "entrypoint",
    (*_CONTAINER, "Args"): "command",
    (*_CONTAINER, "Dir"): "working_dir",
    (*_CONTAINER, "Mounts"): "volumes",
    (*_CONTAINER, "Hosts"): "extra_hosts",
    (*_CONTAINER, "DNSConfig"): "dns",
    (*_CONTAINER, "OpenStdin"): "stdin_open",
    (*_CONTAINER, "Groups"): "group_add",
    (*_CONTAINER, "CapabilityAdd"): "cap_add",
    (*_CONTAINER, "CapabilityDrop"): "cap_drop",
    _CONTAINER: "",
    (): "",
}
_DURATIONS = frozenset(
    [
        "Delay",
        "Interval",
        "Monitor",
        "StartInterval",
        "StartPeriod",
        "StopGracePeriod",
        "Timeout",
        "Window",
    ]
)
_SIZES = frozenset({"MemoryBytes", "SwapBytes", "SizeBytes", "ShmSize"})
_WORDS = {"NanoCPUs": "cpus", "MemoryBytes": "memory"}
_TELLS_SECRETS = re.compile(
    r"PASS(WORD|WD|PHRASE)?|SECRET|TOKEN|CREDENTIAL|(API|PRIVATE|ACCESS)_?KEY|(^|_)KEY($|_)|DSN|_URL$",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def field_changes(
    old: Json, new: Json, network_names: Mapping[str, str]
) -> tuple[FieldChange, ...]:
    """Every field in which two specs in their canonical form differ, by path; `network_names` has names of ids."""
    before = dict(_leaves(old, (), network_names))
    after = dict(_leaves(new, (), network_names))
    changes = [
        FieldChange(
            path=path,
            old=_shown(path, before.get(path)),
            new=_shown(path, after.get(path)),
        )
        for path in sorted({**before, **after})
        if before.get(path) != after.get(path)
    ]
    told = {change.path for change in changes}
    return tuple(change for change in changes if not _follows(change.path, told))


def _follows(path: str, told: Collection[str]) -> bool:
    """Whether a change is but the other side of one that is told: an id of a new name, the label of a new image."""
    if path == f"deploy.labels.{IMAGE_LABEL}":
        return "image" in told
    return path.endswith(".id") and f"{path[:-3]}.source" in told


def readable(place: Place) -> str:
    """A place in a spec as a path in a compose file: the longest known beginning, the rest in small letters."""
    for length in range(len(place), -1, -1):
        known = _NAMES.get(place[:length])
        if known is not None:
            rest = [_snake(key) for key in place[length:]]
            return ".".join([known, *rest] if known else rest)
    raise AssertionError("the empty beginning is always known")


def _leaves(
    value: Any, place: Place, network_names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Readable paths and values of all fields; what is empty but given counts as `{}`."""
    if place in {(*_CONTAINER, "Env"), ("Labels",), (*_CONTAINER, "Labels")}:
        yield from _named_values(value, readable(place))
    elif isinstance(value, list) and place in _ITEMS:
        for item in value:
            yield from _item_leaves(item, place, network_names)
    elif place == ("Mode", "Replicated"):
        yield "deploy.replicas", str(value.get("Replicas", 1))
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*place, key), network_names)
    else:
        yield readable(place), _text(place[-1] if place else "", value)


def _named_values(value: Any, path: str) -> Iterator[tuple[str, str]]:
    pairs = value.items() if isinstance(value, dict) else (v.partition("=")[::2] for v in value)
    for name, text in pairs:
        if name == DEPENDS_ON_LABEL:
            yield "depends_on", text
        else:
            yield f"{path}.{name}", text


def _item_leaves(
    item: Json, place: Place, network_names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    item = dict(item)
    path = f"{readable(place)}.{_ITEMS[place](item, network_names)}"
    if not item:
        yield path, "yes"
    for key, value in sorted(_flat(item)):
        yield f"{path}.{key}", value


def _flat(value: Json, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        name = f"{prefix}{_snake(key)}"
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{name}.")
        else:
            yield name, _text(key, inner)


def _mount_key(item: Json, _names: Mapping[str, str]) -> str:
    return str(item.pop("Target", ""))


def _network_key(item: Json, names: Mapping[str, str]) -> str:
    target = str(item.pop("Target", ""))
    return names.get(target, target)


def _port_key(item: Json, _names: Mapping[str, str]) -> str:
    published, target = item.pop("PublishedPort", 0), item.pop("TargetPort", 0)
    host = f"{item.pop('HostIP')}:" if item.get("HostIP") else ""
    return f"{host}{f'{published}:' if published else ''}{target}/{item.pop('Protocol', 'tcp')}"


def _file_key(item: Json, _names: Mapping[str, str]) -> str:
    """A secret or config by where it appears; its name becomes `source`, its id `id`."""
    file = dict(item.pop("File", None) or {})
    target = file.pop("Name", "")
    for key in [key for key in item if key.endswith(("ID", "Name"))]:
        item["id" if key.endswith("ID") else "source"] = item.pop(key)
    item.update(file)
    return str(target or item.get("source", ""))


def _ulimit_key(item: Json, _names: Mapping[str, str]) -> str:
    return str(item.pop("Name", ""))


_ITEMS = {
    (*_CONTAINER, "Mounts"): _mount_key,
    (*_CONTAINER, "Secrets"): _file_key,
    (*_CONTAINER, "Configs"): _file_key,
    (*_CONTAINER, "Ulimits"): _ulimit_key,
    ("TaskTemplate", "Networks"): _network_key,
    ("EndpointSpec", "Ports"): _port_key,
}
"""Lists of objects, and what an item is known by; what makes the name is taken out of the item."""


def _text(key: str, value: Any) -> str:
    if key in _DURATIONS and isinstance(value, int):
        return format_duration(value)
    if key in _SIZES and isinstance(value, int):
        return binary_size(value)
    if key == "NanoCPUs":
        return f"{value / 1_000_000_000:g}"
    if key == "Mode" and isinstance(value, int):
        return f"{value:04o}"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _shown(path: str, value: str | None) -> str | None:
    if value is None or not path.startswith("environment."):
        return value
    secret = _TELLS_SECRETS.search(path.partition(".")[2]) and not path.endswith("_FILE")
    return HIDDEN if secret or _PASSWORD_IN_URL.search(value) else value


def _snake(key: str) -> str:
    if not key[:1].isupper() or not key.isalnum():
        return key
    if key in _WORDS:
        return _WORDS[key]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return words.lower()
