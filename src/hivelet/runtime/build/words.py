"""Words of a Dockerfile: `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}`, quotes and escapes. Pure.

Docker's subset of the shell's expansion, no more; a name without a value is "".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hivelet.errors import InvalidParameter

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expand(text: str, values: Mapping[str, str], *, escape: str = "\\") -> str:
    """`text` without its quotes and with its variables replaced.

    Raises:
        InvalidParameter: a `${` that does not end, or a modifier that is none.
    """
    out: list[str] = []
    at, quote = 0, ""
    while at < len(text):
        char = text[at]
        if char == escape and quote != "'" and at + 1 < len(text):
            out.append(text[at + 1])
            at += 2
        elif char == quote:
            quote = ""
            at += 1
        elif char in "\"'" and not quote:
            quote = char
            at += 1
        elif char == "$" and quote != "'":
            value, at = _variable(text, at + 1, values, escape)
            out.append(value)
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _variable(text: str, at: int, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    if text[at : at + 1] != "{":
        name = _NAME.match(text, at)
        return (values.get(name[0], ""), name.end()) if name else ("$", at)
    name = _NAME.match(text, at + 1)
    end = _closing(text, at + 1)
    if name is None or end < 0:
        raise InvalidParameter(f"failed to process {text!r}: a ${{ that is not a variable's")
    rest = text[name.end() : end]
    value = values.get(name[0], "")
    if rest.startswith((":-", "-")):
        missing = name[0] not in values or (rest.startswith(":") and not value)
        word = rest.removeprefix(":")[1:]
        return (expand(word, values, escape=escape) if missing else value), end + 1
    if rest.startswith((":+", "+")):
        there = name[0] in values and (not rest.startswith(":") or value != "")
        word = rest.removeprefix(":")[1:]
        return (expand(word, values, escape=escape) if there else ""), end + 1
    if rest:
        raise InvalidParameter(f"failed to process {text!r}: unsupported modifier ({rest})")
    return value, end + 1


def _closing(text: str, at: int) -> int:
    """Where the brace that is open at `at` closes; -1 where it does not."""
    depth = 1
    for place in range(at, len(text)):
        if text.startswith("${", place):
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return place
    return -1
