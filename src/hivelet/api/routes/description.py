"""The API's description of itself, for clients that are generated from one, and for people."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from hivelet.api.call import Call
from hivelet.api.openapi.declaration import JSON, Says
from hivelet.api.router import Route, route


def routes(document: dict[str, Any]) -> tuple[Route, ...]:
    """The route that answers with this document."""
    body = msgspec.json.encode(document)

    async def describe_api(_: Call) -> web.Response:
        """`GET /openapi.json`: this API in the words of OpenAPI 3.1."""
        return web.Response(body=body, content_type=JSON)

    return (route("GET", "/openapi.json", describe_api, Says()),)
