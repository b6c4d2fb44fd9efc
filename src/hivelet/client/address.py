"""Where the daemon is: from options, HIVELET_HOST, DOCKER_HOST, Docker's contexts and TLS variables. Reads files, connects to none.

The order is docker's: `-H`, `--context`, the variables of hosts, DOCKER_CONTEXT, the context in use, and last hivelet's own
socket. A context brings its own TLS files; everything else takes those of the options and variables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from hivelet.client.contexts import DEFAULT, chosen_context, docker_directory, load_context
from hivelet.errors import InvalidParameter

DEFAULT_HOST = "unix:///run/hivelet.sock"
_TLS_PORT = 2376
_PLAIN_PORT = 2375
_FALSE = frozenset({"", "0", "f", "false", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The PEM files of a TLS connection: the authority the server is signed by, and who we are; "" where there is none.

    `verify` False accepts any server.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """A machine that is reached by ssh; `socket` is the daemon's there, where it is not the usual one."""

    host: str
    user: str = ""
    port: int = 0
    socket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A daemon's address: a unix socket (`path`), a machine behind `ssh`, or a TCP port (`host`, `port`, perhaps `tls`)."""

    url: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: TlsFiles | None = None
    ssh: SshTarget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says of the daemon; None where it says nothing."""

    host: str | None = None
    context: str | None = None
    tls: bool = False
    tlsverify: bool | None = None
    tlscacert: str | None = None
    tlscert: str | None = None
    tlskey: str | None = None


def resolve_address(asked: Asked | str | None, environment: Mapping[str, str]) -> Address:
    """The address that a command talks to.

    Raises:
        HiveletError: it is no address, of a kind that is not spoken here, or a context that is not there.
    """
    wanted = asked if isinstance(asked, Asked) else Asked(host=asked)
    if wanted.host and wanted.context:
        raise InvalidParameter(
            "either --host or --context says where the daemon is; give one of them"
        )
    name = chosen_context(wanted.context, bool(wanted.host), environment)
    if name != DEFAULT:
        context = load_context(name, environment)
        tls = TlsFiles(verify=not context.skip_verify, **_files_in(context.tls))
        # A context without certificates leads to a plain port, unless it says otherwise.
        return _parse(context.host, tls if context.tls or context.skip_verify else None)
    url = wanted.host or environment.get("HIVELET_HOST") or environment.get("DOCKER_HOST")
    return _parse(url or DEFAULT_HOST, _tls_files(wanted, environment))


def is_named(asked: Asked, environment: Mapping[str, str]) -> bool:
    """Whether anybody has said where the daemon is."""
    variables = environment.get("HIVELET_HOST") or environment.get("DOCKER_HOST")
    context = chosen_context(asked.context, bool(asked.host), environment)
    return bool(asked.host or variables or context != DEFAULT)


def _parse(url: str, tls: TlsFiles | None) -> Address:
    if url.startswith("/"):
        url = f"unix://{url}"
    if "://" not in url:
        url = f"tcp://{url}"
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        if not rest:
            raise InvalidParameter(f'"{url}" names no socket; write it like {DEFAULT_HOST}')
        return Address(url=url, path=rest)
    if scheme not in _EXAMPLES:
        raise InvalidParameter(
            f'"{url}" is not an address; hivelet speaks unix://, tcp:// and ssh://'
        )
    return _parse_network(url, scheme, tls)


def _parse_network(url: str, scheme: str, tls: TlsFiles | None) -> Address:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidParameter(f'"{url}" is not an address: its port is not a number') from error
    if not parts.hostname:
        raise InvalidParameter(f'"{url}" names no host; write it like {_EXAMPLES[scheme]}')
    if scheme == "ssh":
        return Address(url=url, ssh=_ssh_target(url, parts, port or 0))
    if scheme == "https" and tls is None:
        tls = TlsFiles()
    if scheme == "http":
        tls = None
    number = port or (_TLS_PORT if tls else _PLAIN_PORT)
    return Address(url=url, host=parts.hostname, port=number, tls=tls)


_EXAMPLES = {
    "ssh": "ssh://user@192.0.2.1",
    **dict.fromkeys(("tcp", "http", "https"), "tcp://192.0.2.1:2376"),
}


def _ssh_target(url: str, parts: SplitResult, port: int) -> SshTarget:
    if parts.password is not None:
        raise InvalidParameter(f'"{url}" has a password in it; ssh asks for one, or uses a key')
    host = str(parts.hostname)
    # Nothing of an address may become an option of ssh.
    if host.startswith("-") or (parts.username or "").startswith("-"):
        raise InvalidParameter(f'"{url}" is not an address: a name cannot begin with "-"')
    socket = parts.path if parts.path not in {"", "/"} else ""
    return SshTarget(host=host, user=parts.username or "", port=port, socket=socket)


def _tls_files(asked: Asked, environment: Mapping[str, str]) -> TlsFiles | None:
    """TLS is on where an option says so, or DOCKER_TLS_VERIFY or DOCKER_TLS has any value, as docker has it."""
    verify = asked.tlsverify
    if verify is None:
        verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    wanted = verify or asked.tls or environment.get("DOCKER_TLS", "").lower() not in _FALSE
    if not (wanted or asked.tlscacert or asked.tlscert or asked.tlskey):
        return None
    directory = environment.get("DOCKER_CERT_PATH") or str(docker_directory(environment))
    found = _files_in(directory)
    return TlsFiles(
        ca=asked.tlscacert or f"{directory}/ca.pem",
        certificate=asked.tlscert or found["certificate"],
        key=asked.tlskey or found["key"],
        verify=verify or bool(asked.tlscacert),
    )


def _files_in(directory: str) -> dict[str, str]:
    """Those of the usual files that are there: a server may do without a client's certificate."""
    names = {"ca": "ca.pem", "certificate": "cert.pem", "key": "key.pem"}
    if not directory:
        return {}
    paths = {field: f"{directory}/{name}" for field, name in names.items()}
    return {field: path if os.path.exists(path) else "" for field, path in paths.items()}
