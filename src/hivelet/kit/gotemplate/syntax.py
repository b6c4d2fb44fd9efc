"""The parts of a parsed template: an expression is evaluated to a value, a node is rendered to text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class Fields:
    """`.A.B`, `$x.A`, `(…).A`: fields of the dot (base None), of a variable (its name), or of what an expression gives."""

    base: Expression | str | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """An operand with its arguments."""

    first: Expression
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands whose value goes to the next one as its last argument; variables that take the last value."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = False


Expression: TypeAlias = Literal | Fields | Function | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """What stands between the actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Print:
    """`{{pipeline}}`; one that sets a variable prints nothing."""

    pipeline: Pipeline


@dataclass(slots=True)
class Block:
    """`if`, `with`, `range`."""

    kind: str
    pipeline: Pipeline
    body: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Call:
    """`{{template "name" pipeline}}`."""

    name: str
    pipeline: Pipeline | None


Node: TypeAlias = Text | Print | Block | Jump | Call
