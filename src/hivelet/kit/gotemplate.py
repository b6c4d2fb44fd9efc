"""The part of Go's templates that people use: with `--format`, and in services. Pure.

Fields (`{{.Name}}`, `{{.Spec.Mode}}`), pipes, `json`, `upper`, `lower`, `title`, `join`, `split`, `truncate`, `pad`, `len`, `index`,
`println`, `print`, `printf`, comparisons, `if`/`else if`/`else`, `range`, `with`, variables of `range`, comments and trim marks.
A field that the data does not have is an error, as in Docker, unless it is looked up in the user's own map.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.errors import InvalidParameter

_ACTION = re.compile(r"\{\{(- )?(.*?)( -)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)|(?P<field>\$?\w*(?:\.\w+)+|\.|\$\w*)"""
    r"""|(?P<word>\w+)|(?P<mark>:=|[|(),]))"""
)
_VERB = re.compile(r"%[-+# 0]*\d*(?:\.\d+)?[a-zA-Z%]")


class TemplateError(InvalidParameter):
    """A template that cannot be read, or asks for what is not there."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Print:
    pipeline: str


@dataclass(slots=True)
class _Block:
    kind: str
    pipeline: str
    body: list[Any] = field(default_factory=list)
    otherwise: list[Any] = field(default_factory=list)


class Template:
    """A parsed template."""

    def __init__(
        self, source: str, functions: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        self._nodes = _parse(source)
        self._functions = {**_FUNCTIONS, **(functions or {})}

    def render(self, data: Any) -> str:
        """The text for `data`.

        Raises:
            TemplateError: it asks for a field that `data` does not have, or calls what is not known.
        """
        return "".join(_render(self._nodes, _Scope(data, {"$": data}, self._functions)))


@dataclass(frozen=True, slots=True)
class _Scope:
    dot: Any
    variables: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]

    def within(self, dot: Any, **variables: Any) -> _Scope:
        """The scope inside a block."""
        return _Scope(dot, {**self.variables, **variables}, self.functions)


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Alternately text and action, trim marks applied."""
    position, trim = 0, False
    for action in _ACTION.finditer(source):
        text = source[position : action.start()]
        text = text.lstrip() if trim else text
        yield "text", text.rstrip() if action[1] else text
        yield "action", action[2].strip()
        position, trim = action.end(), bool(action[3])
    rest = source[position:]
    if "{{" in rest:
        raise TemplateError(f"the template ends inside {{{{: {source}")
    yield "text", rest.lstrip() if trim else rest


def _parse(source: str) -> list[Any]:
    root: list[Any] = []
    stack: list[tuple[_Block | None, list[Any]]] = [(None, root)]
    for kind, text in _pieces(source):
        target = stack[-1][1]
        word, _, rest = text.partition(" ")
        if kind == "text":
            if text:
                target.append(_Text(text))
        elif text.startswith("/*"):
            continue
        elif word in {"if", "range", "with"}:
            block = _Block(word, rest.strip())
            target.append(block)
            stack.append((block, block.body))
        elif word in {"else", "end"}:
            _close(stack, word, rest.strip(), source)
        else:
            target.append(_Print(text))
    if len(stack) > 1:
        raise TemplateError(f"an `end` is missing in the template: {source}")
    return root


def _close(stack: list[tuple[_Block | None, list[Any]]], word: str, rest: str, source: str) -> None:
    block, _ = stack.pop()
    if block is None:
        raise TemplateError(f"there is an `{word}` too many in the template: {source}")
    if word == "end":
        while block.kind == "elif":
            block, _ = stack.pop()
            assert block is not None
        return
    stack.append((block, block.otherwise))
    if rest.startswith("if "):
        inner = _Block("elif", rest[3:].strip())
        block.otherwise.append(inner)
        stack.append((inner, inner.body))


def _render(nodes: list[Any], scope: _Scope) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, _Text):
            yield node.text
        elif isinstance(node, _Print):
            yield go_text(_evaluate(node.pipeline, scope))
        elif node.kind == "range":
            yield from _render_range(node, scope)
        else:
            value = _evaluate(node.pipeline, scope)
            inner = scope.within(value) if node.kind == "with" else scope
            yield from _render(node.body, inner) if value else _render(node.otherwise, scope)


def _render_range(node: _Block, scope: _Scope) -> Iterator[str]:
    names, assigns, pipeline = node.pipeline.partition(":=")
    items = _evaluate(pipeline if assigns else node.pipeline, scope)
    pairs = sorted(items.items()) if isinstance(items, dict) else list(enumerate(items or []))
    if not pairs:
        yield from _render(node.otherwise, scope)
    keys = [name.strip() for name in names.split(",")] if assigns else []
    for key, value in pairs:
        given = dict(zip(keys, [key, value] if len(keys) == 2 else [value], strict=False))
        yield from _render(node.body, scope.within(value, **given))


def _evaluate(pipeline: str, scope: _Scope) -> Any:
    tokens = _tokenise(pipeline)
    value, rest = _pipeline(tokens, scope)
    if rest:
        raise TemplateError(f"this part of the template is not understood: {pipeline}")
    return value


