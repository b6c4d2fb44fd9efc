"""What registries say of images."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.router import route
from hivelet.convert.image import encode_registry_image, parse_auth


async def inspect_distribution(call: Call) -> web.Response:
    """`GET /distribution/{name}/json`: the digest that the docker CLI pins a service's image to.

    Where the registry cannot be asked, any error lets the CLI go on with the image as it was named, after a warning.
    """
    auth = parse_auth(call.request.headers.get("X-Registry-Auth", ""))
    return reply(encode_registry_image(await call.engine.registry_image(call.ref, auth)))


ROUTES = (
    route(
        "GET",
        "/distribution/{ref:path}/json",
        inspect_distribution,
        Says(
            headers=("X-Registry-Auth",), answer=answers.DISTRIBUTION, errors=(401, 403, 501, 503)
        ),
        since="1.30",
    ),
)
