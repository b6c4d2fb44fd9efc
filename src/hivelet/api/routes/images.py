"""Images of this node: list, inspect, pull, import, load, save, tag, remove."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import TAR, Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import missing, route
from hivelet.api.streams import closing, json_line, send_stream
from hivelet.convert import image as convert
from hivelet.errors import InvalidParameter
from hivelet.objects.image import ImageImport, ImageProgress


async def list_images(call: Call) -> web.Response:
    """`GET /images/json`."""
    filters = call.filters(convert.FILTERS)
    images = convert.select_images(await call.engine.list_images(), filters, now=call.now)
    return reply([convert.encode_summary(i, virtual_size=call.version < (1, 44)) for i in images])


async def inspect_image(call: Call) -> web.Response:
    """`GET /images/{name}/json`."""
    image = await call.engine.get_image(call.ref)
    return reply(convert.encode_image(image, virtual_size=call.version < (1, 44)))


async def show_history(call: Call) -> web.Response:
    """`GET /images/{name}/history`."""
    steps = await call.engine.image_history(call.ref)
    return reply([convert.encode_history(step) for step in steps])


async def create_image(call: Call) -> web.StreamResponse:
    """`POST /images/create`: pull (`fromImage`) or import a root file system (`fromSrc`: `-` or an address)."""
    if call.query.get("fromImage"):
        chunks = _pull(call)
    elif call.query.get("fromSrc"):
        chunks = _import(call)
    else:
        raise InvalidParameter("give fromImage to pull, or fromSrc=- to import the request's body")
    return await send_stream(call, chunks, content_type="application/json", wait=True)


async def load_images(call: Call) -> web.StreamResponse:
    """`POST /images/load`."""
    return await send_stream(call, _load(call), content_type="application/json", wait=True)


async def save_images(call: Call) -> web.StreamResponse:
    """`GET /images/get` and `GET /images/{name}/get`."""
    named = [call.ref] if "ref" in call.params else call.request.query.getall("names", [])
    names = [name for value in named for name in value.split(",") if name]
    if not names:
        raise InvalidParameter("name the images to save with names=")
    chunks = call.engine.save_images(names)
    return await send_stream(call, chunks, content_type="application/x-tar", wait=True, tell=None)


async def push_image(call: Call) -> web.StreamResponse:
    """`POST /images/{name}/push`: without a tag all of the repository's."""
    auth = convert.parse_auth(call.request.headers.get("X-Registry-Auth", ""))
    progress = call.engine.push_image(call.ref, call.query.get("tag", ""), auth)
    return await send_stream(call, _lines(progress), content_type="application/json", wait=True)


async def tag_image(call: Call) -> web.Response:
    """`POST /images/{name}/tag`."""
    target = convert.join_reference(call.query.get("repo", ""), call.query.get("tag", ""))
    await call.engine.tag_image(call.ref, target)
    return done(201)


async def remove_image(call: Call) -> web.Response:
    """`DELETE /images/{name}`."""
    removals = await call.engine.remove_image(
        call.ref, force=call.flag("force"), prune=not call.flag("noprune")
    )
    return reply([convert.encode_removal(removal) for removal in removals])


async def prune_images(call: Call) -> web.Response:
    """`POST /images/prune`: images without a name; with `dangling=false` all that no container uses."""
    filters = call.filters(convert.PRUNE_FILTERS)
    chosen = convert.select_images(
        await call.engine.list_images(), convert.prune_selection(filters), now=call.now
    )
    result = await call.engine.prune_images([image.id for image in chosen])
    call.engine.note_prune("image", result.space_reclaimed)
    removals = [convert.encode_removal(removal) for removal in result.removals]
    return reply({"ImagesDeleted": removals or None, "SpaceReclaimed": result.space_reclaimed})


async def _pull(call: Call) -> AsyncIterator[bytes]:
    reference = convert.join_reference(call.query["fromImage"], call.query.get("tag", ""))
    auth = convert.parse_auth(call.request.headers.get("X-Registry-Auth", ""))
    progress = call.engine.pull_image(reference, platform=call.query.get("platform", ""), auth=auth)
    async with closing(_lines(progress)) as lines:
        async for line in lines:
            yield line


async def _lines(progress: AsyncIterator[ImageProgress]) -> AsyncIterator[bytes]:
    async with closing(progress):
        async for step in progress:
            yield json_line(convert.encode_progress(step))


async def _import(call: Call) -> AsyncIterator[bytes]:
    source = call.query["fromSrc"]
    if source != "-" and "://" not in source:
        source = f"http://{source}"  # as Docker completes it
    request = ImageImport(
        source="" if source == "-" else source,
        reference=convert.join_reference(call.query.get("repo", ""), call.query.get("tag", "")),
        changes=call.request.query.getall("changes", []),
        message=call.query.get("message", ""),
        platform=call.query.get("platform", ""),
    )
    if request.source:
        yield json_line({"status": f"Downloading from {request.source}"})
    identity = await call.engine.import_image(call.body("archive"), request)
    yield json_line({"status": identity})


async def _load(call: Call) -> AsyncIterator[bytes]:
    loaded = call.engine.load_images(call.body("archive"))
    async with closing(loaded):
        async for name in loaded:
            words = "Loaded image ID" if name.startswith("sha256:") else "Loaded image"
            yield json_line({"stream": f"{words}: {name}\n"})


ROUTES = (
    route(
        "GET",
        "/images/json",
        list_images,
        Says(filters=convert.FILTERS, answer=several(answers.IMAGE_SUMMARY), errors=(404,)),
    ),
    route(
        "POST",
        "/images/create",
        create_image,
        Says(
            query="fromImage fromSrc repo tag message changes:texts platform",
            headers=("X-Registry-Auth",),
            body=TAR,
            body_optional=True,
            errors=(401, 403, 404, 503),
        ),
        streaming=True,
    ),
    route("POST", "/images/load", load_images, Says(query="quiet:flag", body=TAR), streaming=True),
    route(
        "GET",
        "/images/get",
        save_images,
        Says(query="names:texts!", content=TAR, errors=(404,)),
        streaming=True,
    ),
    missing("GET", "/images/search", "searching registries"),
    route(
        "POST",
        "/images/prune",
        prune_images,
        Says(filters=convert.PRUNE_FILTERS, answer=answers.PRUNED_IMAGES),
        since="1.25",
    ),
    route("GET", "/images/{ref:path}/json", inspect_image, Says(answer=answers.IMAGE)),
    route(
        "GET", "/images/{ref:path}/history", show_history, Says(answer=several(answers.IMAGE_STEP))
    ),
    route("GET", "/images/{ref:path}/get", save_images, Says(content=TAR), streaming=True),
    route(
        "POST",
        "/images/{ref:path}/tag",
        tag_image,
        Says(query="repo! tag", statuses=(201,), errors=(409,)),
    ),
    route(
        "POST",
        "/images/{ref:path}/push",
        push_image,
        Says(query="tag", headers=("X-Registry-Auth",), errors=(401, 403, 503)),
        streaming=True,
    ),
    route(
        "DELETE",
        "/images/{ref:path}",
        remove_image,
        Says(query="force:flag noprune:flag", answer=answers.REMOVALS, errors=(409,)),
    ),
)
