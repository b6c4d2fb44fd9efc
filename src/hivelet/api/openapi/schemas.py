"""JSON schemas of structs, and of what is written as a few words. Pure.

A struct's schema names no key as required: clients may leave any out, and answers leave out what Go would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import msgspec.inspect as shapes

from hivelet.api.openapi.declaration import Schema
from hivelet.objects.common import GO_RANGES

_REF = "#/components/schemas/"

_WORDS: dict[str, Schema] = {
    "text": {"type": "string"},
    "time": {"type": "string"},
    "flag": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "object": {"type": "object"},
    "objects": {"type": "array", "items": {"type": "object"}},
    "texts": {"type": "array", "items": {"type": "string"}},
    "any": {},
}


def struct(cls: type[msgspec.Struct]) -> Schema:
    """The schema of a struct, by its name."""
    return {"$ref": _REF + _name(cls), "x-struct": cls}


def record(words: str, **given: Schema) -> Schema:
    """An object with these keys: `NAME:KIND`, `?` after a kind where it may be null, and after a name where it may be left out."""
    properties: dict[str, Schema] = {}
    required = []
    for word in words.split():
        name, _, kind = word.partition(":")
        plain = name.removesuffix("?")
        properties[plain] = _kind(kind)
        if plain == name:
            required.append(plain)
    properties |= given
    return {"type": "object", "properties": properties, "required": sorted({*required, *given})}


def several(schema: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": schema}


def or_null(schema: Schema) -> Schema:
    """This or null, as Go writes an empty list."""
    return {"anyOf": [schema, {"type": "null"}]}


def components(used: Iterator[Schema]) -> dict[str, Schema]:
    """The schemas of all structs that these refer to, whatever they refer to included."""
    found: dict[str, Schema] = {}
    waiting = [cls for schema in used for cls in _structs(schema)]
    while waiting:
        cls = waiting.pop()
        if _name(cls) not in found:
            found[_name(cls)] = schema = _struct_schema(cls)
            waiting += _structs(schema)
    return {name: plain(found[name]) for name in sorted(found)}


def plain(schema: Any) -> Any:
    """The schema without what is only for `components`."""
    if isinstance(schema, Mapping):
        return {key: plain(part) for key, part in schema.items() if key != "x-struct"}
    if isinstance(schema, list | tuple):
        return [plain(part) for part in schema]
    return schema


def _structs(schema: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(schema, Mapping):
        if "x-struct" in schema:
            yield schema["x-struct"]
        for part in schema.values():
            yield from _structs(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from _structs(part)


def _kind(word: str) -> Schema:
    schema = _WORDS[word.removesuffix("?")]
    return or_null(schema) if word.endswith("?") else schema


def _name(cls: type[msgspec.Struct]) -> str:
    return cls.__name__.lstrip("_")


def _struct_schema(cls: type[msgspec.Struct]) -> Schema:
    info = shapes.type_info(cls)
    assert isinstance(info, shapes.StructType)
    told = (cls.__doc__ or "").strip().partition("\n")[0]
    properties = {field.encode_name: _schema(field.type) for field in info.fields}
    return {"type": "object", "description": told, "properties": properties}


def _schema(shape: Any) -> Schema:
    match shape:
        case shapes.Metadata():
            go = str((shape.extra or {}).get("go", ""))
            return _ranged(go) if go in GO_RANGES else _schema(shape.type)
        case shapes.IntType():
            return _ranged("int64")
        case shapes.StructType():
            return struct(shape.cls)
        case shapes.ListType() | shapes.VarTupleType():
            return several(_schema(shape.item_type))
        case shapes.DictType():
            return {"type": "object", "additionalProperties": _schema(shape.value_type)}
        case shapes.UnionType():
            forms = [_schema(form) for form in shape.types if not isinstance(form, shapes.NoneType)]
            return forms[0] if len(forms) == 1 else {"anyOf": forms}
        case shapes.EnumType():
            return {"enum": [member.value for member in shape.cls]}
        case _:
            return _SCALARS.get(type(shape), {})


def _ranged(go: str) -> Schema:
    least, most = GO_RANGES[go]
    return {"type": "integer", "minimum": least, "maximum": most}


_SCALARS: dict[type[Any], Schema] = {
    shapes.StrType: {"type": "string"},
    shapes.BoolType: {"type": "boolean"},
    shapes.FloatType: {"type": "number"},
    shapes.BytesType: {"type": "string", "contentEncoding": "base64"},
    shapes.DateTimeType: {"type": "string", "format": "date-time"},
}
