"""One request and what answers it: the backends, the parsed query and body, and the common kinds of answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from hivelet.api.backend.backups import BackupBackend
from hivelet.api.backend.engine import EngineBackend
from hivelet.api.backend.swarm import SwarmBackend
from hivelet.api.errors import ClientGone, message_of, status_of
from hivelet.api.metrics_site import MetricsBackend
from hivelet.convert import query
from hivelet.convert.filters import Filters, parse_filters
from hivelet.convert.shape import parse_json
from hivelet.convert.versions import ApiVersion
from hivelet.errors import HiveletError, InvalidParameter
from hivelet.kit.clock import Clock

BODY_LIMIT = 8 << 20
"""Bytes that a JSON body may have: a config of 1000 KiB in base64 fits into it with room to spare."""

_CHUNK = 1 << 18
"""Bytes of a body that is an archive, at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its way through a route."""

    request: web.Request
    version: ApiVersion
    params: Mapping[str, str]
    swarm: SwarmBackend
    engine: EngineBackend
    clock: Clock
    metrics: MetricsBackend | None = None
    backups: BackupBackend | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The query; of a repeated parameter the first."""
        return self.request.query

    @property
    def ref(self) -> str:
        """The object that the path names."""
        return self.params["ref"]

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self.clock.now()

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean of the query."""
        return query.flag(self.query, name, default=default)

    def filters(self, accepted: Iterable[str]) -> Filters:
        """The query's filters, of which only these are accepted."""
        return parse_filters(self.query.get("filters", ""), accepted)

    async def body(self, what: str) -> AsyncIterator[bytes]:
        """A body that is no JSON, in pieces; `what` it is, for the message.

        Raises:
            ClientGone: the connection closed before its end.
        """
        try:
            async for chunk in self.request.content.iter_chunked(_CHUNK):
                yield chunk
        except (ConnectionError, web.RequestPayloadError) as error:
            raise ClientGone(f"the connection closed in the middle of the {what}") from error

    async def json(self, *, optional: bool = False) -> Any:
        """The body as JSON data without nulls; an `optional` one may be null altogether.

        Raises:
            InvalidParameter: it is not JSON, says that it is something else, or is too large.
        """
        kind = self.request.content_type
        declared = "Content-Type" in self.request.headers
        if declared and self.request.can_read_body and kind != "application/json":
            raise InvalidParameter(
                f"unsupported Content-Type header ({kind}): must be 'application/json'"
            )
        try:
            raw = await self.request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise InvalidParameter(
                f"the request body is larger than {BODY_LIMIT >> 20} MiB"
            ) from error
        except (ConnectionError, web.RequestPayloadError) as error:
            raise ClientGone("the connection closed in the middle of the request") from error
        data = parse_json(raw)
        if data is None and optional:
            return {}
        if not isinstance(data, dict):
            raise InvalidParameter("the request body must be a JSON object")
        return data


def reply(data: Any, *, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(data) + b"\n", status=status, content_type="application/json"
    )


def done(status: int = 200) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status)


def refuse(error: HiveletError) -> web.Response:
    """An error as Docker's clients expect one."""
    return reply({"message": message_of(error)}, status=status_of(error))
