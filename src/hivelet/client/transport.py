"""HTTP to a daemon: one connection that is kept, errors in the categories of `hivelet.errors`, messages that say what to do.

Not safe for use by several threads; streams get a connection of their own.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn
from urllib.parse import quote, urlencode

from hivelet.client.address import Address
from hivelet.errors import (
    Conflict,
    Forbidden,
    HiveletError,
    InvalidParameter,
    NotASwarmManager,
    NotFound,
    NotImplemented,
    System,
    Unauthorized,
    Unavailable,
)

_CONNECT_TIMEOUT = 10.0
_CHUNK = 65536
_NEWEST_API = (1, 47)
_CATEGORIES: Mapping[int, type[HiveletError]] = {
    400: InvalidParameter,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    406: NotFound,
    409: Conflict,
    501: NotImplemented,
    503: Unavailable,
}


class DaemonUnreachable(Unavailable):
    """Nobody answers at the address."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class Transport:
    """Requests to one daemon, in an API version that both sides know."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: http.client.HTTPConnection | None = None
        self._prefix: str | None = None

    def get(self, path: str, **query: Any) -> Any:
        """The JSON that `path` answers."""
        return self.request("GET", path, query=query)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and read its whole answer: JSON, text where it is no JSON, None where it is empty.

        Raises:
            HiveletError: the daemon cannot be reached, or answered with an error.
        """
        response = self._send(method, path, query or {}, body, headers or {})
        data = response.read()
        if response.will_close:
            self._idle = None
        if "json" in (response.getheader("Content-Type") or ""):
            return json.loads(data) if data.strip() else None
        return data.decode("utf-8", "replace") or None

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """Send a request and yield what comes, as it comes. The connection ends with the iterator."""
        response = self._send(method, path, query or {}, body, headers or {})
        connection, self._idle = self._idle, None
        try:
            while chunk := response.read1(_CHUNK):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"the daemon at {self.address.url} closed the connection: {error}"
            ) from error
        finally:
            response.close()
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close the connection that is kept."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    @property
    def api_version(self) -> str:
        """The version that requests are made in."""
        return self._version_prefix().removeprefix("/v")

    def _version_prefix(self) -> str:
        if self._prefix is None:
            response = self._exchange("HEAD", "/_ping", None, {})
            response.read()
            theirs = response.getheader("Api-Version") or ""
            self._prefix = f"/v{_common_version(theirs)}"
        return self._prefix

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        target = self._version_prefix() + quote(path, safe="/:@") + _query_text(query)
        payload, kind = body, "application/x-tar"
        if isinstance(body, dict | list):
            payload, kind = json.dumps(body).encode(), "application/json"
        sent = {**({"Content-Type": kind} if body is not None else {}), **headers}
        response = self._exchange(method, target, payload, sent)
        if response.status >= 400:
            _raise_for(response)
        return response

    def _exchange(
        self,
        method: str,
        target: str,
        payload: bytes | IO[bytes] | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        reused = self._idle is not None
        try:
            return self._attempt(method, target, payload, headers)
        except (http.client.HTTPException, ConnectionError) as error:
            self.close()
            if not reused or not (payload is None or isinstance(payload, bytes)):
                raise self._unreachable(error) from error
        except OSError as error:
            self.close()
            raise self._unreachable(error) from error
        try:
            return self._attempt(method, target, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(error) from error

    def _attempt(
        self,
        method: str,
        target: str,
        payload: bytes | IO[bytes] | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        if self._idle is None:
            self._idle = self._connect()
        self._idle.request(method, target, body=payload, headers=dict(headers))
        return self._idle.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        address = self.address
        if address.path:
            connection: http.client.HTTPConnection = _UnixConnection(address.path)
        elif address.tls is not None:
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=_CONNECT_TIMEOUT, context=_tls_context(address)
            )
        else:
            connection = http.client.HTTPConnection(
                address.host, address.port, timeout=_CONNECT_TIMEOUT
            )
        connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(None)
        return connection

    def _unreachable(self, error: Exception) -> HiveletError:
        url = self.address.url
        if isinstance(error, PermissionError):
            return DaemonUnreachable(
                f"permission denied at {url}; run the command as root, or join the group that owns the socket"
            )
        reason = (
            "there is no such socket"
            if isinstance(error, FileNotFoundError)
            else str(error) or repr(error)
        )
        return DaemonUnreachable(
            f"no daemon answers at {url}: {reason}; start it with `hivelet daemon` or "
            "`systemctl start hivelet`, or name another address with -H or DOCKER_HOST"
        )


def _common_version(theirs: str) -> str:
    """The newest API version that both sides know."""
    parts = theirs.split(".")
    if len(parts) == 2 and all(part.isdecimal() for part in parts):
        newest = min((int(parts[0]), int(parts[1])), _NEWEST_API)
        return f"{newest[0]}.{newest[1]}"
    return f"{_NEWEST_API[0]}.{_NEWEST_API[1]}"


def _query_text(query: Mapping[str, Any]) -> str:
    """Booleans as docker sends them, filters as JSON; what is None is not sent."""
    pairs: dict[str, str] = {}
    for name, value in query.items():
        if value is None or value is False:
            continue
        if value is True:
            pairs[name] = "1"
        elif isinstance(value, dict):
            pairs[name] = json.dumps(value, separators=(",", ":"))
        else:
            pairs[name] = str(value)
    return f"?{urlencode(pairs)}" if pairs else ""


def _raise_for(response: http.client.HTTPResponse) -> NoReturn:
    raw = response.read().decode("utf-8", "replace").strip()
    try:
        decoded = json.loads(raw)
        message = (
            str(decoded["message"]) if isinstance(decoded, dict) and "message" in decoded else raw
        )
    except ValueError:
        message = raw
    if response.status == 503 and message.startswith("This node is not a swarm manager"):
        raise NotASwarmManager
    category = _CATEGORIES.get(response.status, System)
    raise category(message or f"the daemon answered with status {response.status}")


def _tls_context(address: Address) -> Any:
    import ssl  # 30 ms that unix sockets need not pay

    files = address.tls
    assert files is not None
    try:
        context = ssl.create_default_context(cafile=files.ca if files.verify else None)
        if not files.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:
        raise InvalidParameter(
            f"the TLS files in {files.directory} cannot be used: {error}; "
            "DOCKER_CERT_PATH names the directory with ca.pem, cert.pem and key.pem"
        ) from error
    return context
