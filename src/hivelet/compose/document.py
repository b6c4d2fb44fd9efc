"""A YAML document whose every key and value remembers its place, and the errors that point to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hivelet.errors import InvalidParameter

Data: TypeAlias = "str | int | float | bool | list[Data] | dict[str, Data] | None"
"""What a compose file holds, once positions are left out."""

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys and list indexes from the top."""

_SHOWN = 20
"""Problems told at once; a file with more of them is wrong as a whole."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place; `keys` has the places of a mapping's keys. `size` counts it and all below it.

    `edit` is `!reset` or `!override` where the file says so of the value.
    """

    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    size: int = 1
    edit: str = ""

    def plain(self) -> Data:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong (or not honoured) in a file. `hint` is the way out."""

    path: Path
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A compose file: its name as the user gave it, and its content."""

    name: str
    root: Node

    def locate(self, path: Path) -> Mark:
        """The place of the key (or list item) at `path`; that of the nearest ancestor where it is not in the file.

        A name inside a list of names is found too, since a long form knows it as a key.
        """
        node, mark = self.root, self.root.mark
        for step in path:
            if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
                mark, node = node.keys[step], node.value[step]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                mark = node.mark
            elif isinstance(node.value, list) and isinstance(step, str):
                return next((item.mark for item in node.value if item.value == step), mark)
            else:
                break
        return mark

    def describe(self, problem: Problem) -> str:
        """One line: file, line, column, where, what, and the way out."""
        mark = self.locate(problem.path)
        where = render_path(problem.path)
        text = f"{self.name}:{mark.line}:{mark.column}: {where + ': ' if where else ''}{problem.message}"
        return f"{text}; {problem.hint}" if problem.hint else text


class ComposeError(InvalidParameter):
    """A compose file is not right. The message has a line for each problem, with its place."""

    @classmethod
    def of(cls, document: Document, problems: Sequence[Problem]) -> ComposeError:
        """The error that tells `problems` of `document`, in the order of the file."""
        ordered = sorted(problems, key=lambda problem: _place(document, problem))
        lines = [document.describe(problem) for problem in ordered[:_SHOWN]]
        if len(ordered) > _SHOWN:
            lines.append(f"{document.name}: and {len(ordered) - _SHOWN} more problems")
        return cls("\n".join(lines))


def render_path(path: Iterable[str | int]) -> str:
    """A path as people write it: `services.web.ports[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _place(document: Document, problem: Problem) -> tuple[int, int]:
    mark = document.locate(problem.path)
    return (mark.line, mark.column)
