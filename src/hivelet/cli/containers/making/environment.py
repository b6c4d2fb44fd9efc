"""Environment variables and labels, from the command line and from files, as docker reads them. Pure but for the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hivelet.errors import InvalidParameter


def environment_of(
    files: Iterable[str], given: Iterable[str], surroundings: Mapping[str, str]
) -> list[str]:
    """The entries of a container's environment, those of the command line last.

    A name alone takes the value of our own; where we have none, a file's is left out, and the command line's takes the
    image's variable away.

    Raises:
        InvalidParameter: a file cannot be read, or a name is none.
    """
    found: list[str] = []
    for path in files:
        for line in _lines(path):
            name, equals, _ = line.partition("=")
            _check_name(name, path)
            if equals:
                found.append(line)
            elif name in surroundings:
                found.append(f"{name}={surroundings[name]}")
    for entry in given:
        name, equals, _ = entry.partition("=")
        if not name:
            raise InvalidParameter(f'--env: "{entry}" has no name before its `=`')
        found.append(
            entry if equals or name not in surroundings else f"{name}={surroundings[name]}"
        )
    return found


def labels_of(files: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """Labels by name, those of the command line last.

    Raises:
        InvalidParameter: a file cannot be read, or a name is none.
    """
    lines = [line for path in files for line in _lines(path) if "=" in line]
    pairs = [entry.partition("=") for entry in (*lines, *given)]
    if any(not name for name, _, _ in pairs):
        raise InvalidParameter("--label: a label has no name before its `=`")
    return {name: value for name, _, value in pairs}


def _check_name(name: str, path: str) -> None:
    if not name:
        raise InvalidParameter(f"{path}: a line has no name before its `=`")
    if any(letter.isspace() for letter in name):
        raise InvalidParameter(f'{path}: variable "{name}" contains whitespaces')


def _lines(path: str) -> list[str]:
    """What a file says: no comments, no empty lines, nothing before the name."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{path} cannot be read: {error}") from error
    stripped = (line.lstrip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]
