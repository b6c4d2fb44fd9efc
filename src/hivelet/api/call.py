"""One request and what answers it: the backends, the parsed query and body, and the common kinds of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from hivelet.api.backend.backends import Backends
from hivelet.api.backend.engine import EngineBackend
from hivelet.api.backend.swarm import SwarmBackend
from hivelet.api.errors import BodyTooLarge, ClientGone, TooSlow, message_of, status_of
from hivelet.api.limits import BODY_LIMIT, SMALL_BODY, Limits
from hivelet.convert import query
from hivelet.convert.filters import Filters, parse_filters
from hivelet.convert.shape import parse_json
from hivelet.convert.versions import ApiVersion
from hivelet.errors import HiveletError, InvalidParameter
from hivelet.kit.clock import Clock

_CHUNK = 1 << 18
"""Bytes of a body that is an archive, at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its way through a route."""

    request: web.Request
    version: ApiVersion
    params: Mapping[str, str]
    backends: Backends
    clock: Clock
    limits: Limits
    large_bodies: asyncio.Semaphore
    """How many large bodies may be read beside the present ones."""

    @property
    def swarm(self) -> SwarmBackend:
        """The cluster."""
        return self.backends.swarm

    @property
    def engine(self) -> EngineBackend:
        """This node."""
        return self.backends.engine

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
            TooSlow: nothing came for too long.
        """
        try:
            while True:
                async with asyncio.timeout(self.limits.piece):
                    chunk = await self.request.content.read(_CHUNK)
                if not chunk:
                    return
                yield chunk
        except (ConnectionError, web.RequestPayloadError) as error:
            raise ClientGone(f"the connection closed in the middle of the {what}") from error
        except TimeoutError as error:
            raise TooSlow(
                f"nothing of the {what} has come for {self.limits.piece:g} s; send it again"
            ) from error

    async def whole_body(self) -> bytes:
        """The body, where it is a small one.

        Raises:
            BodyTooLarge: it is not.
            TooSlow: it did not come in time.
            ClientGone: the connection closed before its end.
        """
        try:
            async with asyncio.timeout(self.limits.body):
                if (self.request.content_length or BODY_LIMIT) <= SMALL_BODY:
                    return await self.request.read()
                async with self.large_bodies:
                    return await self.request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise BodyTooLarge(f"the request body is larger than {BODY_LIMIT >> 20} MiB") from error
        except (ConnectionError, web.RequestPayloadError) as error:
            raise ClientGone("the connection closed in the middle of the request") from error
        except TimeoutError as error:
            raise TooSlow(
                f"the request body did not come within {self.limits.body:g} s; send it again"
            ) from error

    async def json(self, *, optional: bool = False) -> Any:
        """The body as JSON data without nulls; an `optional` one may be null altogether.

        Raises:
            InvalidParameter: it is not JSON, says that it is something else, is too large or comes too slowly.
        """
        kind = self.request.content_type
        declared = "Content-Type" in self.request.headers
        if declared and self.request.can_read_body and kind != "application/json":
            raise InvalidParameter(
                f"unsupported Content-Type header ({kind}): must be 'application/json'"
            )
        data = parse_json(await self.whole_body())
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
