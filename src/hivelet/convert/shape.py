"""Structs to the JSON that Go would write, and JSON from clients as data (`hivelet.convert.body` makes structs of it).

Docker's answers follow Go's rules: a key marked `omitempty` is left out when its value is zero (a pointer: when it is
nil), every other key is always there. Here a field whose default is None plays the pointer, and `_ALWAYS` lists the
keys that Docker writes even when they are zero. What comes in may hold null for any list, map or struct.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json
from hivelet.objects import cluster, common, node, secret, service, task
from hivelet.objects.common import Meta
from hivelet.objects.container import DeviceMapping
from hivelet.objects.engine import EndpointSettings, InterfaceStats, MountPoint, NetworkContainer

Json = dict[str, Any]

ZERO_TIME = "0001-01-01T00:00:00Z"
"""How Go writes a moment that was never set."""

_ALL = frozenset({"*"})

_ALWAYS: dict[type[msgspec.Struct], frozenset[str]] = {
    common.Annotations: frozenset({"labels"}),
    cluster.ClusterSpec: frozenset({"labels"}),
    cluster.OrchestrationConfig: _ALL,
    cluster.RaftConfig: _ALL,
    cluster.EncryptionConfig: _ALL,
    node.NodeSpec: frozenset({"labels"}),
    secret.SecretSpec: frozenset({"labels"}),
    secret.ConfigSpec: frozenset({"labels"}),
    service.ServiceSpec: frozenset({"labels"}),
    service.UpdateConfig: frozenset({"parallelism", "max_failure_ratio", "order"}),
    task.TaskSpec: frozenset({"force_update"}),
    task.SecretReference: _ALL,
    task.ConfigReference: frozenset({"config_id", "config_name"}),
    task.SecretReferenceFile: _ALL,
    task.ContainerStatus: _ALL,
    DeviceMapping: _ALL,
    NetworkContainer: _ALL,
    MountPoint: frozenset({"source", "destination", "mode", "rw", "propagation"}),
    EndpointSettings: _ALL,
    InterfaceStats: _ALL,
}


def encode(value: Any) -> Any:
    """The value as JSON data, structs by Go's rules."""
    if isinstance(value, msgspec.Struct):
        return {
            key: encode(part)
            for attribute, key, keep_zero in _plan(type(value))
            if (part := getattr(value, attribute)) is not None
            and (keep_zero or isinstance(part, msgspec.Struct) or not _is_zero(part))
        }
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): encode(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [encode(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def encode_meta(identity: str, meta: Meta) -> Json:
    """The keys that every object of the cluster begins with."""
    return {
        "ID": identity,
        "Version": encode(meta.version),
        "CreatedAt": rfc3339(meta.created_at),
        "UpdatedAt": rfc3339(meta.updated_at),
    }


def rfc3339(moment: datetime | None) -> str:
    """A moment as Go's RFC3339Nano: UTC, fraction without trailing zeros."""
    if moment is None:
        return ZERO_TIME
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    text = plain.isoformat(timespec="microseconds")
    return f"{text.rstrip('0').rstrip('.')}Z"


def rfc3339_fixed(time_ns: int) -> str:
    """Nanoseconds since 1970 with all nine digits of the fraction, as log lines carry it."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Neighbouring log lines share their second; formatting it anew for each took most of the time of a log."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_json(raw: bytes) -> Any:
    """Client JSON as data; an empty body is an empty object.

    Raises:
        InvalidParameter: it is not JSON.
    """
    if not raw.strip():
        return {}
    try:
        return drop_nulls(decode_json(raw))
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"the request body is not valid JSON: {error}") from error


def drop_nulls(data: Any) -> Any:
    """The data without the keys whose value is null: Go clients send nil for every empty list, map and pointer."""
    if isinstance(data, dict):
        return {key: drop_nulls(part) for key, part in data.items() if part is not None}
    if isinstance(data, list):
        return [drop_nulls(part) for part in data]
    return data


def empty_to_none(value: Mapping[str, Any] | list[Any]) -> Any:
    """The value, or None where it is empty: Go writes a nil map or slice as null."""
    return encode(value) if value else None


def _is_zero(value: Any) -> bool:
    return value in ("", 0, False, b"") or (isinstance(value, list | tuple | dict) and not value)


@cache
def _plan(shape: type[msgspec.Struct]) -> tuple[tuple[str, str, bool], ...]:
    """Of each field: attribute, key, and whether a zero is written."""
    always = _ALWAYS.get(shape, frozenset())
    return tuple(
        (
            field.name,
            field.encode_name,
            always is _ALL or field.name in always or field.default is None,
        )
        for field in msgspec.structs.fields(shape)
    )
