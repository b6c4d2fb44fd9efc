"""`.env` files: `NAME=value` lines with quotes, comments and variables, as Docker Compose reads them. Pure.

`'…'` is taken as it stands; `"…"` knows `\\n`, `\\t`, `\\r`, `\\"`, `\\\\`, `\\$`, and variables; both may span lines. Without quotes a value ends at
a ` #`, and has variables too. A variable is looked up in the environment first, then among the lines above. `NAME`
alone takes the value of the environment; `export` in front is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hivelet.compose.interpolate import substitute

_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.\-\[\]]*)[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_REST = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_COMMENT = re.compile(r"[ \t]+#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def parse_dotenv(text: str, name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a file, in its order; `environment` is where variables in it are looked up.

    Raises:
        ValueError: a line is no variable, or a quote is not closed; the message has the file and the line.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    variables: dict[str, str] = {}
    position = _skip(text, 0)
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        try:
            position = _read_line(text, position, variables, environment)
        except ValueError as error:
            raise ValueError(f"{name}:{line}: {error}") from error
        position = _skip(text, position)
    return variables


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _read_line(
    text: str, position: int, variables: dict[str, str], environment: Mapping[str, str]
) -> int:
    line = text[position:].partition("\n")[0].strip()
    name = _NAME.match(text, position)
    if name is None:
        raise ValueError(f'"{line}" is no variable; write it like NAME=value')
    key, position = name[1], name.end()
    if position == len(text) or text[position] == "\n":
        if key in environment:
            variables[key] = environment[key]
        return position
    if text[position] not in "=:":
        raise ValueError(f'"{line}" is no variable; write it like NAME=value')
    position += 1
    while text[position : position + 1] in {" ", "\t"}:
        position += 1
    known = {**variables, **environment}
    quote = text[position : position + 1]
    if quote in {"'", '"'}:
        raw, position = _quoted(text, position)
        variables[key] = raw if quote == "'" else substitute(raw, known)
        rest = _REST.match(text, position)
        if rest is None:
            raise ValueError(f"something stands after the closing quote of {key}")
        return rest.end()
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    raw = "" if quote == "#" else _COMMENT.sub("", text[position:end]).strip()
    variables[key] = substitute(raw, known)
    return end


def _quoted(text: str, position: int) -> tuple[str, int]:
    """The text between quotes, escapes resolved where they are double ones, and the place after them."""
    quote, pieces = text[position], list[str]()
    position += 1
    while position < len(text):
        character = text[position]
        if character == quote:
            return "".join(pieces), position + 1
        if character == "\\" and quote == '"' and text[position + 1 : position + 2] in _ESCAPES:
            position += 1
            character = _ESCAPES[text[position]]
        pieces.append(character)
        position += 1
    raise ValueError(f"the quote {quote} is never closed")
