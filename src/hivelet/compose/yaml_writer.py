"""YAML of mappings, lists and scalars, in the style of the docker CLI. Pure.

Writing is done here because the result must equal Docker's letter by letter: people keep it in files and compare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hivelet.compose.units import format_number
from hivelet.compose.yaml_reader import resolve_plain

_PLAIN = re.compile(
    r"[^\s\-?:,\[\]{}#&*!|>'\"%@`=](?:[^\n\t]*[^\s])?\Z|[-?:][^\s](?:[^\n\t]*[^\s])?\Z"
)
_OLD_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})

_OLD_NUMBERS = re.compile(
    r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z"
    r"|\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{2}:\d{2}(\.\d+)?([Zz]|[-+]\d{2}:\d{2})?)?\Z"
)
"""What older readers take for numbers in base 60, or for moments."""


def write_block(mapping: Mapping[str, Any], indent: int) -> list[str]:
    """The lines of a mapping at this indentation."""
    lines: list[str] = []
    pad = " " * indent
    for key, value in mapping.items():
        name = _scalar(key)
        if isinstance(value, dict) and value:
            lines += [f"{pad}{name}:", *write_block(value, indent + 2)]
        elif isinstance(value, list) and value:
            lines += [f"{pad}{name}:", *_items(value, indent + 2)]
        elif _takes_lines(value):
            lines += _literal(f"{pad}{name}: ", value, indent + 2)
        else:
            lines.append(f"{pad}{name}: {_leaf(value)}")
    return lines


def _items(items: list[Any], indent: int) -> list[str]:
    lines: list[str] = []
    pad = " " * indent
    for item in items:
        if (isinstance(item, dict) and item) or (isinstance(item, list) and item):
            inner = (
                write_block(item, indent + 2)
                if isinstance(item, dict)
                else _items(item, indent + 2)
            )
            lines += [f"{pad}- {inner[0].lstrip()}", *inner[1:]]
        elif _takes_lines(item):
            lines += _literal(f"{pad}- ", item, indent + 2)
        else:
            lines.append(f"{pad}- {_leaf(item)}")
    return lines


def _takes_lines(value: Any) -> bool:
    """Whether a text is written as lines of its own: blanks before a line's end would not survive there."""
    return isinstance(value, str) and "\n" in value and not re.search(r" (\n|\Z)", value)


def _literal(head: str, text: str, indent: int) -> list[str]:
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    mark = "|-" if trailing == 0 else "|" if trailing == 1 else "|+"
    if text[0] in " \n":  # what leads would be taken for the block's own indentation
        mark = f"|2{mark[1:]}"
    pad = " " * indent
    lines = [f"{pad}{line}" if line else "" for line in body.split("\n")]
    return [head + mark, *lines, *[""] * (trailing - 1)]


def _leaf(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _scalar(value) if isinstance(value, str) else format_number(value)


def _scalar(text: str) -> str:
    """`text` plain where that reads back as the same string, else in the quotes that Docker would choose."""
    other_meaning = not isinstance(resolve_plain(text), str) if text else True
    if other_meaning or text.lower() in _OLD_BOOLEANS or _OLD_NUMBERS.match(text):
        return _double_quoted(text)
    if any(not 32 <= ord(character) < 0xFFFE or ord(character) == 127 for character in text):
        return _double_quoted(text)
    if text == "=":
        return text
    if _PLAIN.match(text) and ": " not in text and " #" not in text and not text.endswith(":"):
        return text
    return "'" + text.replace("'", "''") + "'"


def _double_quoted(text: str) -> str:
    escapes = {
        "\\": "\\\\",
        '"': '\\"',
        "\t": "\\t",
        "\n": "\\n",
        "\r": "\\r",
        "\0": "\\0",
        "\x1b": "\\e",
    }
    return '"' + "".join(escapes.get(character) or _escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if 32 <= code < 0xFFFE and code != 127:
        return character
    return (
        f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}" if code < 65536 else f"\\U{code:08X}"
    )
