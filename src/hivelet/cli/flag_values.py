"""The small languages inside options: `--mount`, `--publish`, `--network`, `--secret` and their like, into API JSON. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any, TypeAlias

from hivelet.compose.ports import parse_port
from hivelet.compose.units import parse_size

Json: TypeAlias = dict[str, Any]

_FLAGS = frozenset({"readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"})
_MOUNT_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_TRUE = frozenset({"", "1", "t", "true", "T", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "false", "F", "FALSE", "False"})


def parse_pairs(text: str, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """The `key=value` fields of a comma-separated text, CSV quoting allowed; `known` has aliases and keys.

    Raises:
        ValueError: a key is not known.
    """
    try:
        fields = next(csv.reader([text]), [])
    except csv.Error as error:
        raise ValueError(f"{text!r}: {error}") from error
    pairs: list[tuple[str, str]] = []
    for entry in fields:
        key, equals, value = entry.partition("=")
        name = known.get(key.strip().lower())
        if name is None:
            raise ValueError(
                f'"{text}": the key "{key}" is not known; known are {", ".join(sorted(set(known.values())))}'
            )
        if not equals and name not in _FLAGS:
            raise ValueError(f'"{text}": the key "{key}" has no value')
        pairs.append((name, value))
    return pairs


def parse_key_value(text: str) -> tuple[str, str]:
    """`KEY=VALUE`, or `KEY` alone for an empty value."""
    key, _, value = text.partition("=")
    if not key:
        raise ValueError(f'"{text}" has no name before its `=`')
    return key, value


def parse_publish(text: str) -> list[Json]:
    """Ports of `--publish`: the short form, or `target=…,published=…,protocol=…,mode=…`."""
    if "=" not in text:
        return [
            _port(port.target, port.published, port.protocol, "ingress", port.host_ip)
            for port in parse_port(text)
        ]
    keys = ("target", "published", "protocol", "mode")
    given = dict(parse_pairs(text, {key: key for key in keys}))
    if "target" not in given:
        raise ValueError(f'"{text}": the key "target" is missing')
    for key, choices in (("mode", ("ingress", "host")), ("protocol", ("tcp", "udp", "sctp"))):
        if given.get(key, choices[0]).lower() not in choices:
            raise ValueError(f'"{text}": {key} must be one of {", ".join(choices)}')
    targets = parse_port(given["target"])
    published = parse_port(given["published"]) if "published" in given else targets
    if len(targets) != len(published):
        raise ValueError(f'"{text}": the two ranges differ in length')
    return [
        _port(
            target.target,
            outside.target if "published" in given else 0,
            given.get("protocol", "tcp").lower(),
            given.get("mode", "ingress").lower(),
        )
        for target, outside in zip(targets, published, strict=True)
    ]


def _port(target: int, published: int, protocol: str, mode: str, host_ip: str = "") -> Json:
    port: Json = {"Protocol": protocol, "TargetPort": target, "PublishMode": mode}
    if published:
        port["PublishedPort"] = published
    if host_ip:
        port["HostIP"] = host_ip
    return port


def parse_network(text: str) -> Json:
    """A network attachment: its name, or `name=…,alias=…,driver-opt=KEY=VALUE`."""
    if "=" not in text:
        return {"Target": text}
    attachment: Json = {"Target": ""}
    for key, value in parse_pairs(
        text, {"name": "name", "alias": "alias", "driver-opt": "driver-opt"}
    ):
        if key == "name":
            attachment["Target"] = value
        elif key == "alias":
            attachment.setdefault("Aliases", []).append(value)
        else:
            name, option = parse_key_value(value)
            attachment.setdefault("DriverOpts", {})[name] = option
    if not attachment["Target"]:
        raise ValueError(f'"{text}": the key "name" is missing')
    return attachment


_ENDPOINT_KEYS = ("name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt", "gw-priority")  # fmt: skip
_ENDPOINT_LISTS = frozenset({"alias", "link-local-ip", "driver-opt"})


def network_fields(text: str) -> Json:
    """A container's `--network`: a name, or `name=…,alias=…,ip=…`; what may be given several times is a list."""
    if "=" not in text:
        return {"name": text}
    fields: Json = {}
    for key, value in parse_pairs(text, {key: key for key in _ENDPOINT_KEYS}):
        if key in _ENDPOINT_LISTS:
            fields.setdefault(key, []).append(value)
        else:
            fields[key] = value
    if not fields.get("name"):
        raise ValueError(f'"{text}": the key "name" is missing')
    return fields


