from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from hivelet.client.address import DEFAULT_HOST, Asked, SshTarget, TlsFiles, resolve_address
from hivelet.client.dial import ssh_command
from hivelet.errors import InvalidParameter


@pytest.mark.parametrize(
    ("given", "environment", "url"),
    [
        (None, {}, DEFAULT_HOST),
        (None, {"DOCKER_HOST": "unix:///d"}, "unix:///d"),
        (None, {"DOCKER_HOST": "unix:///d", "HIVELET_HOST": "unix:///h"}, "unix:///h"),
        ("unix:///o", {"DOCKER_HOST": "unix:///d"}, "unix:///o"),
        ("/run/x.sock", {}, "unix:///run/x.sock"),
        ("host:1", {}, "tcp://host:1"),
    ],
)
def test_the_nearest_wins(given: str | None, environment: dict[str, str], url: str) -> None:
    assert resolve_address(given, environment).url == url


def test_tcp(tmp_path: Path) -> None:
    plain = resolve_address("tcp://[::1]:99", {})
    assert (plain.host, plain.port, plain.tls) == ("::1", 99, None)
    assert resolve_address("tcp://h", {}).port == 2375
    assert resolve_address("https://h", {}).tls == TlsFiles()
    assert resolve_address("http://h", {"DOCKER_TLS": "1"}).tls is None
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").touch()
    secure = resolve_address(
        "tcp://h", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    )
    assert secure.port == 2376
    assert secure.tls == TlsFiles(
        ca=f"{tmp_path}/ca.pem", certificate=f"{tmp_path}/cert.pem", key=f"{tmp_path}/key.pem"
    )


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        pytest.param(Asked(), {}, None, id="nothing"),
        pytest.param(Asked(), {"DOCKER_TLS": "0"}, None, id="switched off"),
        pytest.param(
            Asked(), {"DOCKER_TLS": "1"}, TlsFiles(ca="/me/.docker/ca.pem", verify=False), id="any"
        ),
        pytest.param(
            Asked(tls=True), {}, TlsFiles(ca="/me/.docker/ca.pem", verify=False), id="--tls"
        ),
        pytest.param(Asked(tlsverify=True), {}, TlsFiles(ca="/me/.docker/ca.pem"), id="verify"),
        pytest.param(Asked(tlsverify=False), {"DOCKER_TLS_VERIFY": "1"}, None, id="option wins"),
        pytest.param(
            Asked(tlscacert="/a", tlscert="/c", tlskey="/k"),
            {},
            TlsFiles(ca="/a", certificate="/c", key="/k"),
            id="files",
        ),
    ],
)
def test_tls_of_options_and_variables(
    asked: Asked, environment: dict[str, str], expected: TlsFiles | None
) -> None:
    found = resolve_address(replace(asked, host="tcp://h"), {"HOME": "/me", **environment})
    assert found.tls == expected


@pytest.mark.parametrize(
    ("url", "target", "command"),
    [
        ("ssh://h", SshTarget(host="h"), ["-T", "--", "h"]),
        (
            "ssh://me@h:2222",
            SshTarget(host="h", user="me", port=2222),
            ["-T", "-l", "me", "-p", "2222", "--", "h"],
        ),
        (
            "ssh://h/var/run/other.sock",
            SshTarget(host="h", socket="/var/run/other.sock"),
            ["-T", "--", "h"],
        ),
    ],
)
def test_ssh(url: str, target: SshTarget, command: list[str]) -> None:
    assert resolve_address(url, {}).ssh == target
    called = ssh_command(target)
    assert called[:3] == ["ssh", "-o", "ConnectTimeout=30"]
    assert called[3:-1] == command
    shell = shlex.split(called[-1])
    assert shell[:2] == ["sh", "-c"]
    named = f" --host unix://{target.socket}" if target.socket else ""
    assert f"exec hivelet{named} system dial-stdio" in shell[2]
    assert f"exec docker{named} system dial-stdio" in shell[2]


@pytest.mark.parametrize(
    "url",
    [
        "unix://",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@h",
        "ssh://a:secret@h",
        "npipe://x",
        "tcp://",
        "tcp://h:port",
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(InvalidParameter):
        resolve_address(url, {})
