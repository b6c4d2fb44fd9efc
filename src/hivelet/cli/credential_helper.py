"""Docker's credential helpers: programs `docker-credential-NAME` that keep passwords in a keyring, or make them for a while."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

from hivelet.errors import InvalidParameter, Unavailable

_PATIENCE = 60.0
_NONE_STORED = "credentials not found"
_TOKEN = "<token>"  # noqa: S105 - the user's name that says so


def ask_helper(name: str, server: str, environment: Mapping[str, str]) -> dict[str, str] | None:
    """What a helper has for a registry, as the API takes it; None where it has nothing.

    Raises:
        InvalidParameter: there is no such program.
        Unavailable: it failed, or did not answer.
    """
    program = f"docker-credential-{name}"
    done = _run(program, "get", server, environment)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0:
        if _NONE_STORED in said:
            return None
        raise Unavailable(f"{program} failed with code {done.returncode}: {said}")
    try:
        found = json.loads(done.stdout)
        user, password = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{program} answered something else than credentials: {error}") from error
    if user == _TOKEN:
        return {"identitytoken": password, "serveraddress": server}
    return {"username": user, "password": password, "serveraddress": server}


def tell_helper(name: str, verb: str, text: str, environment: Mapping[str, str]) -> None:
    """Let a helper `store` credentials, or `erase` those of a registry.

    Raises:
        InvalidParameter: there is no such program.
        Unavailable: it failed, or did not answer.
    """
    program = f"docker-credential-{name}"
    done = _run(program, verb, text, environment)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise Unavailable(f"{program} failed with code {done.returncode}: {said}")


def _run(
    program: str, verb: str, text: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [program, verb],
            input=text,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env=dict(environment),
            check=False,
        )
    except FileNotFoundError as error:
        raise InvalidParameter(
            f"{program} is named in Docker's config.json and is not on the PATH; install it, or take it out of the file"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{program} did not answer within {_PATIENCE:g} s") from error
