"""Volumes of this node."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.router import missing, route
from hivelet.convert import volume as convert
from hivelet.convert.body import convert_json
from hivelet.objects.volume import VolumeRequest


async def list_volumes(call: Call) -> web.Response:
    """`GET /volumes`."""
    filters = call.filters(convert.FILTERS)
    volumes = await call.engine.list_volumes()
    chosen = convert.select_volumes(volumes, filters, await _used(call))
    return reply({"Volumes": [convert.encode_volume(v) for v in chosen], "Warnings": None})


async def inspect_volume(call: Call) -> web.Response:
    """`GET /volumes/{name}`."""
    return reply(convert.encode_volume(await call.engine.get_volume(call.ref)))


async def create_volume(call: Call) -> web.Response:
    """`POST /volumes/create`; a volume of that name that is there already is the answer."""
    request = convert_json(await call.json(), VolumeRequest)
    return reply(convert.encode_volume(await call.engine.create_volume(request)), status=201)


async def remove_volume(call: Call) -> web.Response:
    """`DELETE /volumes/{name}`."""
    await call.engine.remove_volume(call.ref, force=call.flag("force"))
    return done(204)


async def prune_volumes(call: Call) -> web.Response:
    """`POST /volumes/prune`; since API 1.42 volumes with a name stay unless `all=true` says otherwise."""
    filters = call.filters(convert.PRUNE_FILTERS)
    names = convert.select_prunable(
        await call.engine.list_volumes(),
        filters,
        await _used(call),
        named=call.version < (1, 42),
    )
    removed, space = await call.engine.prune_volumes(names)
    call.engine.note_prune("volume", space)
    return reply({"VolumesDeleted": list(removed) or None, "SpaceReclaimed": space})


async def _used(call: Call) -> frozenset[str]:
    containers = await call.engine.list_containers()
    return frozenset(mount.name for container in containers for mount in container.mounts)


ROUTES = (
    route("GET", "/volumes", list_volumes, Says(filters=convert.FILTERS, answer=answers.VOLUMES)),
    route(
        "POST",
        "/volumes/create",
        create_volume,
        Says(body=VolumeRequest, statuses=(201,), answer=answers.VOLUME, errors=(404, 409)),
    ),
    route(
        "POST",
        "/volumes/prune",
        prune_volumes,
        Says(filters=convert.PRUNE_FILTERS, answer=answers.PRUNED_VOLUMES),
        since="1.25",
    ),
    route("GET", "/volumes/{ref}", inspect_volume, Says(answer=answers.VOLUME)),
    route(
        "DELETE",
        "/volumes/{ref}",
        remove_volume,
        Says(query="force:flag", statuses=(204,), errors=(409,)),
    ),
    missing("PUT", "/volumes/{ref}", "cluster volumes"),
)
