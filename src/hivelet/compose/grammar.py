"""The words in which the tables of a compose file's keys are written: rules, and keys with what becomes of them. Pure.

A rule says which values are right; `Key.fate` what hivelet does with the key. Fates: *honoured*; *differs* (honoured, with
the difference that the note names); *daemon* (honoured by hivelet's daemon; a Docker engine's services do not have it, which
is said where the stack is deployed there); *kept* (taken along, nothing follows from it yet); *ignored* (the stack works
without it, and a warning names it); *refused* (the file means something else without it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind = Literal["string", "integer", "number", "boolean", "null"]
Check = Literal[
    "",
    "duration",
    "size",
    "cpus",
    "port",
    "published",
    "command",
    "volume",
    "device",
    "mode",
    "platform",
    "path",
    "name",
    "swap",
]
Fate = Literal["honoured", "differs", "daemon", "kept", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value of one of `kinds`. `check` names what a string must look like; `minimum` and `maximum` bound numbers."""

    kinds: tuple[Kind, ...]
    check: Check = ""
    minimum: int | None = None
    maximum: int | None = None
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
    """A known key. `note` says what differs, or why it has no effect and what to use instead."""

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
MODE = Scalar(("integer", "string"), check="mode")
PATH = Scalar(("string",), check="path")
STRINGS = ListOf(STRING)
STRING_OR_LIST = OneOf((STRING, STRINGS))
TEXT_VALUE = Scalar(("string", "number", "boolean", "null"))
LIST_OR_MAP = OneOf((MapOf(TEXT_VALUE), STRINGS))
OPTIONS = MapOf(Scalar(("string", "number")))
COMMAND = OneOf((Scalar(("string", "null"), check="command"), ListOf(STRING, unique=False)))


def choice(*choices: str) -> Scalar:
    """A string that is one of these."""
    return Scalar(("string",), choices=choices)


def honoured(**rules: Rule) -> dict[str, Key]:
    """Keys that have an effect."""
    return {name: Key(rule) for name, rule in rules.items()}


def differs(rule: Rule, note: str) -> Key:
    """A key that has an effect, other than Docker's in what `note` says."""
    return Key(rule, "differs", note)


def daemon(rule: Rule, note: str = "") -> Key:
    """A key that hivelet's daemon honours and a Docker engine does not have for services."""
    return Key(rule, "daemon", note)


def kept(rule: Rule, note: str) -> Key:
    """A key that travels along; a Docker engine heeds it, and with hivelet's daemon nothing follows from it."""
    return Key(rule, "kept", note)


def ignored(rule: Rule, note: str) -> Key:
    """A key that is read and has no effect."""
    return Key(rule, "ignored", note)


def refused(note: str, rule: Rule = ANYTHING) -> Key:
    """A key without which the file means something else."""
    return Key(rule, "refused", note)
