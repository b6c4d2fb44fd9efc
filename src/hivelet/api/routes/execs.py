"""Further processes in this node's containers: `docker exec`."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.attached import carry, content_type
from hivelet.api.call import Call, done, reply
from hivelet.api.hijack import Taken, hijack
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import LOG, Says
from hivelet.api.router import route
from hivelet.convert.body import convert_json
from hivelet.convert.detach_keys import parse_detach_keys
from hivelet.convert.exec import console_size, encode_exec
from hivelet.convert.log import frame
from hivelet.convert.query import terminal_size
from hivelet.errors import HiveletError
from hivelet.objects.exec import Exec, ExecConfig, ExecStart
from hivelet.objects.log import STDOUT


async def create_exec(call: Call) -> web.Response:
    """`POST /containers/{id}/exec`."""
    config = convert_json(await call.json(), ExecConfig)
    parse_detach_keys(config.detach_keys)
    console_size(config.console_size)
    return reply({"Id": await call.engine.create_exec(call.ref, config)}, status=201)


async def inspect_exec(call: Call) -> web.Response:
    """`GET /exec/{id}/json`."""
    return reply(encode_exec(await call.engine.get_exec(call.ref)))


async def start_exec(call: Call) -> web.StreamResponse:
    """`POST /exec/{id}/start`: detached, or with the connection as the process's streams.

    What is wrong with the exec itself gets a status of its own; that its program can't be started is told in the
    stream, as the connection is the process's by then (Docker).
    """
    found = await call.engine.get_exec(call.ref)
    start = convert_json(await call.json(), ExecStart)
    console_size(start.console_size)
    if start.detach:
        await call.engine.start_exec(found.id, start)
        return done(200)
    await call.engine.check_exec(found.id)
    await _run(call, found, start)
    return Taken()


async def resize_exec(call: Call) -> web.Response:
    """`POST /exec/{id}/resize`."""
    found = await call.engine.get_exec(call.ref)
    height, width = terminal_size(call.query)
    await call.engine.resize_exec(found.id, height, width)
    return done(200)


async def _run(call: Call, found: Exec, start: ExecStart) -> None:
    tty = found.config.tty
    wire = await hijack(call, content_type(call.version, tty=tty))
    try:
        try:
            streams = await call.engine.start_exec(found.id, start)
        except HiveletError as error:
            await wire.send(_told(error, tty=tty))
            return
        if streams is None:
            return
        keys = parse_detach_keys(found.config.detach_keys) if tty else None
        try:
            await carry(wire, streams, keys=keys, framed=not tty)
        finally:
            streams.close()
    finally:
        await wire.close()


def _told(error: HiveletError, *, tty: bool) -> bytes:
    line = f"{error.message}\r\n".encode()
    return line if tty else frame(STDOUT, line)


ROUTES = (
    route(
        "POST",
        "/containers/{ref}/exec",
        create_exec,
        Says(body=ExecConfig, statuses=(201,), answer=answers.CREATED, errors=(409,)),
    ),
    route(
        "POST",
        "/exec/{ref}/start",
        start_exec,
        Says(body=ExecStart, statuses=(200, 101), content=LOG, errors=(409,)),
        streaming=True,
    ),
    route(
        "POST",
        "/exec/{ref}/resize",
        resize_exec,
        Says(query="h:integer! w:integer!", errors=(409,)),
    ),
    route("GET", "/exec/{ref}/json", inspect_exec, Says(answer=answers.EXEC)),
)
