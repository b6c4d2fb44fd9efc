"""`login` and `logout`: what is asked of the daemon, and what is kept where docker keeps it."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.login import server_name
from hivelet.cli.registry import HUB, registry_auth

Run = Callable[..., Any]
SERVER = "registry.example.com"


@pytest.fixture
def environment(tmp_path: Path, daemon: FakeDaemon) -> dict[str, str]:
    """A home of its own, and a daemon that knows everybody."""
    daemon.answers["POST", "/auth"] = (200, {"Status": "Login Succeeded", "IdentityToken": ""})
    return {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}


def config(environment: dict[str, str]) -> Any:
    return json.loads((Path(environment["DOCKER_CONFIG"]) / "config.json").read_text())


def test_credentials_are_asked_about_and_kept(
    hivelet: Run, daemon: FakeDaemon, environment: dict[str, str]
) -> None:
    path = Path(environment["DOCKER_CONFIG"]) / "config.json"
    path.write_text(json.dumps({"currentContext": "kept", "auths": {"other": {"auth": "eDp5"}}}))
    done = hivelet("login", "-u", "jane", "-p", "secret", SERVER, environment=environment)
    assert (done.code, done.out) == (0, "Login Succeeded\n")
    assert "--password-stdin" in done.err
    assert "unencrypted" in done.err
    assert daemon.bodies("POST", "/auth") == [
        {"username": "jane", "password": "secret", "serveraddress": SERVER}
    ]
    assert config(environment)["currentContext"] == "kept"
    assert set(config(environment)["auths"]) == {"other", SERVER}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header = json.loads(base64.urlsafe_b64decode(registry_auth(environment, f"{SERVER}/x")))
    assert header == {"username": "jane", "password": "secret", "serveraddress": SERVER}
    done = hivelet("logout", SERVER, environment=environment)
    assert (done.code, done.out) == (0, f"Removing login credentials for {SERVER}\n")
    assert set(config(environment)["auths"]) == {"other"}
    assert "Not logged in" in hivelet("logout", SERVER, environment=environment).out


def test_a_token_is_kept_in_the_passwords_place(
    hivelet: Run, daemon: FakeDaemon, environment: dict[str, str]
) -> None:
    daemon.answers["POST", "/auth"] = (200, {"Status": "", "IdentityToken": "t0ken"})
    done = hivelet("login", "-u", "jane", "-p", "secret", SERVER, environment=environment)
    assert done.out == "Login Succeeded\n"
    entry = config(environment)["auths"][SERVER]
    assert entry["identitytoken"] == "t0ken"
    assert b"secret" not in base64.b64decode(entry["auth"])


HELPER = """#!/bin/sh
cat >"$0.$1"
"""


def test_a_helper_keeps_them_where_one_is_named(
    hivelet: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "test"}))
    helper = tmp_path / "docker-credential-test"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    done = hivelet("login", "-u", "jane", "-p", "secret", SERVER, environment=environment)
    assert done.code == 0
    assert json.loads(Path(f"{helper}.store").read_text()) == {
        "ServerURL": SERVER, "Username": "jane", "Secret": "secret",
    }  # fmt: skip
    assert config(environment) == {"credsStore": "test"}
    assert hivelet("logout", SERVER, environment=environment).code == 0
    assert Path(f"{helper}.erase").read_text() == SERVER


def test_what_is_refused(hivelet: Run, daemon: FakeDaemon, environment: dict[str, str]) -> None:
    for words, message in (
        (["-u", "jane"], "use --username and --password-stdin"),
        (["--password-stdin"], "needs a --username"),
        (["-u", "j", "-p", "x", "--password-stdin"], "mutually exclusive"),
    ):
        done = hivelet("login", *words, SERVER, environment=environment)
        assert done.code == 1
        assert message in done.err
    daemon.answers["POST", "/auth"] = (401, {"message": "unauthorized: incorrect password"})
    done = hivelet("login", "-u", "jane", "-p", "x", SERVER, environment=environment)
    assert (done.code, "incorrect password" in done.err) == (1, True)
    assert not (Path(environment["DOCKER_CONFIG"]) / "config.json").exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", HUB),
        ("docker.io", HUB),
        (SERVER, SERVER),
        (f"https://{SERVER}/v2/", SERVER),
        ("localhost:5000", "localhost:5000"),
    ],
)
def test_how_a_registry_is_called(given: str, kept: str) -> None:
    assert server_name(given) == kept
