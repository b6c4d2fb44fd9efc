"""Docker's contexts: which one is meant, where it leads, and what is said of one that is not there."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from hivelet.client.address import DEFAULT_HOST, Asked, TlsFiles, is_named, resolve_address
from hivelet.errors import InvalidParameter, NotFound


def make_context(
    home: Path, name: str, host: str, *, tls: bool = False, skip: bool = False
) -> Path:
    """A context as `docker context create` leaves it."""
    key = sha256(name.encode()).hexdigest()
    meta = home / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": skip}
    (meta / "meta.json").write_text(
        json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}})
    )
    folder = home / "contexts" / "tls" / key / "docker"
    if tls:
        folder.mkdir(parents=True)
        for file in ("ca", "cert", "key"):
            (folder / f"{file}.pem").touch()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_context(tmp_path, "far", "ssh://far.example")
    make_context(tmp_path, "near", "unix:///near.sock")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "environment", "current", "url"),
    [
        pytest.param(Asked(), {}, None, DEFAULT_HOST, id="none"),
        pytest.param(Asked(), {}, "near", "unix:///near.sock", id="in use"),
        pytest.param(
            Asked(), {"DOCKER_CONTEXT": "far"}, "near", "ssh://far.example", id="variable"
        ),
        pytest.param(
            Asked(),
            {"DOCKER_HOST": "unix:///d", "DOCKER_CONTEXT": "far"},
            "near",
            "unix:///d",
            id="host",
        ),
        pytest.param(
            Asked(context="near"),
            {"DOCKER_HOST": "unix:///d"},
            None,
            "unix:///near.sock",
            id="given",
        ),
        pytest.param(Asked(host="unix:///o"), {}, "near", "unix:///o", id="option"),
        pytest.param(Asked(context="default"), {}, "near", DEFAULT_HOST, id="default"),
    ],
)
def test_which_one_is_meant(
    home: Path, asked: Asked, environment: dict[str, str], current: str | None, url: str
) -> None:
    if current:
        (home / "config.json").write_text(json.dumps({"currentContext": current}))
    environment = {"DOCKER_CONFIG": str(home), **environment}
    assert resolve_address(asked, environment).url == url
    assert is_named(asked, environment) is (url != DEFAULT_HOST)


def test_a_context_brings_its_own_certificates(tmp_path: Path) -> None:
    folder = make_context(tmp_path, "tls", "tcp://h:1", tls=True)
    make_context(tmp_path, "plain", "tcp://h:1")
    environment = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_TLS_VERIFY": "1"}
    assert resolve_address(Asked(context="tls"), environment).tls == TlsFiles(
        ca=f"{folder}/ca.pem", certificate=f"{folder}/cert.pem", key=f"{folder}/key.pem"
    )
    assert resolve_address(Asked(context="plain"), environment).tls is None


def test_what_is_said_of_a_wrong_one(home: Path) -> None:
    environment = {"DOCKER_CONFIG": str(home)}
    with pytest.raises(NotFound) as caught:
        resolve_address(Asked(context="fra"), environment)
    assert caught.value.message == (
        'there is no context "fra"; known are default, far, near. '
        "`docker context create fra --docker host=ssh://HOST` makes one"
    )
    with pytest.raises(InvalidParameter, match="give one of them"):
        resolve_address(Asked(context="far", host="unix:///x"), environment)
    (home / "config.json").write_text("{")
    with pytest.raises(InvalidParameter, match=r"config\.json cannot be read"):
        resolve_address(Asked(), environment)
