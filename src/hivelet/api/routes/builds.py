"""Builds: Docker's classic builder, and what it keeps. BuildKit's own ways in are refused with the way out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.errors import message_of
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import BUILD_QUERY, TAR, Says
from hivelet.api.router import missing, route
from hivelet.api.streams import closing, json_line, send_stream
from hivelet.convert import build as convert
from hivelet.errors import HiveletError
from hivelet.objects.build import BuildRequest

_BUILDKIT = "BuildKit; set DOCKER_BUILDKIT=0, or use `hivelet build`"


async def build_image(call: Call) -> web.StreamResponse:
    """`POST /build`: an image of the tar in the body."""
    every = call.request.query
    repeated = {name: every.getall(name, []) for name in ("t", "extrahosts", "securityopt")}
    header = call.request.headers.get("X-Registry-Config", "")
    request = convert.parse_build(call.query, repeated, header)
    return await send_stream(
        call, _build(call, request), content_type="application/json", wait=True, tell=_tell
    )


async def prune_builds(call: Call) -> web.Response:
    """`POST /build/prune`: without `all`, no step that is an image of this node."""
    rule = convert.parse_prune(call.query, call.filters(convert.PRUNE_FILTERS), call.now)
    result = await call.engine.prune_build_cache(rule)
    call.engine.note_prune("builder", result.space_reclaimed)
    return reply(
        {"CachesDeleted": result.deleted or None, "SpaceReclaimed": result.space_reclaimed}
    )


async def cancel_build(_: Call) -> web.Response:
    """`POST /build/cancel`: a build ends with the connection that asked for it, so there is none to cancel."""
    return done(204)


async def _build(call: Call, request: BuildRequest) -> AsyncIterator[bytes]:
    told = call.engine.build_image(call.body("context"), request)
    async with closing(told):
        async for progress in told:
            line = convert.encode_build(progress)
            yield json_line(line) if line is not None else b""


def _tell(error: HiveletError) -> bytes:
    return json_line(convert.encode_build_error(error, message_of(error)))


ROUTES = (
    route(
        "POST",
        "/build",
        build_image,
        Says(query=BUILD_QUERY, headers=("X-Registry-Config",), body=TAR, errors=(403, 404, 501)),
        streaming=True,
    ),
    route(
        "POST",
        "/build/prune",
        prune_builds,
        Says(
            query="all:flag keep-storage:integer",
            filters=convert.PRUNE_FILTERS,
            answer=answers.PRUNED_BUILDS,
        ),
        since="1.31",
    ),
    route("POST", "/build/cancel", cancel_build, Says(statuses=(204,)), since="1.39"),
    missing("POST", "/session", _BUILDKIT),
    missing("POST", "/grpc", _BUILDKIT),
)
