"""Nodes of the swarm."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import route
from hivelet.convert import node as convert
from hivelet.convert.query import object_version
from hivelet.objects.node import NodeSpec


async def list_nodes(call: Call) -> web.Response:
    """`GET /nodes`."""
    filters = call.filters(convert.FILTERS)
    nodes = convert.select_nodes(await call.swarm.list_nodes(), filters)
    return reply([convert.encode_node(node) for node in nodes])


async def inspect_node(call: Call) -> web.Response:
    """`GET /nodes/{id}`."""
    return reply(convert.encode_node(await call.swarm.get_node(call.ref)))


async def update_node(call: Call) -> web.Response:
    """`POST /nodes/{id}/update`."""
    version = object_version(call.query, "node")
    await call.swarm.update_node(call.ref, version, convert.parse_node_spec(await call.json()))
    return done()


async def remove_node(call: Call) -> web.Response:
    """`DELETE /nodes/{id}`."""
    await call.swarm.remove_node(call.ref, force=call.flag("force"))
    return done()


ROUTES = (
    route("GET", "/nodes", list_nodes, Says(filters=convert.FILTERS, answer=several(answers.NODE))),
    route("GET", "/nodes/{ref}", inspect_node, Says(answer=answers.NODE)),
    route(
        "POST", "/nodes/{ref}/update", update_node, Says(query="version:integer!", body=NodeSpec)
    ),
    route("DELETE", "/nodes/{ref}", remove_node, Says(query="force:flag")),
)
