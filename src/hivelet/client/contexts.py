"""Docker's contexts: named addresses with their TLS files, as the docker CLI keeps them below `~/.docker`. Read only.

Which one is meant, as docker decides it: the one that is given; none where an address is given; DOCKER_CONTEXT; the one that
`docker context use` has set. The name `default` means no context at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivelet.errors import InvalidParameter, NotFound

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a context leads. `tls` is the directory of its TLS files, "" where it has none."""

    name: str
    host: str
    tls: str = ""
    skip_verify: bool = False


def docker_directory(environment: Mapping[str, str]) -> Path:
    """Where docker's own settings are."""
    return Path(environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker")


def read_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Docker's `config.json`; empty where there is none.

    Raises:
        InvalidParameter: it is there and cannot be read.
    """
    path = docker_directory(environment) / "config.json"
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidParameter(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InvalidParameter(f"{path} cannot be read: it holds no JSON object")
    return found


def chosen_context(given: str | None, host_given: bool, environment: Mapping[str, str]) -> str:
    """The name of the context that is meant; `default` where none is."""
    if given:
        return given
    if host_given or environment.get("HIVELET_HOST") or environment.get("DOCKER_HOST"):
        return DEFAULT
    named = environment.get("DOCKER_CONTEXT") or read_config(environment).get("currentContext")
    return str(named or DEFAULT)


def load_context(name: str, environment: Mapping[str, str]) -> Context:
    """The context called `name`.

    Raises:
        NotFound: there is none; the message names those that are there.
        InvalidParameter: it cannot be read, or leads nowhere.
    """
    from hashlib import sha256

    directory = docker_directory(environment) / "contexts"
    key = sha256(name.encode()).hexdigest()
    path = directory / "meta" / key / "meta.json"
    try:
        endpoint = json.loads(path.read_text())["Endpoints"]["docker"]
        host, skip = str(endpoint.get("Host") or ""), bool(endpoint.get("SkipTLSVerify"))
    except FileNotFoundError as error:
        known = ", ".join(context_names(environment))
        raise NotFound(
            f'there is no context "{name}"; known are {known}. '
            f"`docker context create {name} --docker host=ssh://HOST` makes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidParameter(f'the context "{name}" cannot be read: {path}: {error}') from error
    if not host:
        raise InvalidParameter(f'the context "{name}" names no host: {path}')
    tls = directory / "tls" / key / "docker"
    return Context(name=name, host=host, tls=str(tls) if tls.is_dir() else "", skip_verify=skip)


def context_names(environment: Mapping[str, str]) -> list[str]:
    """All contexts that are there, `default` first; one that cannot be read is left out."""
    found = []
    for path in (docker_directory(environment) / "contexts" / "meta").glob("*/meta.json"):
        try:
            found.append(str(json.loads(path.read_text())["Name"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return [DEFAULT, *sorted(found)]