def _tokenise(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise TemplateError(f"this part of the template is not understood: {text}")
        kind = match.lastgroup or ""
        if kind == "field" and match[0].startswith(".") and tokens[-1:] == [("mark", ")")]:
            kind, word = (
                "chain",
                match["field"],
            )  # `(index .Config 0).Subnet`: a field of what the brackets give
        else:
            word = match[kind]
        tokens.append((kind, word))
        position = match.end()
    return tokens


def _pipeline(tokens: list[tuple[str, str]], scope: _Scope) -> tuple[Any, list[tuple[str, str]]]:
    value, rest = _command(tokens, scope, [])
    while rest and rest[0] == ("mark", "|"):
        value, rest = _command(rest[1:], scope, [value])
    return value, rest


def _command(
    tokens: list[tuple[str, str]], scope: _Scope, piped: list[Any]
) -> tuple[Any, list[tuple[str, str]]]:
    if not tokens:
        raise TemplateError("a command is missing in the template")
    (kind, text), rest = tokens[0], tokens[1:]
    if kind == "word" and text not in {"true", "false", "nil"}:
        function = scope.functions.get(text)
        if function is None:
            raise TemplateError(f'the template calls "{text}", which is not known')
        arguments, rest = _arguments(rest, scope)
        return _call(text, function, [*arguments, *piped]), rest
    value, rest = _operand(tokens, scope)
    arguments, rest = _arguments(rest, scope)
    if callable(value):
        return value(*arguments, *piped), rest
    if arguments or piped:
        raise TemplateError(f'"{text}" in the template is not a function and takes nothing')
    return value, rest


def _arguments(
    tokens: list[tuple[str, str]], scope: _Scope
) -> tuple[list[Any], list[tuple[str, str]]]:
    values: list[Any] = []
    while tokens and not (tokens[0][0] == "mark" and tokens[0][1] in "|)"):
        value, tokens = _operand(tokens, scope)
        values.append(value)
    return values, tokens


def _operand(tokens: list[tuple[str, str]], scope: _Scope) -> tuple[Any, list[tuple[str, str]]]:
    (kind, text), rest = tokens[0], tokens[1:]
    if kind == "string":
        return (text[1:-1] if text[0] == "`" else json.loads(text)), rest
    if kind == "number":
        return (float(text) if "." in text else int(text)), rest
    if kind == "field":
        return _field(text, scope), rest
    if (kind, text) == ("mark", "("):
        value, rest = _pipeline(rest, scope)
        if not rest or rest[0] != ("mark", ")"):
            raise TemplateError("a closing bracket is missing in the template")
        rest = rest[1:]
        if rest and rest[0][0] == "chain":
            return _field(rest[0][1], scope.within(value)), rest[1:]
        return value, rest
    constants = {"true": True, "false": False, "nil": None}
    if text in constants:
        return constants[text], rest
    raise TemplateError(f'"{text}" stands where the template needs a value')


def _find_key(value: Mapping[str, Any], name: str) -> str | None:
    """The key that a name means: Docker's templates say `.ID` where its JSON says `Id`."""
    if name in value:
        return name
    return next((key for key in value if key.lower() == name.lower()), None)


def _field(text: str, scope: _Scope) -> Any:
    first, *names = text.split(".")
    if first and first not in scope.variables:
        raise TemplateError(f"the template knows no variable {first}")
    value = scope.variables[first] if first else scope.dot
    for name in names:
        if name == "":
            continue
        if isinstance(value, Mapping) and (key := _find_key(value, name)) is not None:
            value = value[key]
        elif isinstance(value, Mapping):
            hint = ", ".join(sorted(str(key) for key in value))
            raise TemplateError(f'there is no field "{name}" for the template; there are: {hint}')
        elif value is None:
            return None
        else:
            raise TemplateError(
                f'the template asks for the field "{name}" of something that has no fields'
            )
    return value


def _call(name: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    try:
        return function(*arguments)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise TemplateError(f"{name} in the template fails: {error}") from error


class ShownRow(dict[str, Any]):
    """A row of a list as a template sees it; as a whole it is JSON with `<`, `>` and `&` escaped, as in Docker."""


def go_json(value: Any) -> str:
    """JSON as Go writes it: compact."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, ShownRow):
        for character in "<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def go_text(value: Any) -> str:
    """A value as Go prints it: `map[a:b]`, `[x y]`, `<no value>`."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


def _printf(text: str, *values: Any) -> str:
    remaining = list(values)

    def fill(verb: re.Match[str]) -> str:
        if verb[0] == "%%":
            return "%"
        value = remaining.pop(0)
        kind = verb[0][-1]
        if kind == "q":
            return json.dumps(go_text(value))
        return (verb[0][:-1] + ("s" if kind == "v" else kind)) % (
            go_text(value) if kind in "vs" else value
        )

    return _VERB.sub(fill, text)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": go_json,
    "upper": lambda text: go_text(text).upper(),
    "lower": lambda text: go_text(text).lower(),
    "title": lambda text: go_text(text).title(),
    "join": lambda items, separator: separator.join(go_text(item) for item in items or []),
    "split": lambda text, separator: text.split(separator),
    "truncate": lambda text, length: go_text(text)[:length],
    "pad": lambda text, before, after: " " * before + go_text(text) + " " * after if text else text,
    "len": lambda value: len(value or ""),
    "index": _index,
    "print": lambda *values: "".join(go_text(value) for value in values),
    "println": lambda *values: " ".join(go_text(value) for value in values) + "\n",
    "printf": _printf,
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda first, second: first != second,
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "gt": lambda first, second: first > second,
    "ge": lambda first, second: first >= second,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
}
