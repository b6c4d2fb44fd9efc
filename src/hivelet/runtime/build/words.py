"""Words of a Dockerfile: `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}`, quotes and escapes. Pure.

Docker's subset of the shell's expansion, no more; a name without a value is "". However words refer to each other, what
becomes of them is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hivelet.errors import InvalidParameter

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"""[^\\`"'$]+""")
_BRACE = re.compile(r"\$\{|\}")
_DEPTH = 20
_SHOWN = 200

LIMIT = 1 << 20
"""How many characters an expansion may have."""


def expand(
    text: str,
    values: Mapping[str, str],
    *,
    escape: str = "\\",
    limit: int = LIMIT,
    depth: int = _DEPTH,
) -> str:
    """`text` without its quotes and with its variables replaced.

    Raises:
        InvalidParameter: a `${` that does not end, a modifier that is none, more than `limit` characters, or words that stand
            in each other more than `depth` times.
    """
    if depth < 0:
        raise InvalidParameter(
            f"failed to process {text[:_SHOWN]!r}: variables stand in each other more than {_DEPTH} times"
        )
    room = limit
    out: list[str] = []
    at, quote = 0, ""
    while at < len(text):
        char = text[at]
        if (plain := _PLAIN.match(text, at)) is not None:
            out.append(plain[0])
            at = plain.end()
        elif char == escape and quote != "'" and at + 1 < len(text):
            out.append(text[at + 1])
            at += 2
        elif char == quote:
            quote = ""
            at += 1
        elif char in "\"'" and not quote:
            quote = char
            at += 1
        elif char == "$" and quote != "'":
            value, at = _variable(text, at + 1, values, escape, depth)
            room -= len(value)
            if room < 0:
                raise InvalidParameter(
                    f"failed to process {text[:_SHOWN]!r}: variables become more than {LIMIT} characters"
                )
            out.append(value)
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _variable(
    text: str, at: int, values: Mapping[str, str], escape: str, depth: int
) -> tuple[str, int]:
    if text[at : at + 1] != "{":
        name = _NAME.match(text, at)
        return (values.get(name[0], ""), name.end()) if name else ("$", at)
    name = _NAME.match(text, at + 1)
    end = _closing(text, at + 1)
    if name is None or end < 0:
        raise InvalidParameter(
            f"failed to process {text[:_SHOWN]!r}: a ${{ that is not a variable's"
        )
    rest = text[name.end() : end]
    value = values.get(name[0], "")
    if rest.startswith((":-", "-")):
        missing = name[0] not in values or (rest.startswith(":") and not value)
        word = rest.removeprefix(":")[1:]
        return (_inner(word, values, escape, depth) if missing else value), end + 1
    if rest.startswith((":+", "+")):
        there = name[0] in values and (not rest.startswith(":") or value != "")
        word = rest.removeprefix(":")[1:]
        return (_inner(word, values, escape, depth) if there else ""), end + 1
    if rest:
        raise InvalidParameter(
            f"failed to process {text[:_SHOWN]!r}: unsupported modifier ({rest[:_SHOWN]})"
        )
    return value, end + 1


def _inner(word: str, values: Mapping[str, str], escape: str, depth: int) -> str:
    return expand(word, values, escape=escape, depth=depth - 1)


def _closing(text: str, at: int) -> int:
    """Where the brace that is open at `at` closes; -1 where it does not."""
    depth = 1
    for brace in _BRACE.finditer(text, at):
        depth += -1 if brace[0] == "}" else 1
        if depth == 0:
            return brace.start()
    return -1
