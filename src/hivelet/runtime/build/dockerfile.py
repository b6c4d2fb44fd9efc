"""Reads a Dockerfile: its instructions and its stages, as far as somebody must know them who does not build. Pure.

What the instructions do is buildah's affair. Here is decided what is no Dockerfile at all, in Docker's words. Whoever wrote
it, reading it takes time and memory in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json
from hivelet.runtime.build.words import LIMIT, expand

_KNOWN = {
    "add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label", "maintainer", "onbuild",
    "run", "shell", "stopsignal", "user", "volume", "workdir",
}  # fmt: skip
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)", re.DOTALL)
_MOUNT = "--mount="
_FLAG = re.compile(r"--[a-z-]+(?:=\S*)?\s+")
_PLATFORM_ARGUMENTS = {
    f"{prefix}{name}"
    for prefix in ("BUILD", "TARGET")
    for name in ("PLATFORM", "OS", "ARCH", "VARIANT")
}
"""Arguments that every `FROM` knows without an `ARG`."""
_TWO = "requires at least two arguments, but only one was provided. Destination could not be determined"
_WANTS = {
    "FROM": "requires either one or three arguments",
    "CMD": "",
    "ENTRYPOINT": "",
    "COPY": _TWO,
    "ADD": _TWO,
}
_SHELL = ("/bin/sh", "-c")
_MOST_INSTRUCTIONS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: the lines that it begins and ends on, its name in capitals, and what follows, on one line."""

    line: int
    end: int
    name: str
    value: str

    @property
    def text(self) -> str:
        """As Docker shows it: `RUN echo a`."""
        return f"{self.name} {self.value}".strip()

    @property
    def flags(self) -> str:
        """The flags before the arguments: `--from=base --chown=1:1 `."""
        match = re.match(rf"(?:{_FLAG.pattern})*", self.value)
        return match[0] if match else ""

    @property
    def arguments(self) -> str:
        """What comes after the flags."""
        return self.value[len(self.flags) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A `FROM` and what follows it. `base` has its variables replaced; `steps` begin with the FROM itself."""

    name: str
    base: str
    platform: str
    steps: tuple[Instruction, ...]

    def sources(self) -> list[str]:
        """What else it takes files from: stages by name or number, and images."""
        found = []
        for step in self.steps:
            if step.name in {"COPY", "ADD"}:
                found += re.findall(r"--from=(\S+)", step.flags)
            elif step.name == "RUN":
                found += _mounted_from(step.flags)
        return found

    def shell_of(self, step: Instruction) -> tuple[str, ...]:
        """The shell that runs a `RUN` of this stage, as far as the Dockerfile says."""
        shell: tuple[str, ...] = _SHELL
        for earlier in self.steps:
            if earlier is step:
                break
            if earlier.name == "SHELL" and (words := json_words(earlier.value)):
                shell = tuple(words)
        return shell


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A whole Dockerfile: the `ARG`s before its first stage, and its stages."""

    arguments: tuple[Instruction, ...] = ()
    stages: tuple[Stage, ...] = field(default=())


def parse_dockerfile(
    text: str, build_args: Mapping[str, str], name: str = "Dockerfile"
) -> Dockerfile:
    """Read a Dockerfile; `build_args` count in its `FROM`s where an `ARG` before them names them.

    Raises:
        InvalidParameter: it is none, in Docker's words.
    """
    escape = _escape_of(text)
    instructions = _read_instructions(text, escape)
    if not instructions:
        empty = not text.strip()
        raise InvalidParameter(
            f"the Dockerfile ({name}) cannot be empty"
            if empty
            else "failed to parse Dockerfile: file with no instructions"
        )
    words = _Words(build_args, escape)
    arguments: list[Instruction] = []
    groups: list[list[Instruction]] = []
    for step in instructions:
        _check(step)
        if step.name == "FROM":
            groups.append([step])
        elif groups:
            groups[-1].append(step)
        elif step.name == "ARG":
            arguments.append(step)
            words.declare(step)
        else:
            raise InvalidParameter("no build stage in current context")
    if not groups:
        raise InvalidParameter("no build stage in current context")
    stages = tuple(_stage(group, words) for group in groups)
    return Dockerfile(arguments=tuple(arguments), stages=stages)


def dockerfile_lines(text: str) -> list[str]:
    """Its lines: only a line feed ends one, as in Docker; what else breaks lines in other texts may stand in an instruction."""
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]


