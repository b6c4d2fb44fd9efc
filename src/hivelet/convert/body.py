"""Client JSON held against a struct as Go's decoder would: keys in any case, and no value that a Go client can't read back. Pure.

One number beyond its Go type makes every Docker client fail on every list that has it (`docker service ls` shows nothing at
all), so it is refused at the door, wherever in a request it stands. The sentences are those of Go's encoding/json.

The Go type of a number is said by the annotation of its field (`hivelet.objects.common.UInt64` and its like); a plain int is
an int64.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn, TypeVar

import msgspec
import msgspec.inspect as shapes

from hivelet.errors import InvalidParameter
from hivelet.objects.cluster import CaConfig, ClusterSpec
from hivelet.objects.common import GO_RANGES
from hivelet.objects.container import Healthcheck
from hivelet.objects.service import GlobalJobMode, GlobalMode, ReplicatedJobMode, ReplicatedMode
from hivelet.objects.swarm import SwarmInit, SwarmJoin
from hivelet.objects.task import DnsConfig, SecretReferenceFile

T = TypeVar("T")

_GO_NAMES: dict[type[Any], str] = {
    CaConfig: "CAConfig",
    ClusterSpec: "Spec",
    DnsConfig: "DNSConfig",
    GlobalJobMode: "GlobalJob",
    GlobalMode: "GlobalService",
    Healthcheck: "HealthConfig",
    ReplicatedJobMode: "ReplicatedJob",
    ReplicatedMode: "ReplicatedService",
    SecretReferenceFile: "SecretReferenceFileTarget",
    SwarmInit: "InitRequest",
    SwarmJoin: "JoinRequest",
}
"""Docker's names of structs that have another here."""

_LARGEST_FLOAT32 = 3.4028234663852886e38

_WORDS: dict[type[Any], str] = {
    bool: "bool",
    str: "string",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}

Path = tuple[str, ...]


def convert_json(data: Any, shape: type[T]) -> T:
    """Client data as a struct; keys that hivelet does not know are ignored, and their case is, both as in Docker.

    Raises:
        InvalidParameter: a value is not of the type that the API wants; the message names its path.
    """
    try:
        return msgspec.convert(_fit(data, shapes.type_info(shape), "", ()), shape)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"the request body does not fit: {error}") from error


def _fit(data: Any, shape: Any, owner: str, path: Path) -> Any:
    """The data with the keys of structs in the case that the struct has them; `owner` is the struct it is a field of."""
    if isinstance(shape, shapes.UnionType):
        shape = next((one for one in shape.types if not isinstance(one, shapes.NoneType)), shape)
    if data is None:
        return None
    match shape:
        case shapes.StructType() if isinstance(data, dict):
            return _fit_struct(data, shape.cls, path)
        case shapes.DictType() if isinstance(data, dict):
            return {key: _fit(part, shape.value_type, owner, path) for key, part in data.items()}
        case shapes.ListType() if isinstance(data, list):
            return [_fit(part, shape.item_type, owner, path) for part in data]
    go = _go_type(shape)
    if go and not _is_of(data, shape, go):
        _refuse(data, go, owner, path)
    return data


def _fit_struct(data: dict[str, Any], cls: type[msgspec.Struct], path: Path) -> dict[str, Any]:
    # Go reads keys in any case, and clients rely on it: docker-py names the mode of a service "replicated".
    fields, name = _fields(cls), _go_name(cls)
    folded = {}
    for key, part in data.items():
        known, inner = fields.get(key.lower(), (key, None))
        folded[known] = part if inner is None else _fit(part, inner, name, (*path, known))
    return folded


def _is_of(data: Any, shape: Any, go: str) -> bool:
    if go in GO_RANGES:
        least, most = GO_RANGES[go]
        return type(data) is int and least <= data <= most
    if go in {"float32", "float64"}:
        limit = _LARGEST_FLOAT32 if go == "float32" else float("inf")
        return type(data) in {int, float} and abs(data) <= limit
    if isinstance(shape, shapes.BoolType):
        return isinstance(data, bool)
    return isinstance(data, str) and isinstance(shape, shapes.StrType)


def _refuse(data: Any, go: str, owner: str, path: Path) -> NoReturn:
    what = _WORDS.get(type(data), type(data).__name__)
    if what == "number" and (go in GO_RANGES or go.startswith("float")):
        what = f"number {data!r}"
    where = f"Go struct field {owner}.{'.'.join(path)}" if path else "Go value"
    raise InvalidParameter(f"json: cannot unmarshal {what} into {where} of type {go}")


def _go_type(shape: Any) -> str:
    """How Go calls the type; "" where it is none that is looked at here."""
    match shape:
        case shapes.Metadata():
            return str((shape.extra or {}).get("go", "")) or _go_type(shape.type)
        case shapes.IntType():
            return "int64"
        case shapes.FloatType():
            return "float64"
        case shapes.StrType():
            return "string"
        case shapes.BoolType():
            return "bool"
        case shapes.ListType():
            return f"[]{_element(shape.item_type)}"
        case shapes.DictType():
            return f"map[string]{_element(shape.value_type)}"
        case shapes.StructType():
            return _go_name(shape.cls)
        case _:
            return ""


def _element(shape: Any) -> str:
    return _go_type(shape) or "interface {}"


def _go_name(cls: type[Any]) -> str:
    return _GO_NAMES.get(cls) or cls.__name__.lstrip("_")


@cache
def _fields(cls: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """Of each field: its key in lower case, its key, and its type."""
    info = shapes.type_info(cls)
    fields: Iterable[shapes.Field] = info.fields if isinstance(info, shapes.StructType) else ()
    return {field.encode_name.lower(): (field.encode_name, field.type) for field in fields}
