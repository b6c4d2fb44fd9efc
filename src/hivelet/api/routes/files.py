"""Files of containers: copied in and out, compared with the image, exported, made an image."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import BYTES, TAR, Says
from hivelet.api.router import route
from hivelet.api.streams import send_stream
from hivelet.convert.body import convert_json
from hivelet.convert.files import encode_changes, encode_stat
from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerConfig
from hivelet.objects.files import CommitRequest

_STAT = "X-Docker-Container-Path-Stat"


async def stat_path(call: Call) -> web.Response:
    """`HEAD /containers/{id}/archive`: what is at a path."""
    found = await call.engine.stat_path(call.ref, _path(call))
    return web.Response(headers={_STAT: encode_stat(found)})


async def read_archive(call: Call) -> web.StreamResponse:
    """`GET /containers/{id}/archive`: a path as a tar."""
    path = _path(call)
    found = await call.engine.stat_path(call.ref, path)
    return await send_stream(
        call,
        call.engine.read_archive(call.ref, path),
        content_type="application/x-tar",
        wait=True,
        tell=None,
        headers={_STAT: encode_stat(found)},
    )


async def write_archive(call: Call) -> web.Response:
    """`PUT /containers/{id}/archive`: a tar into a directory."""
    await call.engine.write_archive(
        call.ref,
        _path(call),
        call.body("archive"),
        keep_kinds=call.flag("noOverwriteDirNonDir"),
        as_user=call.flag("copyUIDGID"),
    )
    return done(200)


async def list_changes(call: Call) -> web.Response:
    """`GET /containers/{id}/changes`."""
    return reply(encode_changes(await call.engine.list_changes(call.ref)))


async def export_container(call: Call) -> web.StreamResponse:
    """`GET /containers/{id}/export`."""
    await call.engine.get_container(call.ref)
    chunks = call.engine.export_container(call.ref)
    return await send_stream(
        call, chunks, content_type="application/octet-stream", wait=True, tell=None
    )


async def commit_container(call: Call) -> web.Response:
    """`POST /commit`; the body is the config of the new image, as far as it differs."""
    query = call.request.query
    body = await call.json(optional=True)
    repository, tag = query.get("repo", ""), query.get("tag", "")
    request = CommitRequest(
        container=query.get("container", ""),
        reference=f"{repository}:{tag or 'latest'}" if repository else "",
        message=query.get("comment", ""),
        author=query.get("author", ""),
        changes=query.getall("changes", []),
        pause=call.flag("pause", default=True),
        config=convert_json(body, ContainerConfig) if body else None,
    )
    return reply({"Id": await call.engine.commit_container(request)}, status=201)


def _path(call: Call) -> str:
    path = call.query.get("path", "")
    if not path:
        raise InvalidParameter("bad parameter: path cannot be empty")
    return path


ROUTES = (
    route("HEAD", "/containers/{ref}/archive", stat_path, Says(query="path!")),
    route(
        "GET",
        "/containers/{ref}/archive",
        read_archive,
        Says(query="path!", content=TAR),
        streaming=True,
    ),
    route(
        "PUT",
        "/containers/{ref}/archive",
        write_archive,
        Says(query="path! noOverwriteDirNonDir:flag copyUIDGID:flag", body=TAR, errors=(403,)),
        streaming=True,
    ),
    route("GET", "/containers/{ref}/changes", list_changes, Says(answer=answers.CHANGES)),
    route("GET", "/containers/{ref}/export", export_container, Says(content=BYTES), streaming=True),
    route(
        "POST",
        "/commit",
        commit_container,
        Says(
            query="container! repo tag comment author changes:texts pause:flag",
            body=ContainerConfig,
            body_optional=True,
            statuses=(201,),
            answer=answers.CREATED,
            errors=(404, 409),
        ),
    ),
)
