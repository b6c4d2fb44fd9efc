"""Go's `printf`, for the values that templates have. Pure; source of the rules: the documentation of package fmt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hivelet.kit.gotemplate.values import format_float, go_text, kind_of

_VERB = re.compile(r"%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.|$)", re.DOTALL)
_PRECISION = re.compile(r"\.(\*|\d*)")
_WIDEST = 1_000_000
"""fmt's own bound of widths and precisions."""


def printf(text: str, *values: Any) -> str:
    """The text with its verbs filled in; what does not fit is told in the text itself, as Go does."""
    remaining = list(values)
    out: list[str] = []
    position = 0
    for match in _VERB.finditer(text):
        out += [text[position : match.start()], _fill(match, remaining)]
        position = match.end()
    out.append(text[position:])
    if remaining:
        extra = ", ".join(f"{kind_of(value)}={go_text(value)}" for value in remaining)
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _fill(match: re.Match[str], remaining: list[Any]) -> str:
    flags, verb = match[1], match[4]
    if verb == "%":
        return "%"
    point = _PRECISION.search(match[0])
    width, wide = _size(match[2], remaining, "WIDTH")
    precision, precise = _size((point[1] or "0") if point else None, remaining, "PREC")
    if "" in (width, precision) or not verb:
        return "%!(NOVERB)"
    complaint = wide + precise
    if not remaining:
        return f"{complaint}%!{verb}(MISSING)"
    shown = _show(verb, flags, precision, remaining.pop(0))
    return complaint + _pad(shown, flags, width)


def _size(given: str | None, remaining: list[Any], what: str) -> tuple[int | str | None, str]:
    """A width or precision, and what is wrong with it; "" for one that is beyond all measure."""
    if given is None:
        return None, ""
    if given == "*":
        value = remaining.pop(0) if remaining else None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _WIDEST:
            return None, f"%!(BAD{what})"
        return value, ""
    return (int(given), "") if len(given) <= 7 and int(given) <= _WIDEST else ("", "")


def _pad(text: str, flags: str, width: int | str | None) -> str:
    if not isinstance(width, int):
        return text
    if "-" in flags or width < 0:
        return text.ljust(abs(width))
    if "0" in flags and text[:1] in ("-", "+") and text[1:2].isdigit():
        return text[0] + text[1:].rjust(width - 1, "0")
    return text.rjust(width, "0" if "0" in flags else " ")


def _show(verb: str, flags: str, precision: Any, value: Any) -> str:
    if verb == "T":
        return kind_of(value)
    if verb == "v":
        return _quoted(value) if "#" in flags else _signed(go_text(value), flags, value)
    shown: Callable[..., str] | None = None
    if isinstance(value, bool):
        shown = {"t": _plain}.get(verb)
    elif isinstance(value, int):
        shown = _INTEGER.get(verb)
    elif isinstance(value, float):
        shown = _FLOAT.get(verb)
    elif isinstance(value, str):
        shown = _STRING.get(verb)
    elif value is not None and verb in ("s", "q", "d"):
        return go_text(value)
    if shown is None:
        return f"%!{verb}({kind_of(value)}={go_text(value)})"
    return _signed(shown(value, flags, precision), flags, value)


def _signed(text: str, flags: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return text
    return f"+{text}" if "+" in flags else f" {text}" if " " in flags else text


def _plain(value: Any, flags: str, precision: Any) -> str:
    return go_text(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else go_text(value)


def _based(form: str, prefix: str) -> Callable[..., str]:
    def show(value: int, flags: str, precision: Any) -> str:
        text = format(value, form)
        sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text)
        return sign + (prefix if "#" in flags else "") + digits

    return show


def _character(value: int, flags: str, precision: Any) -> str:
    return chr(value) if 0 <= value <= 0x10FFFF else "\ufffd"


def _float(form: str) -> Callable[..., str]:
    def show(value: float, flags: str, precision: Any) -> str:
        if form == "g" and precision is None:
            return format_float(value)
        return format(value, f".{min(precision if precision is not None else 6, 1000)}{form}")

    return show


def _hexadecimal(form: str) -> Callable[..., str]:
    return lambda value, flags, precision: "".join(format(b, form) for b in value.encode())


_INTEGER: dict[str, Callable[..., str]] = {
    "d": _plain, "b": _based("b", "0b"), "o": _based("o", "0"), "x": _based("x", "0x"),
    "X": _based("X", "0X"), "c": _character, "q": lambda v, f, p: f"'{_character(v, f, p)}'",
    "U": lambda v, f, p: f"U+{v:04X}",
}  # fmt: skip
_FLOAT: dict[str, Callable[..., str]] = {form: _float(form) for form in "feEgG"} | {
    "F": _float("f")
}
_STRING: dict[str, Callable[..., str]] = {
    "s": lambda v, f, p: v if p is None else v[:p], "q": lambda v, f, p: _quoted(v),
    "x": _hexadecimal("02x"), "X": _hexadecimal("02X"),
}  # fmt: skip
