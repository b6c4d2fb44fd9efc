"""Secrets of the swarm."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import route
from hivelet.convert import secret as convert
from hivelet.convert.query import object_version
from hivelet.objects.secret import SecretSpec


async def list_secrets(call: Call) -> web.Response:
    """`GET /secrets`."""
    filters = call.filters(convert.FILTERS)
    chosen = convert.select_files(await call.swarm.list_secrets(), filters)
    return reply([convert.encode_secret(secret) for secret in chosen])


async def inspect_secret(call: Call) -> web.Response:
    """`GET /secrets/{id}`."""
    return reply(convert.encode_secret(await call.swarm.get_secret(call.ref)))


async def create_secret(call: Call) -> web.Response:
    """`POST /secrets/create`."""
    spec = convert.parse_secret_spec(await call.json())
    return reply({"ID": await call.swarm.create_secret(spec)}, status=201)


async def update_secret(call: Call) -> web.Response:
    """`POST /secrets/{id}/update`."""
    version = object_version(call.query, "secret")
    await call.swarm.update_secret(call.ref, version, convert.parse_secret_spec(await call.json()))
    return done()


async def remove_secret(call: Call) -> web.Response:
    """`DELETE /secrets/{id}`."""
    await call.swarm.remove_secret(call.ref)
    return done(204)


ROUTES = (
    route(
        "GET",
        "/secrets",
        list_secrets,
        Says(filters=convert.FILTERS, answer=several(answers.SECRET)),
        since="1.25",
    ),
    route(
        "POST",
        "/secrets/create",
        create_secret,
        Says(body=SecretSpec, statuses=(201,), answer=answers.CREATED_WITH_ID, errors=(409,)),
        since="1.25",
    ),
    route("GET", "/secrets/{ref}", inspect_secret, Says(answer=answers.SECRET), since="1.25"),
    route(
        "POST",
        "/secrets/{ref}/update",
        update_secret,
        Says(query="version:integer!", body=SecretSpec),
        since="1.25",
    ),
    route("DELETE", "/secrets/{ref}", remove_secret, Says(statuses=(204,)), since="1.25"),
)