def parse_file_reference(text: str, kind: str) -> Json:
    """A secret or config: its name, or `source=…,target=…,uid=…,gid=…,mode=…`. `kind` is Secret or Config."""
    if "=" not in text:
        given = {"source": text}
    else:
        aliases = {
            "source": "source",
            "src": "source",
            "target": "target",
            "uid": "uid",
            "gid": "gid",
            "mode": "mode",
        }
        given = dict(parse_pairs(text, aliases))
    source = given.get("source", "")
    if not source:
        raise ValueError(f'"{text}": the key "source" is missing')
    try:
        mode = int(given.get("mode", "0444"), 8)
    except ValueError as error:
        raise ValueError(f'"{text}": mode must be octal, like 0444') from error
    file = {
        "Name": given.get("target") or source,
        "UID": given.get("uid", "0"),
        "GID": given.get("gid", "0"),
        "Mode": mode,
    }
    return {"File": file, f"{kind}ID": "", f"{kind}Name": source}


def parse_mount(text: str) -> Json:
    """A mount of `--mount`: `type=volume|bind|tmpfs,source=…,target=…` and the options of its type."""
    known = {key: key for key in _MOUNT_KEYS} | _MOUNT_ALIASES
    mount: Json = {"Type": "volume"}
    for key, value in parse_pairs(text, known):
        _set_mount(mount, key, value, text)
    if not mount.get("Target"):
        raise ValueError(f'"{text}": the key "target" is missing')
    if mount["Type"] == "bind" and not mount.get("Source"):
        raise ValueError(f'"{text}": a bind mount needs a source')
    for kind, section in (
        ("bind", "BindOptions"),
        ("volume", "VolumeOptions"),
        ("tmpfs", "TmpfsOptions"),
    ):
        if section in mount and mount["Type"] != kind:
            raise ValueError(f'"{text}": {kind} options do not fit the type {mount["Type"]}')
    return mount


_MOUNT_KEYS = (
    "type",
    "source",
    "target",
    "readonly",
    "consistency",
    "bind-propagation",
    "bind-nonrecursive",
    "bind-create-src",
    "volume-driver",
    "volume-opt",
    "volume-label",
    "volume-nocopy",
    "volume-subpath",
    "tmpfs-size",
    "tmpfs-mode",
)


def _set_mount(mount: Json, key: str, value: str, text: str) -> None:
    bind, volume, tmpfs = "BindOptions", "VolumeOptions", "TmpfsOptions"
    match key:
        case "type":
            mount["Type"] = value.lower()
        case "source" | "target" | "consistency":
            mount[key.capitalize()] = value
        case "readonly":
            mount["ReadOnly"] = _boolean(value, text)
        case "bind-propagation":
            mount.setdefault(bind, {})["Propagation"] = value
        case "bind-nonrecursive":
            mount.setdefault(bind, {})["NonRecursive"] = _boolean(value, text)
        case "bind-create-src":
            mount.setdefault(bind, {})["CreateMountpoint"] = _boolean(value, text)
        case "tmpfs-size":
            mount.setdefault(tmpfs, {})["SizeBytes"] = parse_size(value)
        case "tmpfs-mode":
            mount.setdefault(tmpfs, {})["Mode"] = int(value, 8)
        case _:
            _set_volume_option(mount.setdefault(volume, {}), key, value, text)


def _set_volume_option(options: Json, key: str, value: str, text: str) -> None:
    match key:
        case "volume-nocopy":
            options["NoCopy"] = _boolean(value, text)
        case "volume-subpath":
            options["Subpath"] = value
        case "volume-driver":
            options.setdefault("DriverConfig", {})["Name"] = value
        case "volume-label":
            name, label = parse_key_value(value)
            options.setdefault("Labels", {})[name] = label
        case "volume-opt":
            name, option = parse_key_value(value)
            options.setdefault("DriverConfig", {}).setdefault("Options", {})[name] = option


def _boolean(value: str, text: str) -> bool:
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ValueError(f'"{text}": "{value}" is neither true nor false')


def parse_ulimit(text: str) -> Json:
    """`NAME=SOFT[:HARD]`."""
    name, _, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    try:
        return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
    except ValueError as error:
        raise ValueError(f'"{text}" is not a limit; write it like nofile=1024:2048') from error


def parse_host(text: str) -> str:
    """`host:address` in the order of /etc/hosts."""
    name, colon, address = text.partition(":")
    if not colon or not name or not address:
        raise ValueError(f'"{text}" is not a host; write it like name:192.0.2.1')
    return f"{address} {name}"


def parse_generic_resource(text: str) -> Json:
    """`KIND=COUNT`."""
    kind, _, value = text.partition("=")
    if not kind or not value.isdecimal():
        raise ValueError(f'"{text}" is not a resource; write it like gpu=2')
    return {"DiscreteResourceSpec": {"Kind": kind, "Value": int(value)}}


def parse_preference(text: str) -> Json:
    """`spread=LABEL`."""
    strategy, _, descriptor = text.partition("=")
    if strategy != "spread" or not descriptor:
        raise ValueError(
            f'"{text}" is not a placement preference; write it like spread=node.labels.zone'
        )
    return {"Spread": {"SpreadDescriptor": descriptor}}
