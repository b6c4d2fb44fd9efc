"""Configs of the swarm."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import route
from hivelet.convert import secret as convert
from hivelet.convert.query import object_version
from hivelet.objects.secret import ConfigSpec


async def list_configs(call: Call) -> web.Response:
    """`GET /configs`."""
    filters = call.filters(convert.FILTERS)
    chosen = convert.select_files(await call.swarm.list_configs(), filters)
    return reply([convert.encode_config(config) for config in chosen])


async def inspect_config(call: Call) -> web.Response:
    """`GET /configs/{id}`."""
    return reply(convert.encode_config(await call.swarm.get_config(call.ref)))


async def create_config(call: Call) -> web.Response:
    """`POST /configs/create`."""
    spec = convert.parse_config_spec(await call.json())
    return reply({"ID": await call.swarm.create_config(spec)}, status=201)


async def update_config(call: Call) -> web.Response:
    """`POST /configs/{id}/update`."""
    version = object_version(call.query, "config")
    await call.swarm.update_config(call.ref, version, convert.parse_config_spec(await call.json()))
    return done()


async def remove_config(call: Call) -> web.Response:
    """`DELETE /configs/{id}`."""
    await call.swarm.remove_config(call.ref)
    return done(204)


ROUTES = (
    route(
        "GET",
        "/configs",
        list_configs,
        Says(filters=convert.FILTERS, answer=several(answers.CONFIG)),
        since="1.30",
    ),
    route(
        "POST",
        "/configs/create",
        create_config,
        Says(body=ConfigSpec, statuses=(201,), answer=answers.CREATED_WITH_ID, errors=(409,)),
        since="1.30",
    ),
    route("GET", "/configs/{ref}", inspect_config, Says(answer=answers.CONFIG), since="1.30"),
    route(
        "POST",
        "/configs/{ref}/update",
        update_config,
        Says(query="version:integer!", body=ConfigSpec),
        since="1.30",
    ),
    route("DELETE", "/configs/{ref}", remove_config, Says(statuses=(204,)), since="1.30"),
)
