"""From file names to a loaded stack: read, interpolate, validate, normalise, merge, and tell what has no effect.

The edge of this package: it reads files and nothing else. Problems of one file are told together; no part of a stack is
returned unless all of it is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from hivelet.compose.document import ComposeError, Data, Document, Problem
from hivelet.compose.files import read_bytes, read_document, read_env_file
from hivelet.compose.interpolate import interpolate
from hivelet.compose.merge import merge_files
from hivelet.compose.model import StackFile
from hivelet.compose.normalise import Json, Surroundings, env_file_paths, normalise_file
from hivelet.compose.references import find_reference_problems, find_unknown_dependencies
from hivelet.compose.validate import find_ignored, find_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStack:
    """A stack as its files have it: typed, in long form for printing, the bytes of its secrets and configs, warnings."""

    file: StackFile
    long_form: Json
    contents: Mapping[tuple[str, str], bytes]
    """By section ("secrets", "configs") and name; only what the stack itself creates."""
    warnings: tuple[str, ...] = ()


def load_stack(
    names: Sequence[str],
    environment: Mapping[str, str],
    *,
    skip_interpolation: bool = False,
    with_contents: bool = True,
) -> LoadedStack:
    """The stack that the files `names` describe, later ones laid over earlier ones.

    Raises:
        ComposeError: a file cannot be read or is not right.
    """
    if not names:
        raise ComposeError("no compose file is given; name one with -c docker-compose.yml")
    documents = [read_document(name) for name in names]
    directory = str(Path.cwd() if names[0] == "-" else Path(names[0]).absolute().parent)
    merged: Json | None = None
    warnings: list[str] = []
    for document in documents:
        data, told = _prepare(document, environment, skip_interpolation=skip_interpolation)
        warnings += told
        around = _surroundings(data, directory, environment)
        long_form = normalise_file(data, around)
        merged = long_form if merged is None else merge_files(merged, long_form)
    assert merged is not None
    stack = msgspec.convert(merged, StackFile)
    _check_references(documents, stack)
    warnings += _dependency_warnings(documents, stack)
    contents = _read_contents(stack, environment) if with_contents else {}
    return LoadedStack(file=stack, long_form=merged, contents=contents, warnings=tuple(warnings))


def _prepare(
    document: Document, environment: Mapping[str, str], *, skip_interpolation: bool
) -> tuple[Json, list[str]]:
    data: Data = document.root.plain()
    warnings: list[str] = []
    if not skip_interpolation:
        data, problems, unset = interpolate(data, environment)
        if problems:
            raise ComposeError.of(document, problems)
        warnings += [
            f"{document.name}: the variable {name} is not set; an empty string stands in for it"
            for name in sorted(unset)
        ]
    problems = find_problems(data)
    if problems:
        raise ComposeError.of(document, problems)
    return cast("Json", data), [*warnings, *describe_ignored(document, find_ignored(data))]


def describe_ignored(document: Document, problems: Sequence[Problem]) -> list[str]:
    """One line for each service (or other object) with keys that have no effect."""
    groups: dict[tuple[Any, ...], list[Problem]] = {}
    for problem in problems:
        groups.setdefault(
            problem.path[:2] if len(problem.path) > 2 else problem.path[:1], []
        ).append(problem)
    lines: list[str] = []
    for place, members in groups.items():
        first = document.locate(members[0].path)
        owner = f"{str(place[0]).removesuffix('s')} {place[1]}: " if len(place) > 1 else ""
        keys = [f"{_key_name(problem.path)} ({problem.hint})" for problem in members]
        lines.append(f"{document.name}:{first.line}: {owner}not honoured: {', '.join(keys)}")
    return lines


def _key_name(path: tuple[Any, ...]) -> str:
    inner = path[2:] if len(path) > 2 else path
    return ".".join(str(step) for step in inner if isinstance(step, str))


def _surroundings(data: Json, directory: str, environment: Mapping[str, str]) -> Surroundings:
    around = Surroundings(directory=directory, environment=environment)
    env_files: dict[str, Mapping[str, str]] = {}
    for service in (data.get("services") or {}).values():
        for path, required in env_file_paths(service, around):
            if path not in env_files and (required or Path(path).exists()):
                env_files[path] = read_env_file(path, environment)
    return Surroundings(directory=directory, environment=environment, env_files=env_files)


def _check_references(documents: Sequence[Document], stack: StackFile) -> None:
    problems = find_reference_problems(stack)
    if problems:
        raise ComposeError(
            "\n".join(_owner(documents, problem).describe(problem) for problem in problems)
        )


def _dependency_warnings(documents: Sequence[Document], stack: StackFile) -> list[str]:
    return [
        _owner(documents, problem).describe(problem) for problem in find_unknown_dependencies(stack)
    ]


def _owner(documents: Sequence[Document], problem: Problem) -> Document:
    """The file that holds the problem's key: of several files the last one that has it."""
    found, depth = documents[0], -1
    for document in documents:
        node, reached = document.root, 0
        for step in problem.path:
            if not (isinstance(node.value, dict) and step in node.value):
                break
            node, reached = node.value[str(step)], reached + 1
        if reached >= depth:
            found, depth = document, reached
    return found


def _read_contents(
    stack: StackFile, environment: Mapping[str, str]
) -> dict[tuple[str, str], bytes]:
    contents: dict[tuple[str, str], bytes] = {}
    for section, entries in (("secrets", stack.secrets), ("configs", stack.configs)):
        for name, entry in entries.items():
            if entry.external or entry.driver:
                continue
            if entry.file:
                contents[section, name] = read_bytes(
                    Path(entry.file), f"file of {section[:-1]} {name}"
                )
            elif entry.environment:
                if entry.environment not in environment:
                    raise ComposeError(
                        f"{section}.{name}: the environment variable {entry.environment} is not set; export it first"
                    )
                contents[section, name] = environment[entry.environment].encode()
            else:
                contents[section, name] = entry.content.encode()
    return contents
