"""Where the daemon is: from `-H`, HIVELET_HOST, DOCKER_HOST and Docker's TLS variables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hivelet.errors import InvalidParameter

DEFAULT_HOST = "unix:///run/hivelet.sock"
_TLS_PORT = 2376
_PLAIN_PORT = 2375


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The PEM files of a mutual TLS connection. `verify` False accepts any server."""

    directory: str
    verify: bool = True

    @property
    def ca(self) -> str:
        """The certificate authority that the server must be signed by."""
        return f"{self.directory}/ca.pem"

    @property
    def certificate(self) -> str:
        """The client's certificate."""
        return f"{self.directory}/cert.pem"

    @property
    def key(self) -> str:
        """The client's key."""
        return f"{self.directory}/key.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A daemon's address: a unix socket (`path`) or a TCP port (`host`, `port`, with `tls` or without)."""

    url: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: TlsFiles | None = None


def resolve_address(given: str | None, environment: Mapping[str, str]) -> Address:
    """The address that a command talks to; what is given on the command line wins.

    Raises:
        InvalidParameter: it is no address, or of a kind that is not spoken here.
    """
    url = given or environment.get("HIVELET_HOST") or environment.get("DOCKER_HOST") or DEFAULT_HOST
    if url.startswith("/"):
        url = f"unix://{url}"
    if "://" not in url:
        url = f"tcp://{url}"
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        if not rest:
            raise InvalidParameter(f'"{url}" names no socket; write it like {DEFAULT_HOST}')
        return Address(url=url, path=rest)
    if scheme not in {"tcp", "http", "https"}:
        raise InvalidParameter(f'"{url}" is not an address; hivelet speaks unix:// and tcp://')
    tls = _tls_files(environment) if scheme != "http" else None
    if scheme == "https" and tls is None:
        tls = TlsFiles(directory=_certificate_directory(environment))
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidParameter(f'"{url}" is not an address: its port is not a number') from error
    if not parts.hostname:
        raise InvalidParameter(f'"{url}" names no host; write it like tcp://192.0.2.1:2376')
    return Address(
        url=url, host=parts.hostname, port=port or (_TLS_PORT if tls else _PLAIN_PORT), tls=tls
    )


def _tls_files(environment: Mapping[str, str]) -> TlsFiles | None:
    """TLS is on where DOCKER_TLS_VERIFY or DOCKER_TLS has any value, as docker has it."""
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not verify and not environment.get("DOCKER_TLS"):
        return None
    return TlsFiles(directory=_certificate_directory(environment), verify=verify)


def _certificate_directory(environment: Mapping[str, str]) -> str:
    home = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    return environment.get("DOCKER_CERT_PATH") or home
