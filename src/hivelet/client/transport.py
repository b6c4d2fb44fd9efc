"""HTTP to a daemon: one connection that is kept, errors in the categories of `hivelet.errors`, messages that say what to do.

Not safe for use by several threads; streams get a connection of their own.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn
from urllib.parse import quote, urlencode

from hivelet.client.address import Address
from hivelet.client.dial import Dialer
from hivelet.client.hijack import Hijacked
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


class Stalled(Unavailable):
    """A stream that should have come to its end did not go on."""


class Transport:
    """Requests to one daemon, in an API version that both sides know."""

    def __init__(self, address: Address, *, unattended: bool = False) -> None:
        self.address = address
        self._dialer = Dialer(address, unattended=unattended)
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
        patience: float | None = None,
    ) -> Iterator[bytes]:
        """Send a request and yield what comes, as it comes. The connection ends with the iterator.

        Raises:
            Stalled: nothing came for `patience` seconds.
        """
        if patience is not None:
            self._connect_afresh(patience)
        yield from self._chunks(self._send(method, path, query or {}, body, headers or {}))

    def open_stream(self, method: str, path: str, query: Mapping[str, Any]) -> Iterator[bytes]:
        """The same, but that the request is sent, and accepted, when this returns."""
        return self._chunks(self._send(method, path, query, None, {}))

    def _chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        connection, self._idle = self._idle, None
        try:
            while chunk := response.read1(_CHUNK):
                yield chunk
        except TimeoutError as error:
            raise Stalled(self._silence()) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"the daemon at {self.address.url} closed the connection: {error}"
            ) from error
        finally:
            response.close()
            if connection is not None:
                connection.close()

    def hijack(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Hijacked:
        """Send a request after which both sides talk freely, as for `exec`. The connection is a new one.

        Raises:
            HiveletError: the daemon cannot be reached, or answered with an error.
        """
        target = self._version_prefix() + quote(path, safe="/:@") + _query_text(query or {})
        headers = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"}
        try:
            connection = self._dialer.connect()
            sock = connection.sock
            # Where there is nothing to say nothing is sent: it could be taken for what is typed.
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, target, body=payload, headers=headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        if response.status >= 400:
            try:
                _raise_for(response)
            finally:
                connection.close()
        assert sock is not None
        return Hijacked(sock, response)

    def head(self, path: str, query: Mapping[str, Any]) -> Mapping[str, str]:
        """The headers of an answer."""
        response = self._send("HEAD", path, query, None, {})
        response.read()
        return dict(response.getheaders())

    def apart(self) -> Transport:
        """Another one to the same daemon, for another thread."""
        return Transport(self.address)

    def close(self) -> None:
        """Close the connection that is kept, and whatever connections ran through."""
        self._drop()
        self._dialer.close()

    def _drop(self) -> None:
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
            self._drop()
            if not reused or not (payload is None or isinstance(payload, bytes)):
                raise self._unreachable(error) from error
        except TimeoutError as error:
            self._drop()
            # Only a connection that was made for a patient stream has a limit once it is there.
            raise (Stalled(self._silence()) if reused else self._unreachable(error)) from error
        except OSError as error:
            self._drop()
            raise self._unreachable(error) from error
        try:
            return self._attempt(method, target, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise self._unreachable(error) from error

    def _attempt(
        self,
        method: str,
        target: str,
        payload: bytes | IO[bytes] | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        if self._idle is None:
            self._idle = self._dialer.connect()
        self._idle.request(method, target, body=payload, headers=dict(headers))
        return self._idle.getresponse()

    def _connect_afresh(self, patience: float) -> None:
        """A new connection, on which nobody waits longer than `patience` seconds for the next word."""
        self._version_prefix()
        self._drop()
        try:
            self._idle = self._dialer.connect()
        except OSError as error:
            raise self._unreachable(error) from error
        if self._idle.sock is not None:
            self._idle.sock.settimeout(patience)

    def _silence(self) -> str:
        return f"the daemon at {self.address.url} did not go on with its answer"

    def _unreachable(self, error: Exception) -> HiveletError:
        url = self.address.url
        if isinstance(error, PermissionError):
            return DaemonUnreachable(
                f"permission denied at {url}; run the command as root, or join the group that owns the socket"
            )
        if self.address.ssh is not None:
            return DaemonUnreachable(
                f"no daemon answers through {url}: {str(error) or repr(error)}; what ssh said stands above. "
                f"`ssh {self.address.ssh.host} hivelet info` should work without a question"
            )
        if "certificate" in str(error).lower() or "SSL" in str(error):
            return DaemonUnreachable(
                f"the daemon at {url} and hivelet do not trust each other: {error}; "
                "--tlscacert, --tlscert and --tlskey, or DOCKER_CERT_PATH, say who is trusted"
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
    """Booleans as docker sends them, filters as JSON, a list as one parameter for each; what is None is not sent."""
    pairs: dict[str, str | list[str]] = {}
    for name, value in query.items():
        if value is None or value is False:
            continue
        if value is True:
            pairs[name] = "1"
        elif isinstance(value, dict):
            pairs[name] = json.dumps(value, separators=(",", ":"))
        elif isinstance(value, list):
            pairs[name] = [str(item) for item in value]
        else:
            pairs[name] = str(value)
    return f"?{urlencode(pairs, doseq=True)}" if pairs else ""


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
