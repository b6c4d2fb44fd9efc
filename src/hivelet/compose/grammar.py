"""The words in which the tables of a compose file's keys are written: rules, and keys with what becomes of them. Pure.

A rule says which values are right; `Key.fate` whether hivelet does what the key says. Fates: *honoured*; *ignored* (the
stack works without it, and a warning names it); *refused* (the file means something else without it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind = Literal["string", "integer", "number", "boolean", "null"]
Check = Literal["", "duration", "size", "cpus", "port", "published", "command", "volume"]
Fate = Literal["honoured", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value of one of `kinds`. `check` names what a string must look like; `minimum` bounds numbers."""

    kinds: tuple[Kind, ...]
    check: Check = ""
    minimum: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items all follow one rule."""

    item: Rule
    unique: bool = True


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping with keys of the user's choice. `names` restricts them to what Swarm takes as names."""

    value: Rule
    names: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with known keys. `extensions`: keys that begin with `x-` may hold anything."""

    keys: Mapping[str, Key]
    required: tuple[str, ...] = ()
    extensions: bool = True


@dataclass(frozen=True, slots=True)
class OneOf:
    """Several forms, told apart by their shape: scalar, list or mapping."""

    forms: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """Not looked into."""


Rule: TypeAlias = Scalar | ListOf | MapOf | Fields | OneOf | Anything


@dataclass(frozen=True, slots=True)
class Key:
    """A known key. `note` says why it is ignored or refused, and what to use instead."""

    rule: Rule
    fate: Fate = "honoured"
    note: str = field(default="")


ANYTHING = Anything()
STRING = Scalar(("string",))
INTEGER = Scalar(("integer",))
COUNT = Scalar(("integer",), minimum=0)
NUMBER = Scalar(("number",))
BOOLEAN = Scalar(("boolean",))
NULL = Scalar(("null",))
DURATION = Scalar(("string",), check="duration")
SIZE = Scalar(("integer", "string"), check="size")
STRINGS = ListOf(STRING)
STRING_OR_LIST = OneOf((STRING, STRINGS))
TEXT_VALUE = Scalar(("string", "number", "null"))
LIST_OR_MAP = OneOf((MapOf(TEXT_VALUE), STRINGS))
OPTIONS = MapOf(Scalar(("string", "number")))
COMMAND = OneOf((Scalar(("string", "null"), check="command"), ListOf(STRING, unique=False)))


def ignored(rule: Rule, note: str) -> Key:
    """A key that is read and has no effect."""
    return Key(rule, "ignored", note)


def refused(note: str) -> Key:
    """A key without which the file means something else."""
    return Key(ANYTHING, "refused", note)


def honoured(**rules: Rule) -> dict[str, Key]:
    """Keys that have an effect."""
    return {name: Key(rule) for name, rule in rules.items()}
