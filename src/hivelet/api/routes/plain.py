"""Containers by hand: made, attached to, paused, renamed, given other limits."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.attached import carry, content_type
from hivelet.api.call import Call, done, reply
from hivelet.api.hijack import Taken, hijack
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import ATTACH_QUERY, LOG, Says
from hivelet.api.router import route
from hivelet.api.websocket import WebSocket
from hivelet.convert.body import convert_json
from hivelet.convert.create import (
    SEVERAL_NETWORKS,
    check_one_network,
    named_fields,
    parse_create,
)
from hivelet.convert.detach_keys import parse_detach_keys
from hivelet.convert.image import check_platform
from hivelet.convert.query import terminal_size
from hivelet.objects.container import ContainerCreate, HostConfig
from hivelet.objects.streams import AttachWish


async def create_container(call: Call) -> web.Response:
    """`POST /containers/create`."""
    given = parse_create(await call.json())
    if call.version < SEVERAL_NETWORKS:
        check_one_network(given)
    if platform := call.query.get("platform"):
        check_platform(await call.engine.get_image(given.image), given.image, platform)
    identity, warnings = await call.engine.create_container(call.query.get("name", ""), given)
    return reply({"Id": identity, "Warnings": warnings}, status=201)


async def attach_container(call: Call) -> web.StreamResponse:
    """`POST /containers/{id}/attach`: the connection becomes the process's streams."""
    keys, wish = _wish(call)
    if call.request.content_length:
        await call.whole_body()  # it is no input of the process
    streams = await call.engine.attach_container(call.ref, wish)
    try:
        wire = await hijack(call, content_type(call.version, tty=streams.tty))
        try:
            wanted = keys if streams.tty and wish.stdin else None
            await carry(wire, streams, keys=wanted, framed=not streams.tty)
        finally:
            await wire.close()
    finally:
        streams.close()
    return Taken()


async def attach_by_websocket(call: Call) -> web.StreamResponse:
    """`GET /containers/{id}/attach/ws`: the same in messages of a web socket, whose output is never framed (Docker)."""
    keys, wish = _wish(call)
    streams = await call.engine.attach_container(call.ref, wish)
    try:
        socket = WebSocket(call)
        await socket.prepare()
        wanted = keys if streams.tty and wish.stdin else None
        await carry(socket, streams, keys=wanted, framed=False)
        return await socket.close()
    finally:
        streams.close()


def _wish(call: Call) -> tuple[bytes, AttachWish]:
    keys = parse_detach_keys(call.query.get("detachKeys", ""))
    names = ("stdin", "stdout", "stderr", "logs", "stream")
    return keys, AttachWish(**{name: call.flag(name) for name in names})


async def resize_container(call: Call) -> web.Response:
    """`POST /containers/{id}/resize`."""
    height, width = terminal_size(call.query)
    await call.engine.resize_container(call.ref, height, width)
    return done(200)


async def pause_container(call: Call) -> web.Response:
    """`POST /containers/{id}/pause`."""
    await call.engine.pause_container(call.ref)
    return done(204)


async def unpause_container(call: Call) -> web.Response:
    """`POST /containers/{id}/unpause`."""
    await call.engine.unpause_container(call.ref)
    return done(204)


async def rename_container(call: Call) -> web.Response:
    """`POST /containers/{id}/rename`."""
    await call.engine.rename_container(call.ref, call.query.get("name", ""))
    return done(204)


async def update_container(call: Call) -> web.Response:
    """`POST /containers/{id}/update`: limits and the restart policy; what is zero stays as it is."""
    data = await call.json()
    given = convert_json(data, HostConfig)
    warnings = await call.engine.update_container(call.ref, given, named_fields(given))
    return reply({"Warnings": warnings or None})


ROUTES = (
    route(
        "POST",
        "/containers/create",
        create_container,
        Says(
            query="name platform",
            body=ContainerCreate,
            statuses=(201,),
            answer=answers.CREATED_CONTAINER,
            errors=(403, 404, 409),
        ),
    ),
    route(
        "POST",
        "/containers/{ref}/attach",
        attach_container,
        Says(query=ATTACH_QUERY, statuses=(200, 101), content=LOG, errors=(409,)),
        streaming=True,
    ),
    route(
        "GET",
        "/containers/{ref}/attach/ws",
        attach_by_websocket,
        Says(query=ATTACH_QUERY, statuses=(101,), errors=(409,)),
        streaming=True,
    ),
    route(
        "POST",
        "/containers/{ref}/resize",
        resize_container,
        Says(query="h:integer! w:integer!", errors=(409,)),
    ),
    route("POST", "/containers/{ref}/pause", pause_container, Says(statuses=(204,), errors=(409,))),
    route(
        "POST", "/containers/{ref}/unpause", unpause_container, Says(statuses=(204,), errors=(409,))
    ),
    route(
        "POST",
        "/containers/{ref}/rename",
        rename_container,
        Says(query="name!", statuses=(204,), errors=(409,)),
    ),
    route(
        "POST",
        "/containers/{ref}/update",
        update_container,
        Says(body=HostConfig, answer=answers.WARNINGS, errors=(409,)),
    ),
)
