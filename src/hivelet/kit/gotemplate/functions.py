"""Go's own functions of templates. Pure; `and` and `or` are in `execute`, as they need not evaluate everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from hivelet.kit.gotemplate.printf import printf
from hivelet.kit.gotemplate.problems import TemplateError
from hivelet.kit.gotemplate.values import go_text, kind_of

Functions = Mapping[str, Callable[..., Any]]

_HTML = {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_JAVASCRIPT = {"\\": "\\\\", "'": "\\'", '"': '\\"'}


def text_of(values: tuple[Any, ...]) -> str:
    """Arguments as one text: as `print` joins them, with a space between two that are no strings."""
    out = ""
    for place, value in enumerate(values):
        apart = place and not isinstance(value, str) and not isinstance(values[place - 1], str)
        out += (" " if apart else "") + go_text(value)
    return out


def is_true(value: Any) -> bool:
    """Whether `if` takes it for true: neither zero nor empty."""
    return bool(value)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool | int | float):
        raise TemplateError(f"len of type {kind_of(value)}")
    return len(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(value, str):
            encoded = value.encode()
            value = encoded[_position(key, len(encoded) - 1)]
        elif isinstance(value, list | tuple):
            value = value[_position(key, len(value) - 1)]
        else:
            raise TemplateError(f"can't index item of type {kind_of(value)}")
    return value


def _slice(value: Any, *places: Any) -> Any:
    if not isinstance(value, list | tuple | str) or len(places) > 3:
        raise TemplateError(f"can't slice item of type {kind_of(value)}")
    low, high, *_ = [
        *(_position(place, len(value)) for place in places),
        *(0, len(value))[len(places) :],
        None,
    ]
    if low is None or high is None or low > high:
        raise TemplateError(f"invalid slice index: {low} > {high}")
    return value[low:high]


def _position(key: Any, highest: int) -> int:
    if isinstance(key, bool) or not isinstance(key, int):
        raise TemplateError(f"cannot index slice/array with type {kind_of(key)}")
    if not 0 <= key <= highest:
        raise TemplateError(f"index out of range: {key}")
    return key


def _comparable(first: Any, second: Any) -> None:
    numbers = isinstance(first, int | float) and isinstance(second, int | float)
    alike = numbers and isinstance(first, bool) == isinstance(second, bool)
    if not alike and not (isinstance(first, str) and isinstance(second, str)):
        raise TemplateError("incompatible types for comparison")


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("missing argument for comparison")
    for other in others:
        if first is not None and other is not None:
            _comparable(first, other)
        if first == other:
            return True
    return False


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(first: Any, second: Any) -> bool:
        _comparable(first, second)
        return holds(first, second)

    return compare


def _translate(table: Mapping[str, str]) -> Callable[..., str]:
    return lambda *values: "".join(table.get(c, c) for c in text_of(values))


def _javascript(*values: Any) -> str:
    def escape(match: re.Match[str]) -> str:
        return _JAVASCRIPT.get(match[0]) or f"\\u{ord(match[0]):04X}"

    return re.sub(r"[\x00-\x1f\\'\"<>&=]", escape, text_of(values))


def _call(function: Any, *_: Any) -> Any:
    raise TemplateError(f"error calling call: non-function of type {kind_of(function)}")


GO_FUNCTIONS: Functions = {
    "call": _call,
    "html": _translate(_HTML),
    "index": _index,
    "js": _javascript,
    "len": _length,
    "not": lambda value: not is_true(value),
    "print": lambda *values: text_of(values),
    "printf": printf,
    "println": lambda *values: " ".join(go_text(value) for value in values) + "\n",
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(text_of(values), safe="-_.~"),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": _compare(lambda first, second: first < second),
    "le": _compare(lambda first, second: first <= second),
    "gt": _compare(lambda first, second: first > second),
    "ge": _compare(lambda first, second: first >= second),
}
