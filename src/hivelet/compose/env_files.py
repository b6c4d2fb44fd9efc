"""`env_file`: lines of `NAME=value` as the docker CLI reads them. Pure.

A line is taken as it stands after the `=`: no quotes, no variables. `NAME` alone takes the value of the caller's environment.
"""

from __future__ import annotations

from collections.abc import Mapping

RAW = "raw"
"""The format of an env file whose lines are taken as they stand."""


def parse_env_file(text: str, name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a file, in its order; a name without value that the environment does not have is left out.

    Raises:
        ValueError: a line has no name, or blanks in it.
    """
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = raw.lstrip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not key:
            raise ValueError(f"{name}:{number}: there is no name before the `=`")
        if any(character.isspace() for character in key):
            raise ValueError(f'{name}:{number}: the name "{key}" has blanks in it')
        if equals:
            variables[key] = value
        elif key in environment:
            variables[key] = environment[key]
    return variables
