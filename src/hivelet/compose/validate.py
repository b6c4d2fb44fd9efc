"""Holding a compose file against the tables of its keys. Pure.

`coerce` makes numbers and truth values of texts where nothing else can stand; `find_problems` tells everything that is wrong
with types, names and values; `find_keys` every key that is known and has a certain fate. What depends on several places at
once (a network that is not declared) is `references`'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from hivelet.compose.devices import parse_device
from hivelet.compose.document import Data, Path, Problem
from hivelet.compose.grammar import (
    Anything,
    Check,
    Fate,
    Fields,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Rule,
    Scalar,
)
from hivelet.compose.grammar_tables import FILE
from hivelet.compose.names import parse_stack_name
from hivelet.compose.platforms import parse_platform
from hivelet.compose.ports import parse_port, parse_published
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import parse_cpus, parse_mode, parse_size, parse_swap
from hivelet.compose.volumes import parse_volume
from hivelet.kit.durations import parse_duration

_NAME = re.compile(r"[a-zA-Z0-9._-]+\Z")
_VERSIONS = frozenset({"3", *(f"3.{minor}" for minor in range(14))})
_ARTICLES = {"integer": "an integer", "null": "empty"}
_BOOLEANS = dict.fromkeys(("y", "yes", "true", "on"), True) | dict.fromkeys(
    ("n", "no", "false", "off"), False
)


def _not_empty(text: str) -> None:
    if not text or "\0" in text:
        raise ValueError(f'"{text}" is not a path')


_CHECKS: Mapping[Check, Callable[[str], object]] = {
    "duration": parse_duration,
    "size": parse_size,
    "cpus": parse_cpus,
    "port": parse_port,
    "published": parse_published,
    "command": split_words,
    "volume": parse_volume,
    "device": parse_device,
    "mode": parse_mode,
    "platform": parse_platform,
    "path": _not_empty,
    "name": parse_stack_name,
    "swap": parse_swap,
}


def find_problems(data: Data, rule: Rule = FILE) -> list[Problem]:
    """Everything in a file that is not as `rule` has it, in no particular order."""
    problems = list(_check(data, rule, ()))
    if isinstance(data, dict) and rule is FILE:
        version = data.get("version")
        if isinstance(version, str) and version not in _VERSIONS:
            hint = "write version: '3.8', or leave the key out"
            problems.append(
                Problem(path=("version",), message=f'unsupported version "{version}"', hint=hint)
            )
    return problems


def find_keys(data: Data, fate: Fate, rule: Rule = FILE) -> list[Problem]:
    """Every key in a valid file that has this fate, with the note of the tables as the hint."""
    return list(_walk(data, rule, (), fate))


def coerce(data: Data, rule: Rule = FILE) -> Data:
    """`data` with texts as numbers or truth values where the rule takes no text and they are one: `"3"`, `yes`; and `3.0` as 3."""
    if isinstance(data, str):
        try:
            return cast_text(data, scalar_kinds(rule))
        except ValueError:
            return data
    if isinstance(data, float) and data.is_integer() and "number" not in scalar_kinds(rule):
        return int(data) if "integer" in scalar_kinds(rule) and abs(data) < 2**63 else data
    form = _form_for(data, rule)
    if isinstance(form, Fields) and isinstance(data, dict):
        return {
            name: coerce(value, form.keys[name].rule) if name in form.keys else value
            for name, value in data.items()
        }
    if isinstance(form, MapOf) and isinstance(data, dict):
        return {name: coerce(value, form.value) for name, value in data.items()}
    if isinstance(form, ListOf) and isinstance(data, list):
        return [coerce(item, form.item) for item in data]
    return data


def cast_text(text: str, kinds: tuple[str, ...]) -> Data:
    """`text` as a number or boolean where `kinds` has no string.

    Raises:
        ValueError: it is none, and must be one.
    """
    if not kinds or "string" in kinds:
        return text
    if "integer" in kinds and re.fullmatch(r"[-+]?\d{1,18}", text):
        return int(text)
    if "number" in kinds and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text):
        return float(text)
    if "boolean" in kinds and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if kinds == ("null",):
        return text
    raise ValueError("must be true or false" if "boolean" in kinds else "must be a number")


def rule_at(path: Path, data: Data, rule: Rule = FILE) -> Rule | None:
    """The rule for the scalar at `path`; None where the tables have none."""
    for step in path:
        form = _form_for(data, rule)
        if isinstance(form, Fields) and isinstance(step, str) and isinstance(data, dict):
            key = form.keys.get(step)
            if key is None:
                return None
            rule, data = key.rule, data[step]
        elif isinstance(form, MapOf) and isinstance(step, str) and isinstance(data, dict):
            rule, data = form.value, data[step]
        elif isinstance(form, ListOf) and isinstance(step, int) and isinstance(data, list):
            rule, data = form.item, data[step]
        else:
            return None
    return rule


def scalar_kinds(rule: Rule | None) -> tuple[str, ...]:
    """The kinds of single value that a rule takes."""
    if isinstance(rule, Scalar):
        return rule.kinds
    if isinstance(rule, OneOf):
        return tuple(kind for form in rule.forms for kind in scalar_kinds(form))
    return ()


def _check(data: Data, rule: Rule, path: Path) -> Iterator[Problem]:
    if isinstance(rule, OneOf):
        form = _form_for(data, rule)
        if form is None or isinstance(form, OneOf):
            yield _wrong_type(data, rule, path)
            return
        rule = form
    if isinstance(rule, Anything):
        return
    if isinstance(rule, Scalar):
        yield from _check_scalar(data, rule, path)
    elif isinstance(rule, ListOf):
        yield from _check_list(data, rule, path)
    elif isinstance(data, dict):
        checker = _check_fields if isinstance(rule, Fields) else _check_map
        yield from checker(data, rule, path)  # type: ignore[arg-type]
    else:
        yield _wrong_type(data, rule, path)


def _check_scalar(data: Data, rule: Scalar, path: Path) -> Iterator[Problem]:
    kind = _kind_of(data)
    if not any(_is_kind(data, wanted) for wanted in rule.kinds) or kind in {"a list", "a mapping"}:
        yield _wrong_type(data, rule, path)
        return
    if rule.choices and data not in rule.choices:
        hint = _closest(str(data), rule.choices)
        yield Problem(
            path=path, message=f'"{data}" is not one of {", ".join(rule.choices)}', hint=hint
        )
    if rule.minimum is not None and isinstance(data, int | float) and data < rule.minimum:
        yield Problem(path=path, message=f"must be {rule.minimum} or more, and is {data}")
    if rule.maximum is not None and isinstance(data, int | float) and data > rule.maximum:
        yield Problem(path=path, message=f"must be {rule.maximum} or less, and is {data}")
    check = _CHECKS.get(rule.check)
    if rule.check == "mode" and not isinstance(data, str):
        return  # YAML has read the octal digits already
    if check is not None and data is not None and not isinstance(data, bool):
        try:
            check(str(data))
        except ValueError as error:
            yield Problem(path=path, message=str(error))


def _check_list(data: Data, rule: ListOf, path: Path) -> Iterator[Problem]:
    if not isinstance(data, list):
        yield _wrong_type(data, rule, path)
        return
    for index, item in enumerate(data):
        yield from _check(item, rule.item, (*path, index))
        if rule.unique and item in data[:index]:
            yield Problem(path=(*path, index), message=f"{_shown(item)} stands in this list twice")


def _check_map(data: dict[str, Data], rule: MapOf, path: Path) -> Iterator[Problem]:
    for name, value in data.items():
        if rule.names and not _NAME.match(name):
            message = f'"{name}" is not a name: letters, digits, ".", "_" and "-" are allowed'
            yield Problem(path=(*path, name), message=message)
        yield from _check(value, rule.value, (*path, name))


def _check_fields(data: dict[str, Data], rule: Fields, path: Path) -> Iterator[Problem]:
    for name, value in data.items():
        if rule.extensions and name.startswith("x-"):
            continue
        key = rule.keys.get(name)
        if key is None:
            yield Problem(
                path=(*path, name), message=f'unknown key "{name}"', hint=_suggest(name, rule, path)
            )
        elif key.fate == "refused":
            yield Problem(path=(*path, name), message=f'"{name}" is not supported', hint=key.note)
        else:
            yield from _check(value, key.rule, (*path, name))
    for name in rule.required:
        if name not in data:
            yield Problem(path=path, message=f'the key "{name}" is missing')


def _suggest(name: str, rule: Fields, path: Path) -> str:
    """What the user may have meant: the same key one level down or at the top, else a similar one here."""
    for parent, key in rule.keys.items():
        forms = key.rule.forms if isinstance(key.rule, OneOf) else (key.rule,)
        if any(isinstance(form, Fields) and name in form.keys for form in forms):
            return f"it belongs under `{parent}`"
    if name in FILE.keys and path:
        return "it belongs at the top level of the file"
    return _closest(name, rule.keys)


def _closest(word: str, choices: Mapping[str, Key] | tuple[str, ...]) -> str:
    matches = get_close_matches(word.lower(), list(choices), n=1, cutoff=0.65)
    return f'did you mean "{matches[0]}"?' if matches else ""


def _walk(data: Data, rule: Rule, path: Path, fate: Fate) -> Iterator[Problem]:
    form = _form_for(data, rule)
    if isinstance(form, Fields) and isinstance(data, dict):
        for name, value in data.items():
            key = form.keys.get(name)
            if key is None:
                continue
            if key.fate == fate:
                yield Problem(path=(*path, name), message="", hint=key.note)
            else:
                yield from _walk(value, key.rule, (*path, name), fate)
    elif isinstance(form, MapOf) and isinstance(data, dict):
        for name, value in data.items():
            yield from _walk(value, form.value, (*path, name), fate)
    elif isinstance(form, ListOf) and isinstance(data, list):
        for index, item in enumerate(data):
            yield from _walk(item, form.item, (*path, index), fate)


def _form_for(data: Data, rule: Rule) -> Rule | None:
    """Of several forms the one with the shape of `data`."""
    if not isinstance(rule, OneOf):
        return rule
    for form in rule.forms:
        if isinstance(form, OneOf):
            inner = _form_for(data, form)
            if inner is not None:
                return inner
        elif (
            isinstance(form, Anything)
            or (isinstance(data, list) and isinstance(form, ListOf))
            or (isinstance(data, dict) and isinstance(form, MapOf | Fields))
            or (isinstance(form, Scalar) and any(_is_kind(data, kind) for kind in form.kinds))
        ):
            return form
    return None


def _is_kind(data: Data, kind: str) -> bool:
    if isinstance(data, bool):
        return kind == "boolean"
    if isinstance(data, int):
        return kind in {"integer", "number"}
    if isinstance(data, float):
        return kind == "number" or (kind == "integer" and data.is_integer() and abs(data) < 2**63)
    return (data is None and kind == "null") or (isinstance(data, str) and kind == "string")


def _kind_of(data: Data) -> str:
    if isinstance(data, bool):
        return "a boolean"
    if isinstance(data, dict):
        return "a mapping"
    if isinstance(data, list):
        return "a list"
    if data is None:
        return "empty"
    return {str: "a string", int: "an integer", float: "a number"}[type(data)]


def _expected(rule: Rule) -> list[str]:
    match rule:
        case Scalar():
            return [_ARTICLES.get(kind, f"a {kind}") for kind in rule.kinds]
        case ListOf():
            return ["a list"]
        case OneOf():
            return list(dict.fromkeys(word for form in rule.forms for word in _expected(form)))
        case _:
            return ["a mapping"]


def _wrong_type(data: Data, rule: Rule, path: Path) -> Problem:
    words = _expected(rule)
    wanted = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    takes_text = "a string" in words and "a boolean" not in words
    unquoted = isinstance(data, bool) or (isinstance(data, int | float) and words == ["a string"])
    hint = f'put it in quotes: "{_shown(data)}"' if takes_text and unquoted else ""
    return Problem(
        path=path, message=f"must be {wanted}, and is {_kind_of(data)}{_quoted(data)}", hint=hint
    )


def _quoted(data: Data) -> str:
    return "" if data is None or isinstance(data, list | dict) else f" ({_shown(data)})"


def _shown(data: Data) -> str:
    if isinstance(data, bool):
        return "true" if data else "false"
    return f'"{data}"' if isinstance(data, str) else str(data)
