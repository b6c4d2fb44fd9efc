"""The swarm as a whole: init, join, leave, inspect, update, lock."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.router import route
from hivelet.convert import swarm as convert
from hivelet.convert.query import object_version
from hivelet.objects.cluster import ClusterSpec
from hivelet.objects.swarm import SwarmInit, SwarmJoin


async def inspect_swarm(call: Call) -> web.Response:
    """`GET /swarm`."""
    return reply(convert.encode_cluster(await call.swarm.inspect_swarm(), tokens=True))


async def init_swarm(call: Call) -> web.Response:
    """`POST /swarm/init`; the answer is the node's id as a JSON string."""
    return reply(await call.swarm.init_swarm(convert.parse_swarm_init(await call.json())))


async def join_swarm(call: Call) -> web.Response:
    """`POST /swarm/join`."""
    await call.swarm.join_swarm(convert.parse_swarm_join(await call.json()))
    return done()


async def leave_swarm(call: Call) -> web.Response:
    """`POST /swarm/leave`."""
    await call.swarm.leave_swarm(force=call.flag("force"))
    return done()


async def update_swarm(call: Call) -> web.Response:
    """`POST /swarm/update`."""
    version = object_version(call.query, "swarm")
    spec = convert.parse_cluster_spec(await call.json())
    await call.swarm.update_swarm(version, spec, convert.parse_rotation(call.query))
    return done()


async def show_unlock_key(call: Call) -> web.Response:
    """`GET /swarm/unlockkey`."""
    return reply({"UnlockKey": await call.swarm.unlock_key()})


async def unlock_swarm(call: Call) -> web.Response:
    """`POST /swarm/unlock`."""
    await call.swarm.unlock_swarm(convert.parse_unlock(await call.json()))
    return done()


ROUTES = (
    route("GET", "/swarm", inspect_swarm, Says(answer=answers.SWARM)),
    route("POST", "/swarm/init", init_swarm, Says(body=SwarmInit, answer={"type": "string"})),
    route("POST", "/swarm/join", join_swarm, Says(body=SwarmJoin, errors=(501,))),
    route("POST", "/swarm/leave", leave_swarm, Says(query="force:flag")),
    route(
        "POST",
        "/swarm/update",
        update_swarm,
        Says(
            query="version:integer! rotateWorkerToken:flag rotateManagerToken:flag rotateManagerUnlockKey:flag",
            body=ClusterSpec,
        ),
    ),
    route("GET", "/swarm/unlockkey", show_unlock_key, Says(answer=answers.UNLOCK_KEY)),
    route("POST", "/swarm/unlock", unlock_swarm, Says(body=answers.UNLOCK, errors=(401, 409))),
)
