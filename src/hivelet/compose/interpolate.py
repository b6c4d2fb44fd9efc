"""Variables in a compose file: `$NAME`, `${NAME}` and their forms with defaults and errors. Pure.

`${A:-x}` x where A is unset or empty, `${A-x}` where unset; `${A:?why}` and `${A?why}` fail; `${A:+x}` and `${A+x}` are x where
A has a value; `$$` is a dollar sign. What stands after the operator may hold variables itself. Keys are left as they are.
A value that changed becomes a number or a boolean where the key takes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hivelet.compose.document import Data, Path, Problem
from hivelet.compose.validate import cast_text, rule_at, scalar_kinds

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_DEPTH = 50
_OPERATOR = re.compile(r":?[-?+]")


class _Malformed(ValueError):
    """A template that cannot be read, or a required variable without a value."""


def interpolate(data: Data, variables: Mapping[str, str]) -> tuple[Data, list[Problem], set[str]]:
    """`data` with variables filled in, what went wrong, and which variables were used without having a value."""
    work = _Interpolation(data, variables)
    result = work.walk(data, ())
    return result, work.problems, work.unset


def substitute(text: str, variables: Mapping[str, str], unset: set[str] | None = None) -> str:
    """`text` with variables filled in.

    Raises:
        ValueError: the text is malformed, or a variable that it requires has no value.
    """
    pieces: list[str] = []
    position = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0:
            return "".join([*pieces, text[position:]])
        pieces.append(text[position:dollar])
        piece, position = _read_variable(text, dollar, variables, set() if unset is None else unset)
        pieces.append(piece)


def _read_variable(
    text: str, dollar: int, variables: Mapping[str, str], unset: set[str]
) -> tuple[str, int]:
    following = text[dollar + 1 : dollar + 2]
    if following == "$":
        return "$", dollar + 2
    braced = following == "{"
    name = _NAME.match(text, dollar + 1 + braced)
    if name is None:
        raise _Malformed(f'the "$" in "{text}" begins no variable; write "$$" for a dollar sign')
    if not braced:
        return _value(name[0], variables, unset), name.end()
    close = _closing_brace(text, name.end())
    inner = text[name.end() : close]
    if not inner:
        return _value(name[0], variables, unset), close + 1
    operator = _OPERATOR.match(inner)
    if operator is None:
        raise _Malformed(
            f'"{text[dollar : close + 1]}" is no form of a variable; write "$$" for a dollar sign'
        )
    return _apply(name[0], operator[0], inner[operator.end() :], variables, unset), close + 1


def _apply(
    name: str, operator: str, word: str, variables: Mapping[str, str], unset: set[str]
) -> str:
    value = variables.get(name)
    has_value = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("+"):
        return substitute(word, variables, unset) if has_value else ""
    if has_value:
        return value or ""
    if operator.endswith("-"):
        return substitute(word, variables, unset)
    reason = substitute(word, variables, unset)
    raise _Malformed(
        f"the variable {name} has no value{': ' + reason if reason else '; set it in the environment'}"
    )


def _closing_brace(text: str, position: int) -> int:
    depth = 1
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 1
            if depth > _DEPTH:
                raise _Malformed(f"variables are nested more than {_DEPTH} levels deep here")
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise _Malformed(f'the brace of a variable in "{text}" is never closed')


def _value(name: str, variables: Mapping[str, str], unset: set[str]) -> str:
    if name not in variables:
        unset.add(name)
    return variables.get(name, "")


class _Interpolation:
    def __init__(self, root: Data, variables: Mapping[str, str]) -> None:
        self._root = root
        self._variables = variables
        self.problems: list[Problem] = []
        self.unset: set[str] = set()

    def walk(self, data: Data, path: Path) -> Data:
        if isinstance(data, dict):
            return {key: self.walk(value, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.walk(item, (*path, index)) for index, item in enumerate(data)]
        if not isinstance(data, str) or "$" not in data:
            return data
        try:
            text = substitute(data, self._variables, self.unset)
            return _cast(text, scalar_kinds(rule_at(path, self._root)))
        except ValueError as error:
            self.problems.append(Problem(path=path, message=str(error)))
            return data


def _cast(text: str, kinds: tuple[str, ...]) -> Data:
    """`text` as a number or boolean where the key takes no string."""
    try:
        return cast_text(text, kinds)
    except ValueError as error:
        raise _Malformed(f'{error}, and its variables make it "{text}"') from error
