"""Credentials for registries."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.router import route
from hivelet.convert.body import convert_json
from hivelet.objects.image import RegistryAuth


async def check_auth(call: Call) -> web.Response:
    """`POST /auth`: whether a registry accepts these credentials."""
    token = await call.engine.authenticate(convert_json(await call.json(), RegistryAuth))
    return reply({"IdentityToken": token, "Status": "Login Succeeded"})


ROUTES = (
    route(
        "POST",
        "/auth",
        check_auth,
        Says(body=RegistryAuth, answer=answers.LOGIN, errors=(401, 503)),
    ),
)