class _Words:
    """What the `ARG`s before the first stage mean, and what `FROM`s make of it: all together no more than `LIMIT` characters."""

    def __init__(self, given: Mapping[str, str], escape: str) -> None:
        self._given = given
        self._escape = escape
        self._values = {name: text for name, text in given.items() if name in _PLATFORM_ARGUMENTS}
        self._room = LIMIT

    def declare(self, step: Instruction) -> None:
        """Note the names of an `ARG`."""
        for word in _split_words(step.value):
            name, equals, default = word.partition("=")
            if name in self._given:
                self._values[name] = self._given[name]
            elif equals:
                self._values[name] = self.expand(default)

    def expand(self, text: str) -> str:
        """`text` with what they mean."""
        expanded = expand(text, self._values, escape=self._escape, limit=self._room)
        self._room = max(0, self._room - len(expanded))
        return expanded


def json_words(text: str) -> list[str] | None:
    """The words of the exec form, `["a", "b"]`; None where it is the shell form."""
    if not text.startswith("["):
        return None
    try:
        words = decode_json(text)
    except msgspec.DecodeError:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    return words


def _check(step: Instruction) -> None:
    if step.name.lower() not in _KNOWN:
        raise InvalidParameter(
            f"dockerfile parse error line {step.line}: unknown instruction: {step.name}"
        )
    wants = _WANTS.get(step.name, "requires at least one argument")
    if not step.value and wants:
        raise InvalidParameter(f"dockerfile parse error line {step.line}: {step.name} {wants}")


def _stage(group: list[Instruction], words: _Words) -> Stage:
    said = group[0].arguments.split()
    if len(said) not in (1, 3) or (len(said) == 3 and said[1].lower() != "as"):
        raise InvalidParameter(
            f"dockerfile parse error line {group[0].line}: FROM requires either one or three arguments"
        )
    base = words.expand(said[0])
    if not base:
        raise InvalidParameter(f"base name ({said[0]}) should not be blank")
    platform = re.search(r"--platform=(\S+)", group[0].flags)
    return Stage(
        name=said[2].lower() if len(said) == 3 else "",
        base=base,
        platform=words.expand(platform[1]) if platform else "",
        steps=tuple(group),
    )


def _mounted_from(flags: str) -> list[str]:
    """What `--mount=type=bind,from=base,…` of these flags take from."""
    mounts = [word.removeprefix(_MOUNT) for word in flags.split() if word.startswith(_MOUNT)]
    fields = [field.partition("=") for mount in mounts for field in mount.split(",")]
    return [value for key, _, value in fields if key == "from" and value]


def _split_words(text: str) -> list[str]:
    return re.findall(r"""(?:[^\s"']++|"[^"]*+"|'[^']*+')++""", text)


def _escape_of(text: str) -> str:
    """What continues a line: a backslash, unless a directive at the top says otherwise."""
    for line in dockerfile_lines(text):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            return "\\"
        if found[1].lower() == "escape":
            if found[2] not in {"\\", "`"}:
                raise InvalidParameter(f"invalid ESCAPE '{found[2]}'. Must be ` or \\")
            return found[2]
    return "\\"


def _read_instructions(text: str, escape: str) -> list[Instruction]:
    found: list[Instruction] = []
    pending, began = "", 0
    for number, line in enumerate(dockerfile_lines(text), 1):
        stripped = line.strip()
        if stripped.startswith("#") or (pending and not stripped):
            continue  # also in the middle of an instruction
        if not pending:
            began, line = number, line.lstrip()
        body = line.rstrip()
        if body.endswith(escape):
            pending += body[: -len(escape)]
            continue
        found += _instruction(pending + line, began, number)
        pending = ""
        if len(found) > _MOST_INSTRUCTIONS:
            raise InvalidParameter(
                f"dockerfile parse error line {number}: more than {_MOST_INSTRUCTIONS} instructions"
            )
    return found + _instruction(pending, began, text.count("\n") + 1)


def _instruction(text: str, line: int, end: int) -> list[Instruction]:
    words = text.strip().split(None, 1)
    if not words:
        return []
    value = words[1].strip() if len(words) == 2 else ""
    return [Instruction(line=line, end=end, name=words[0].upper(), value=value)]
