"""Specs as the JSON that goes to a daemon, with every value that means something. Pure.

Note the difference to `msgspec.to_builtins`: a field is left out because it is empty, never because it has hivelet's own
default. A Docker engine does not know that a mount is a volume where nothing is said.
"""

from __future__ import annotations

import base64
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = dict[str, Any]


def to_wire(spec: msgspec.Struct) -> Json:
    """The JSON of a spec: what is None or empty is left out; zero and false too, unless the field may be None."""
    result: Json = {}
    for field in msgspec.structs.fields(spec):
        value = getattr(spec, field.name)
        if value is None or (
            not value and not isinstance(value, msgspec.Struct) and field.default is not None
        ):
            continue
        result[field.encode_name] = _plain(value)
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return to_wire(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
