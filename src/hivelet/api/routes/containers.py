"""Containers of this node: look at them, end them, read what they write."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import LOG, LOG_QUERY, Says
from hivelet.api.openapi.schemas import record, several
from hivelet.api.router import route
from hivelet.api.routes.tasks import log_content_type, tell_in_log
from hivelet.api.streams import closing, json_line, send_stream
from hivelet.convert import container as convert
from hivelet.convert import log
from hivelet.convert.container_filters import FILTERS, PRUNE_FILTERS, select_containers
from hivelet.convert.image import until_moment
from hivelet.convert.query import integer, log_options
from hivelet.convert.shape import Json
from hivelet.convert.stats import encode_processes, encode_stats
from hivelet.errors import InvalidParameter, NotFound, NotImplemented
from hivelet.objects.engine import Container, ContainerStats
from hivelet.objects.image import Image
from hivelet.objects.log import LogOptions
from hivelet.objects.log_driver import NOTHING_KEPT

_CONDITIONS = ("not-running", "next-exit", "removed")


async def list_containers(call: Call) -> web.Response:
    """`GET /containers/json`."""
    filters = call.filters(FILTERS)
    chosen = select_containers(
        await call.engine.list_containers(size=call.flag("size")),
        filters,
        everything=call.flag("all"),
        limit=integer(call.query, "limit") or 0,
        ancestors=[
            image.id
            for image in [await _image(call, ref) for ref in filters.get("ancestor")]
            if image is not None
        ],
    )
    return reply([convert.encode_summary(each, call.now, call.version) for each in chosen])


async def _image(call: Call, ref: str) -> Image | None:
    try:
        return await call.engine.get_image(ref)
    except (NotFound, InvalidParameter):
        return None  # no container is made from it


async def inspect_container(call: Call) -> web.Response:
    """`GET /containers/{id}/json`."""
    container = await call.engine.get_container(call.ref, size=call.flag("size"))
    return reply(convert.encode_container(container, call.version))


async def start_container(call: Call) -> web.Response:
    """`POST /containers/{id}/start`."""
    return done(204 if await call.engine.start_container(call.ref) else 304)


async def stop_container(call: Call) -> web.Response:
    """`POST /containers/{id}/stop`."""
    stopped = await call.engine.stop_container(
        call.ref, timeout=integer(call.query, "t"), signal=call.query.get("signal", "")
    )
    return done(204 if stopped else 304)


async def restart_container(call: Call) -> web.Response:
    """`POST /containers/{id}/restart`."""
    await call.engine.restart_container(
        call.ref, timeout=integer(call.query, "t"), signal=call.query.get("signal", "")
    )
    return done(204)


async def kill_container(call: Call) -> web.Response:
    """`POST /containers/{id}/kill`."""
    await call.engine.kill_container(call.ref, call.query.get("signal") or "SIGKILL")
    return done(204)


async def remove_container(call: Call) -> web.Response:
    """`DELETE /containers/{id}`; with `link`, a name such as `web/data` is a link of a container, which alone goes."""
    if call.flag("link"):
        await call.engine.remove_link(call.ref)
        return done(204)
    await call.engine.remove_container(call.ref, force=call.flag("force"), volumes=call.flag("v"))
    return done(204)


async def wait_container(call: Call) -> web.StreamResponse:
    """`POST /containers/{id}/wait`; the headers are sent as soon as the wait is in place."""
    condition = call.query.get("condition") or "not-running"
    if condition not in _CONDITIONS:
        raise InvalidParameter(f'invalid condition: "{condition}"')
    return await send_stream(
        call, _wait(call, condition), content_type="application/json", wait=True
    )


async def prune_containers(call: Call) -> web.Response:
    """`POST /containers/prune`."""
    filters = call.filters(PRUNE_FILTERS)
    limits = [until_moment(value, call.now) for value in filters.get("until")]
    refs = [
        container.id
        for container in await call.engine.list_containers()
        if not container.state.running
        and all(container.created < limit for limit in limits)
        and filters.labels("label", container.config.labels)
        and filters.without_labels("label!", container.config.labels)
    ]
    removed, space = await call.engine.prune_containers(refs)
    call.engine.note_prune("container", space)
    return reply({"ContainersDeleted": list(removed) or None, "SpaceReclaimed": space})


async def show_processes(call: Call) -> web.Response:
    """`GET /containers/{id}/top`."""
    table = await call.engine.container_top(call.ref, call.query.get("ps_args") or "-ef")
    return reply(encode_processes(table))


async def show_stats(call: Call) -> web.StreamResponse:
    """`GET /containers/{id}/stats`: every second, or one reading with the one before it for rates."""
    container = await call.engine.get_container(call.ref)
    if call.flag("stream", default=True):
        return await send_stream(
            call, _stats(call, container), content_type="application/json", wait=False
        )
    if call.flag("one-shot") and call.version >= (1, 41):
        async with closing(call.engine.container_stats(container.id, stream=False)) as readings:
            return reply(encode_stats(container, await anext(readings), None))
    async with closing(_readings(call, container)) as encoded:
        return reply(await anext(encoded))


async def stream_logs(call: Call) -> web.StreamResponse:
    """`GET /containers/{id}/logs`."""
    options = log_options(call.query)
    container = await call.engine.get_container(call.ref)
    if container.host_config.log_config.type == NOTHING_KEPT:
        raise NotImplemented("configured logging driver does not support reading")
    raw = container.config.tty
    form = log.LogFormat(timestamps=call.flag("timestamps"), details=call.flag("details"), raw=raw)
    lines = _log(call, container, options, form)
    return await send_stream(
        call,
        lines,
        content_type=log_content_type(call, raw=raw),
        tell=lambda error: tell_in_log(error, raw=raw),
    )


async def _log(
    call: Call, container: Container, options: LogOptions, form: log.LogFormat
) -> AsyncIterator[bytes]:
    async with closing(call.engine.container_log_batches(container.id, options)) as batches:
        async for batch in batches:
            yield b"".join([log.encode_record(record, form, {}) for record in batch])


async def _wait(call: Call, condition: str) -> AsyncIterator[bytes]:
    async with closing(call.engine.wait_container(call.ref, condition)) as steps:
        async for result in steps:
            if result is None:
                yield b""  # the wait is in place: the headers may go
                continue
            answer: Json = {"StatusCode": result.status_code}
            if result.error:
                answer["Error"] = {"Message": result.error}
            yield json_line(answer)


async def _stats(call: Call, container: Container) -> AsyncIterator[bytes]:
    async with closing(_readings(call, container)) as encoded:
        async for reading in encoded:
            yield json_line(reading)


async def _readings(call: Call, container: Container) -> AsyncIterator[Json]:
    """Readings with the one before each: from the second on."""
    before: ContainerStats | None = None
    async with closing(call.engine.container_stats(container.id, stream=True)) as readings:
        async for reading in readings:
            if before is not None:
                yield encode_stats(container, reading, before)
            before = reading


ROUTES = (
    route(
        "GET",
        "/containers/json",
        list_containers,
        Says(
            query="all:flag size:flag limit:integer",
            filters=FILTERS,
            answer=several(answers.CONTAINER_SUMMARY),
        ),
    ),
    route(
        "POST",
        "/containers/prune",
        prune_containers,
        Says(filters=PRUNE_FILTERS, answer=answers.PRUNED_CONTAINERS),
        since="1.25",
    ),
    route(
        "GET",
        "/containers/{ref}/json",
        inspect_container,
        Says(query="size:flag", answer=answers.CONTAINER),
    ),
    route(
        "GET",
        "/containers/{ref}/logs",
        stream_logs,
        Says(query=LOG_QUERY, content=LOG),
        streaming=True,
    ),
    route(
        "GET",
        "/containers/{ref}/top",
        show_processes,
        Says(query="ps_args", answer=answers.PROCESSES, errors=(409,)),
    ),
    route(
        "GET",
        "/containers/{ref}/stats",
        show_stats,
        Says(query="stream:flag one-shot:flag", answer=record("read:time preread:time")),
        streaming=True,
    ),
    route(
        "POST",
        "/containers/{ref}/start",
        start_container,
        Says(statuses=(204, 304), errors=(403, 409)),
    ),
    route(
        "POST",
        "/containers/{ref}/stop",
        stop_container,
        Says(query="t:integer signal", statuses=(204, 304)),
    ),
    route(
        "POST",
        "/containers/{ref}/restart",
        restart_container,
        Says(query="t:integer signal", statuses=(204,), errors=(409,)),
    ),
    route(
        "POST",
        "/containers/{ref}/kill",
        kill_container,
        Says(query="signal", statuses=(204,), errors=(409,)),
    ),
    route(
        "POST",
        "/containers/{ref}/wait",
        wait_container,
        Says(query="condition", answer=record("StatusCode:integer")),
        streaming=True,
    ),
    route(
        "DELETE",
        "/containers/{ref:path}",
        remove_container,
        Says(query="force:flag v:flag link:flag", statuses=(204,), errors=(409,)),
    ),
)
