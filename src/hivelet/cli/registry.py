"""Registry credentials from Docker's own `config.json`, in the form of the API's `X-Registry-Auth` header."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hivelet.client.contexts import docker_directory, read_config
from hivelet.errors import InvalidParameter

HUB = "https://index.docker.io/v1/"
"""How Docker Hub is called where credentials are kept."""


def registry_auth(environment: Mapping[str, str], image: str) -> str:
    """The header for the registry that `image` comes from; "" where no credentials are stored.

    As docker: the registry's own helper (`credHelpers`), else the store for all (`credsStore`), else the file itself.

    Raises:
        HiveletError: the file is there and cannot be read, or a helper cannot say what it has.
    """
    config = read_config(environment)
    path = docker_directory(environment) / "config.json"
    server = registry_of(image)
    helper = helper_of(config, server)
    if helper:
        from hivelet.cli.credential_helper import ask_helper

        found = ask_helper(helper, server, environment)
        return encode_fields(found) if found is not None else ""
    auths = config.get("auths") or {}
    if not isinstance(auths, dict):
        raise InvalidParameter(f'{path} cannot be read: "auths" is no object')
    entry = next((auths[key] for key in auths if _same_server(key, server)), None) or {}
    return encode_auth(entry, server, path)


def registry_config(environment: Mapping[str, str]) -> str:
    """The header with the credentials for all registries that any are stored for; "" where there are none."""
    config = read_config(environment)
    servers = [*(config.get("auths") or {}), *(config.get("credHelpers") or {})]
    found = {}
    for server in servers:
        host = _host(server)
        header = registry_auth(environment, "x" if server == HUB else f"{host}/x")
        if header:
            found[HUB if server == HUB else host] = json.loads(base64.urlsafe_b64decode(header))
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode() if found else ""


def helper_of(config: Mapping[str, Any], server: str) -> str:
    """The credential helper for a registry: its own, else the store for all; "" where the file itself keeps them."""
    return str((config.get("credHelpers") or {}).get(server) or config.get("credsStore") or "")


def _same_server(key: str, server: str) -> bool:
    """Whether a key of the file means the registry; old files have whole addresses."""
    return key == server or _host(key) == _host(server)


def _host(server: str) -> str:
    return server.partition("://")[2].partition("/")[0] or server.partition("/")[0]


def registry_of(image: str) -> str:
    """The key under which credentials for an image are stored."""
    first, slash, _ = image.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return HUB if first in {"docker.io", "index.docker.io"} else first
    return HUB


def encode_auth(entry: Mapping[str, Any], server: str, path: Path) -> str:
    """Stored credentials as the header's value.

    Raises:
        InvalidParameter: they are not stored as `docker login` stores them.
    """
    if entry.get("identitytoken"):
        return encode_fields({"identitytoken": entry["identitytoken"], "serveraddress": server})
    if not entry.get("auth"):
        return ""
    try:
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidParameter(
            f"the credentials for {server} in {path} cannot be read: {error}"
        ) from error
    password = password.rstrip("\0")
    return encode_fields({"username": user, "password": password, "serveraddress": server})


def encode_fields(fields: Mapping[str, str]) -> str:
    """The header's value."""
    return base64.urlsafe_b64encode(json.dumps(dict(fields)).encode()).decode()
