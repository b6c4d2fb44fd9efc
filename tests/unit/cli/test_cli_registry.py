"""Registry credentials as docker keeps them: in the file, in a store for all, in a helper for one registry."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hivelet.cli.registry import registry_auth, registry_of
from hivelet.errors import HiveletError

HUB = "https://index.docker.io/v1/"


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def found(home: Path, config: dict[str, Any], image: str) -> Any:
    """What is sent for an image; None where nothing is."""
    (home / "config.json").write_text(json.dumps(config))
    header = registry_auth({"DOCKER_CONFIG": str(home), "PATH": f"{home}:/usr/bin:/bin"}, image)
    return json.loads(base64.urlsafe_b64decode(header)) if header else None


def helper(home: Path, name: str, script: str) -> None:
    program = home / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("web", HUB),
        ("team/web:1", HUB),
        ("docker.io/team/web", HUB),
        ("localhost/web", "localhost"),
        ("registry.example:5000/web", "registry.example:5000"),
    ],
)
def test_which_registry_an_image_is_of(image: str, server: str) -> None:
    assert registry_of(image) == server


@pytest.mark.parametrize("key", ["r.example:5", "https://r.example:5", "https://r.example:5/v2/"])
def test_the_file_has_them_under_any_form_of_the_name(tmp_path: Path, key: str) -> None:
    config = {"auths": {key: auth("me", "pass:word"), HUB: auth("hub", "p")}}
    assert found(tmp_path, config, "r.example:5/web") == {
        "username": "me",
        "password": "pass:word",
        "serveraddress": "r.example:5",
    }
    assert found(tmp_path, config, "web")["username"] == "hub"
    assert found(tmp_path, config, "elsewhere.example/web") is None
    assert registry_auth({"DOCKER_CONFIG": str(tmp_path / "none")}, "web") == ""


def test_an_identity_token_is_sent_in_place_of_a_password(tmp_path: Path) -> None:
    config = {"auths": {"r.example": {"auth": "", "identitytoken": "token"}}}
    assert found(tmp_path, config, "r.example/web") == {
        "identitytoken": "token",
        "serveraddress": "r.example",
    }


def test_helpers_are_asked(tmp_path: Path) -> None:
    answer = '{"ServerURL":"x","Username":"%s","Secret":"s3cret"}'
    helper(
        tmp_path,
        "all",
        f"read server; echo \"$1 $server\" >> {tmp_path}/asked; echo '{answer % 'me'}'",
    )
    helper(tmp_path, "one", f"cat > /dev/null; echo '{answer % '<token>'}'")
    config = {"credsStore": "all", "credHelpers": {"r.example": "one"}, "auths": {HUB: {}}}
    assert found(tmp_path, config, "web") == {
        "username": "me",
        "password": "s3cret",
        "serveraddress": HUB,
    }
    assert (tmp_path / "asked").read_text() == f"get {HUB}\n"
    assert found(tmp_path, config, "r.example/web") == {
        "identitytoken": "s3cret",
        "serveraddress": "r.example",
    }


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "docker-credential-x is named in Docker's config.json and is not on the PATH"),
        ("echo locked >&2; exit 1", "docker-credential-x failed with code 1: locked"),
        ("echo nonsense", "docker-credential-x answered something else than credentials"),
    ],
)
def test_a_helper_that_fails_is_told(tmp_path: Path, script: str | None, message: str) -> None:
    if script is not None:
        helper(tmp_path, "x", f"cat > /dev/null; {script}")
    with pytest.raises(HiveletError, match=message):
        found(tmp_path, {"credsStore": "x"}, "web")


def test_a_helper_that_has_nothing_is_no_failure(tmp_path: Path) -> None:
    helper(
        tmp_path, "x", 'cat > /dev/null; echo "credentials not found in native keychain"; exit 1'
    )
    assert found(tmp_path, {"credsStore": "x"}, "web") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 3}'])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(HiveletError, match=r"config\.json cannot be read"):
        registry_auth({"DOCKER_CONFIG": str(tmp_path)}, "web")
