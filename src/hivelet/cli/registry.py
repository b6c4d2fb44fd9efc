"""Registry credentials from Docker's own `config.json`, in the form of the API's `X-Registry-Auth` header."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hivelet.errors import InvalidParameter

_HUB = "https://index.docker.io/v1/"


def registry_auth(environment: Mapping[str, str], image: str) -> str:
    """The header for the registry that `image` comes from; "" where no credentials are stored.

    Raises:
        InvalidParameter: the file is there and cannot be read.
    """
    directory = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    path = Path(directory) / "config.json"
    try:
        auths = json.loads(path.read_text()).get("auths") or {}
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidParameter(f"{path} cannot be read: {error}") from error
    server = registry_of(image)
    entry = auths.get(server) or auths.get(f"https://{server}") or {}
    return encode_auth(entry, server, path)


def registry_of(image: str) -> str:
    """The key under which credentials for an image are stored."""
    first, slash, _ = image.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return _HUB if first in {"docker.io", "index.docker.io"} else first
    return _HUB


def encode_auth(entry: Mapping[str, Any], server: str, path: Path) -> str:
    """Stored credentials as the header's value.

    Raises:
        InvalidParameter: they are not stored as `docker login` stores them.
    """
    if not entry.get("auth"):
        return ""
    try:
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidParameter(
            f"the credentials for {server} in {path} cannot be read: {error}"
        ) from error
    fields = {"username": user, "password": password, "serveraddress": server}
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
