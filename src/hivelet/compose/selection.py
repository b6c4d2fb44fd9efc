"""Which files, variables and profiles a command works with, from its options and from the `COMPOSE_…` variables.

Reads `.env` files; decides nothing about what stands in a compose file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hivelet.compose.document import ComposeError
from hivelet.compose.files import read_env_file
from hivelet.compose.long_forms import Json
from hivelet.compose.references import suggest_name

DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""Where no file is named, the first of these in the working directory."""


def choose_files(given: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The compose files: those of the command line, those of COMPOSE_FILE, or the first default that exists.

    Raises:
        ComposeError: none is named, and none of the defaults is there.
    """
    if given:
        return list(given)
    named = environment.get("COMPOSE_FILE", "")
    if named:
        separator = environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [name for name in named.split(separator) if name]
    found = next((name for name in DEFAULT_FILES if Path(name).exists()), "")
    if not found:
        raise ComposeError(
            f"there is no {', '.join(DEFAULT_FILES[:-1])} or {DEFAULT_FILES[-1]} here; name a file with -c"
        )
    return [found]


def project_directory(name: str) -> str:
    """Where relative paths start: the directory of the first file, or the working directory for the standard input."""
    return str(Path.cwd() if name == "-" else Path(name).absolute().parent)


def read_variables(
    directory: str, env_files: Sequence[str], environment: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The variables for a project, and the `.env` files they come from; the caller's environment wins over all files.

    Without `env_files` those of COMPOSE_ENV_FILES count, then `.env` in `directory`, if it is there.

    Raises:
        ComposeError: a named file is not there, or one has a line that is no variable.
    """
    named = list(env_files) or [
        name for name in environment.get("COMPOSE_ENV_FILES", "").split(",") if name
    ]
    if not named and environment.get("COMPOSE_DISABLE_ENV_FILE", "").lower() not in {"1", "true"}:
        default = Path(directory) / ".env"
        named = [os.path.relpath(default)] if default.is_file() else []
    variables: dict[str, str] = {}
    for name in named:
        variables |= read_env_file(name, "", {**variables, **environment})
    return {**variables, **environment}, named


def split_profiles(
    long_form: Json, given: Iterable[str], environment: Mapping[str, str]
) -> dict[str, list[str]]:
    """Services that no active profile brings in, with their profiles; `*` makes all profiles active."""
    active = set(given) or {
        name.strip() for name in environment.get("COMPOSE_PROFILES", "").split(",") if name.strip()
    }
    if "*" in active:
        return {}
    return {
        name: service["profiles"]
        for name, service in long_form["services"].items()
        if service.get("profiles") and not active & set(service["profiles"])
    }


def unknown_profiles(long_form: Json, given: Iterable[str]) -> list[str]:
    """What is wrong with profiles that were asked for and that no service has."""
    services = long_form["services"].values()
    known = sorted({name for service in services for name in service.get("profiles") or ()})
    problems = []
    for name in given:
        if name != "*" and name not in known:
            message, hint = f'no service has the profile "{name}"', suggest_name(name, known)
            problems.append(f"{message}; {hint}" if hint else message)
    return problems


def leave_out(long_form: Json, services: Iterable[str]) -> Json:
    """The file without these services, and without the secrets and configs that only they use."""
    gone = set(services)
    result = {
        **long_form,
        "services": {
            name: service for name, service in long_form["services"].items() if name not in gone
        },
    }
    for section in ("secrets", "configs"):
        used = _used(result["services"].values(), section)
        unused = _used((long_form["services"][name] for name in gone), section) - used
        result[section] = {
            name: entry for name, entry in long_form[section].items() if name not in unused
        }
    return result


def _used(services: Iterable[Json], section: str) -> set[str]:
    return {use["source"] for service in services for use in service.get(section) or []}
