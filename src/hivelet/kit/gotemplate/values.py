"""Values as Go shows them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Nil:
    """A pointer of Go's that points to nothing. Note the difference: None is a value that is not there at all."""

    def __bool__(self) -> bool:
        return False


NIL = Nil()


class ShownRow(dict[str, Any]):
    """A row of a list as a template sees it; as a whole it is JSON with `<`, `>` and `&` escaped, as in Docker."""


def go_json(value: Any) -> str:
    """JSON as Go writes it: compact."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_null)
    if isinstance(value, ShownRow):
        for character in "<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _null(value: Any) -> None:
    if not isinstance(value, Nil):
        raise TypeError(f"{value!r} is no value of a template")


def go_text(value: Any) -> str:
    """A value as Go prints it: `map[a:b]`, `[x y]`, `<no value>`."""
    if value is None:
        return "<no value>"
    if isinstance(value, Nil):
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    return str(value)


def format_float(value: float) -> str:
    """A float as `%v` has it: the shortest digits that read back the same, an exponent from 21 places on."""
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if exponent:
        return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}"
    return mantissa.removesuffix(".0")


def kind_of(value: Any) -> str:
    """The name of a value's type in Go."""
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case Mapping():
            return "map[string]interface {}"
        case None | Nil():
            return "<nil>"
        case _:
            return "[]interface {}"
