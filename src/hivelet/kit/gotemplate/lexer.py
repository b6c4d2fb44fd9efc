"""Cuts a template into texts and actions, and an action into tokens. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hivelet.kit.gotemplate.problems import TemplateError

_SPACE = " \t\r\n"
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    |(?P<char>'(?:\\.[^'\n]*|[^'\\\n])')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<mark>:=|=|[|(),.])""",
    re.VERBOSE,
)
_SKIP = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`|' + r"'(?:\\.[^'\n]*|[^'\\\n])'", re.DOTALL)
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an action; `glued` where no space stands before it."""

    kind: str
    text: str
    glued: bool = False


def split_actions(source: str) -> Iterator[tuple[bool, str]]:
    """Alternately text and action (then True), trim marks applied, comments left out."""
    position, trim = 0, False
    while (start := source.find("{{", position)) >= 0:
        text = source[position:start]
        text = text.lstrip(_SPACE) if trim else text
        inside = start + 2
        if source.startswith("-", inside) and source[inside + 1 : inside + 2] in tuple(_SPACE):
            text, inside = text.rstrip(_SPACE), inside + 2
        yield False, text
        end = _find_end(source, inside)
        action, trim = source[inside:end], False
        if action.endswith("-") and action[-2:-1] in tuple(_SPACE):
            action, trim = action[:-2], True
        if not action.strip(_SPACE).startswith("/*"):
            yield True, action
        position = end + 2
    rest = source[position:]
    yield False, rest.lstrip(_SPACE) if trim else rest


def tokenise(action: str) -> list[Token]:
    """The tokens of an action.

    Raises:
        TemplateError: something in it is none.
    """
    tokens: list[Token] = []
    position, glued = 0, False
    while position < len(action):
        match = _TOKEN.match(action, position)
        if match is None:
            raise TemplateError(f"this part of the template is not understood: {_short(action)}")
        position = match.end()
        if match.lastgroup == "space":
            glued = False
            continue
        tokens.append(Token(match.lastgroup or "", match[0], glued))
        glued = True
    return tokens


def unquote(text: str) -> str:
    """What a string or character constant means.

    Raises:
        TemplateError: an escape that Go does not know.
    """
    if text[0] == "`":
        return text[1:-1].replace("\r", "")

    def escape(match: re.Match[str]) -> str:
        for digits, base in ((match[1], 16), (match[2], 16), (match[3], 16), (match[4], 8)):
            if digits is not None:
                return _character(int(digits, base), text)
        if match[5] not in _ESCAPES:
            raise TemplateError(f"the template has the unknown escape \\{match[5]} in {text}")
        return _ESCAPES[match[5]]

    return _ESCAPE.sub(escape, text[1:-1])


def _character(code: int, text: str) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise TemplateError(f"the template has a character that there is not, in {text}")
    return chr(code)


def _find_end(source: str, position: int) -> int:
    comment = re.compile(r"[ \t\r\n]*/\*").match(source, position)
    if comment is not None:
        close = source.find("*/", comment.end())
        end = source.find("}}", close) if close >= 0 else -1
        if end < 0 or source[close + 2 : end].strip(_SPACE) not in ("", "-"):
            raise TemplateError(f"a comment of the template does not end: {_short(source)}")
        return end
    while position < len(source):
        if source.startswith("}}", position):
            return position
        skipped = _SKIP.match(source, position)
        position = skipped.end() if skipped is not None else position + 1
    raise TemplateError(f"the template ends inside {{{{: {_short(source)}")


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"
