"""From file names to a loaded stack: which files and variables, the project they make, what of it is left out or not honoured.

The edge of this package: it reads files and nothing else. Problems of one file are told together; no part of a stack is
returned unless all of it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from hivelet.compose.document import ComposeError, Document, Problem
from hivelet.compose.files import read_bytes
from hivelet.compose.long_forms import Json
from hivelet.compose.model import StackFile
from hivelet.compose.names import parse_stack_name
from hivelet.compose.normalise import profile_path
from hivelet.compose.project import ProjectReader
from hivelet.compose.references import find_reference_problems, find_unknown_dependencies
from hivelet.compose.selection import (
    leave_out,
    project_directory,
    read_variables,
    split_profiles,
    unknown_profiles,
)
from hivelet.compose.surroundings import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStack:
    """A stack as its files have it: typed, in long form for printing, the bytes of its secrets and configs.

    `warnings` tell what has no effect, `notes` what was chosen (the `.env` file, services left out by their profiles),
    `daemon_only` what a Docker engine would not honour and hivelet's daemon does, `engine_only` the reverse.
    """

    file: StackFile
    long_form: Json
    contents: Mapping[tuple[str, str], bytes]
    """By section ("secrets", "configs") and name; only what the stack itself creates."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    daemon_only: tuple[str, ...] = ()
    engine_only: tuple[str, ...] = ()
    name: str = ""
    """What the files or COMPOSE_PROJECT_NAME call the stack; "" where neither does."""
    directory: str = ""
    """Where relative paths start, those of `build` too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How files are read."""

    stack: str = ""
    """The name of the stack, which the files see as COMPOSE_PROJECT_NAME."""
    env_files: Sequence[str] = ()
    """`.env` files to read instead of the one beside the first file."""
    profiles: Sequence[str] = ()
    """The active profiles; without any, those of COMPOSE_PROFILES."""
    skip_interpolation: bool = False
    """Leave variables as they are."""
    with_contents: bool = True
    """Read the files of secrets and configs."""
    builds: bool = False
    """Images are built by the caller, so a service with `build` needs no `image`."""


DEFAULTS = LoadOptions()


def load_stack(
    names: Sequence[str], environment: Mapping[str, str], options: LoadOptions = DEFAULTS
) -> LoadedStack:
    """The stack that the files `names` describe, later ones laid over earlier ones.

    Args:
        names: the files; `-` is the standard input.
        environment: the caller's variables; they win over those of `.env` files.
        options: see there.

    Raises:
        ComposeError: a file cannot be read or is not right.
    """
    if not names:
        raise ComposeError("no compose file is given; name one with -c docker-compose.yml")
    directory = project_directory(names[0])
    variables, used = read_variables(directory, options.env_files, environment)
    name = options.stack or variables.get("COMPOSE_PROJECT_NAME", "")
    if name:
        variables = {**variables, "COMPOSE_PROJECT_NAME": name}
    reader = ProjectReader(
        exported=environment, skip_interpolation=options.skip_interpolation, env_files=list(used)
    )
    around = Surroundings(directory=directory, environment=variables, exported=environment)
    shown = [(each, "<stdin>" if each == "-" else each) for each in names]
    long_form = reader.read(shown, around)
    if not long_form["services"]:
        hint = "declare one under `services`"
        problem = Problem(path=(), message="there is no service in this file", hint=hint)
        raise ComposeError(reader.origins.describe(problem))
    unmatched = unknown_profiles(long_form, options.profiles)
    inactive = split_profiles(long_form, options.profiles, variables)
    long_form = leave_out(long_form, inactive)
    file = msgspec.convert(long_form, StackFile)
    if options.with_contents:
        file = _with_profiles(file, around)
    problems = find_reference_problems(file, builds=options.builds)
    if problems:
        raise ComposeError("\n".join(reader.origins.describe(problem) for problem in problems))
    unknown = find_unknown_dependencies(file, inactive)
    return LoadedStack(
        file=file,
        long_form=long_form,
        contents=_read_contents(file, variables) if options.with_contents else {},
        warnings=(
            *reader.warnings,
            *_told(reader.ignored, inactive, "not honoured"),
            *(reader.origins.describe(problem) for problem in unknown),
            *unmatched,
        ),
        notes=_notes(reader.env_files, inactive),
        daemon_only=tuple(
            _told(reader.by_daemon, inactive, "not honoured by a Docker engine's services")
        ),
        engine_only=tuple(_told(reader.kept, inactive, "not honoured by hivelet's daemon")),
        name=_stack_name(name or long_form.get("name", "")),
        directory=directory,
    )


def _stack_name(name: str) -> str:
    try:
        return parse_stack_name(name) if name else ""
    except ValueError as error:
        raise ComposeError(str(error)) from error


def _notes(env_files: Iterable[str], inactive: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    notes = [f"variables are read from {name}" for name in dict.fromkeys(env_files)]
    if inactive:
        names = ", ".join(f"{name} ({', '.join(own)})" for name, own in sorted(inactive.items()))
        first = next(iter(sorted(inactive.items())))[1][0]
        notes.append(
            f"left out, as no profile of theirs is active: {names}; bring one in with --profile {first}"
        )
    return tuple(notes)


def _told(
    found: Iterable[tuple[Document, Sequence[Problem]]], inactive: Mapping[str, object], what: str
) -> list[str]:
    lines: dict[str, None] = {}
    for document, problems in found:
        kept = [
            problem
            for problem in problems
            if not (problem.path[0] == "services" and problem.path[1] in inactive)
        ]
        lines.update(dict.fromkeys(describe_keys(document, kept, what)))
    return list(lines)


def describe_keys(
    document: Document, problems: Sequence[Problem], what: str = "not honoured"
) -> list[str]:
    """One line for each service (or other object) with keys of one fate."""
    groups: dict[tuple[Any, ...], list[Problem]] = {}
    for problem in problems:
        groups.setdefault(
            problem.path[:2] if len(problem.path) > 2 else problem.path[:1], []
        ).append(problem)
    lines: list[str] = []
    for place, members in groups.items():
        first = document.locate(members[0].path)
        owner = f"{str(place[0]).removesuffix('s')} {place[1]}: " if len(place) > 1 else ""
        keys = dict.fromkeys(
            f"{_key_name(problem.path)}{f' ({problem.hint})' if problem.hint else ''}"
            for problem in members
        )
        lines.append(f"{document.name}:{first.line}: {owner}{what}: {', '.join(keys)}")
    return lines


def _key_name(path: tuple[Any, ...]) -> str:
    inner = path[2:] if len(path) > 2 else path
    return ".".join(str(step) for step in inner if isinstance(step, str))


def _with_profiles(file: StackFile, around: Surroundings) -> StackFile:
    """The stack with the content of seccomp profiles in the place of their paths, as a daemon takes them."""

    def content(option: str) -> str:
        path = profile_path(option)
        if not path:
            return option
        raw = read_bytes(Path(around.absolute(path)), "seccomp profile")
        return f"seccomp={raw.decode(errors='replace')}"

    services = {
        name: replace(service, security_opt=[content(option) for option in service.security_opt])
        for name, service in file.services.items()
    }
    return replace(file, services=services)


def _read_contents(file: StackFile, environment: Mapping[str, str]) -> dict[tuple[str, str], bytes]:
    contents: dict[tuple[str, str], bytes] = {}
    for section, entries in (("secrets", file.secrets), ("configs", file.configs)):
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
