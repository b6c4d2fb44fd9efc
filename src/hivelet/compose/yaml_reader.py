"""YAML text into a `Document`, with scalars read as the docker CLI reads them. Pure.

YAML 1.2 with what Go's yaml.v3 adds: `0755` is octal, `1_000` a number, `yes` and `on` are strings, `5672:5672` never
is a sexagesimal number, `<<` merges; `!reset` and `!override` are the tags of the Compose Specification. A timestamp stays the text that the user wrote. Duplicate keys are an error; so is
a file whose aliases would unfold to more than a million values, or that is nested more than a hundred levels deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any

from hivelet.compose.document import ComposeError, Document, Mark, Node
from hivelet.compose.edits import OVERRIDE, RESET

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

_BUDGET = 1_000_000
_DEPTH = 100
_LONGEST = 70
"""Digits of the longest whole number that is read as one, in binary; longer ones are no 64-bit numbers in any base."""

_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_INTEGER = re.compile(
    r"([-+]?)(?:0x(?P<hex>[0-9a-fA-F]+)|0o?(?P<oct>[0-7]+)|0b(?P<bin>[01]+)|(?P<dec>0|[1-9]\d*))\Z"
)
_BASES = {"hex": 16, "oct": 8, "bin": 2, "dec": 10}


def read_yaml(text: str, name: str) -> Document:
    """The document in `text`; `name` is what errors call the file.

    Raises:
        ComposeError: it is not YAML, or its top is not a mapping.
    """
    from ruamel.yaml import YAML  # 45 ms that most commands need not pay
    from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError

    try:
        root = _Composer(name).compose(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise ComposeError(
            f"{name}{place}: this is not YAML: {error.problem or error.context}"
        ) from error
    except (YAMLError, YAMLStreamError) as error:
        raise ComposeError(f"{name}: this is not YAML: {str(error).splitlines()[0]}") from error
    except (OverflowError, ValueError) as error:
        # The parser makes a character of whatever number stands in an escape such as "\\UFFFFFFFF".
        raise ComposeError(
            f"{name}: this is not YAML: an escape in a quoted text (\\x, \\u or \\U) is no character"
        ) from error
    if root is None or not isinstance(root.value, dict):
        raise ComposeError(
            f"{name}: this is not a compose file: its top must be a mapping with the key `services`"
        )
    return Document(name, root)


def resolve_plain(text: str) -> str | int | float | bool | None:
    """The value of a scalar that stands without quotes."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    integer = _INTEGER.match(digits)
    if integer is not None and len(digits) <= _LONGEST:
        base = integer.lastgroup or "dec"
        value = int(integer[base], _BASES[base]) * (-1 if integer[1] == "-" else 1)
        return value if -(2**63) <= value < 2**64 else float(value)
    if _FLOAT.match(digits):
        number = float(digits)
        return number if isfinite(number) else text
    if _SPECIAL.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Composer:
    """Builds nodes from parser events; anchors are remembered, aliases share the node that they name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._anchors: dict[str, Node] = {}
        self._depth = 0

    def compose(self, events: Iterator[Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent" and root is not None:
                raise self._error(
                    event,
                    "there is a second document in this file; `---` may stand only at its top",
                )
            if kind in {"ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "AliasEvent"}:
                root = self._node(event, events)
        return root

    def _node(self, event: Any, events: Iterator[Event]) -> Node:
        kind = type(event).__name__
        if kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise self._error(event, f"the alias *{event.anchor} names no anchor above it")
            return self._anchors[event.anchor]
        edit = self._edit(event)
        if kind == "ScalarEvent":
            node = Node(self._scalar(event), _mark(event))
        else:
            node = self._collection(event, events)
        if node.size > _BUDGET:
            raise self._error(
                event, "the aliases of this file unfold to more than a million values"
            )
        if event.anchor:
            self._anchors[event.anchor] = node
        return Node(node.value, node.mark, node.keys, node.size, edit) if edit else node

    def _collection(self, event: Any, events: Iterator[Event]) -> Node:
        if self._depth == _DEPTH:
            raise self._error(
                event, f"the values of this file are nested more than {_DEPTH} levels deep"
            )
        self._depth += 1
        read = self._sequence if type(event).__name__ == "SequenceStartEvent" else self._mapping
        node = read(event, events)
        self._depth -= 1
        return node

    def _edit(self, event: Any) -> str:
        """The tag `!reset` or `!override`; a collection takes no other."""
        tag = _tag(event)
        if tag in {RESET, OVERRIDE}:
            return tag
        if type(event).__name__ != "ScalarEvent" and tag not in {
            "",
            "!",
            f"{_TAG}map",
            f"{_TAG}seq",
        }:
            raise self._error(event, f"the YAML tag {tag} has no meaning in a compose file")
        return ""

    def _scalar(self, event: Any) -> str | int | float | bool | None:
        tag = _tag(event)
        if tag in {RESET, OVERRIDE}:
            return str(event.value) if event.style else resolve_plain(event.value)
        if tag == "" and event.implicit[0]:
            return resolve_plain(event.value)
        if tag in {"", "!", f"{_TAG}str"}:
            return str(event.value)
        if tag in {f"{_TAG}{kind}" for kind in ("int", "float", "bool", "null")}:
            return resolve_plain(event.value)
        raise self._error(event, f"the YAML tag {tag} has no meaning in a compose file")

    def _sequence(self, event: Any, events: Iterator[Event]) -> Node:
        items: list[Node] = []
        for inner in events:
            if type(inner).__name__ == "SequenceEndEvent":
                break
            items.append(self._node(inner, events))
        return Node(items, _mark(event), size=1 + sum(item.size for item in items))

    def _mapping(self, event: Any, events: Iterator[Event]) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        merged: list[Node] = []
        for inner in events:
            if type(inner).__name__ == "MappingEndEvent":
                break
            key, is_merge = self._key(inner)
            value = self._node(next(events), events)
            if is_merge:
                merged.extend(self._merge_sources(inner, value))
                continue
            if key in values:
                raise self._error(
                    inner,
                    f'the key "{key}" stands here a second time, first in line {keys[key].line}',
                )
            values[key], keys[key] = value, _mark(inner)
        for source in merged:
            assert isinstance(source.value, dict)
            for key, value in source.value.items():
                if key not in values:
                    values[key], keys[key] = value, source.keys[key]
        return Node(values, _mark(event), keys, 1 + sum(value.size for value in values.values()))

    def _key(self, event: Any) -> tuple[str, bool]:
        if type(event).__name__ != "ScalarEvent":
            raise self._error(event, "a key must be a plain word")
        if event.value == "<<" and event.style is None:
            return "<<", True
        key = self._scalar(event)
        if not isinstance(key, str):
            raise self._error(event, f"the key {event.value} must be a string; put it in quotes")
        return key, False

    def _merge_sources(self, event: Any, value: Node) -> list[Node]:
        sources = value.value if isinstance(value.value, list) else [value]
        if not all(isinstance(source.value, dict) for source in sources):
            raise self._error(event, "`<<` takes a mapping or a list of mappings")
        return sources

    def _error(self, event: Any, message: str) -> ComposeError:
        mark = _mark(event)
        return ComposeError(f"{self._name}:{mark.line}:{mark.column}: {message}")


def _tag(event: Any) -> str:
    tag = str(event.tag or event.ctag or "")
    return "" if tag.endswith("None") else tag


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
