from __future__ import annotations

import pytest

from hivelet.client.address import DEFAULT_HOST, resolve_address
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


def test_tcp() -> None:
    plain = resolve_address("tcp://[::1]:99", {})
    assert (plain.host, plain.port, plain.tls) == ("::1", 99, None)
    assert resolve_address("tcp://h", {}).port == 2375
    secure = resolve_address("tcp://h", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"})
    assert secure.tls is not None
    assert (secure.port, secure.tls.ca, secure.tls.verify) == (2376, "/certs/ca.pem", True)
    assert (
        resolve_address("tcp://h", {"DOCKER_TLS": "1", "HOME": "/me"}).tls.directory
        == "/me/.docker"
    )


@pytest.mark.parametrize("url", ["unix://", "ssh://h", "npipe://x", "tcp://", "tcp://h:port"])
def test_no_address(url: str) -> None:
    with pytest.raises(InvalidParameter):
        resolve_address(url, {})
