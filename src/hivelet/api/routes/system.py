"""The engine as a whole: ping, version, info, events, disk usage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from aiohttp import web

from hivelet.api.call import Call, reply
from hivelet.api.metrics_site import metrics_page
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import TEXT, Says
from hivelet.api.openapi.schemas import record, several
from hivelet.api.router import missing, route
from hivelet.api.streams import FanIn, closing, json_line, send_stream
from hivelet.convert import event as convert
from hivelet.convert.filters import Filters
from hivelet.convert.swarm import encode_status, ping_word
from hivelet.convert.system import encode_disk_usage, encode_info, encode_version
from hivelet.errors import NotFound
from hivelet.objects.event import Event

_TICK = timedelta(microseconds=1)


async def ping(call: Call) -> web.Response:
    """`GET|HEAD /_ping`: that the API answers, which versions, and how this node stands to a swarm."""
    status = await call.swarm.status()
    return web.Response(
        text="OK",
        headers={
            "Cache-Control": "no-cache, no-store, must-revalidate",
            "Pragma": "no-cache",
            "Swarm": ping_word(status),
            "Builder-Version": "1",
        },
    )


async def show_version(call: Call) -> web.Response:
    """`GET /version`."""
    return reply(encode_version(await call.engine.version()))


async def show_info(call: Call) -> web.Response:
    """`GET /info`."""
    status = await call.swarm.status()
    info = await call.engine.info()
    return reply(encode_info(info, encode_status(status), call.now, call.version))


async def show_disk_usage(call: Call) -> web.Response:
    """`GET /system/df`."""
    usage = await call.engine.disk_usage()
    return reply(encode_disk_usage(usage, call.now, call.version))


async def stream_events(call: Call) -> web.StreamResponse:
    """`GET /events`."""
    since, until = convert.parse_span(call.query.get("since", ""), call.query.get("until", ""))
    filters = call.filters(convert.FILTERS)
    return await send_stream(
        call, _events(call, since, until, filters), content_type="application/json"
    )


async def show_metrics(call: Call) -> web.Response:
    """`GET /metrics`: for Prometheus. Docker's daemon has it on an address of its own alone (`metrics-addr`)."""
    if call.backends.metrics is None:
        raise NotFound("there are no metrics here")
    return metrics_page(await call.backends.metrics.render())


async def list_plugins(_: Call) -> web.Response:
    """`GET /plugins`: there are none."""
    return reply([])


async def inspect_plugin(call: Call) -> web.Response:
    """`GET /plugins/{name}/json`; `docker inspect` asks it last, after everything else that the name could mean."""
    raise NotFound(f'plugin "{call.ref}" not found')


async def _events(
    call: Call, since: datetime | None, until: datetime | None, filters: Filters
) -> AsyncIterator[bytes]:
    """Events of both backends: those of the past in the order of time, then new ones as they come."""
    now = call.now
    if since is not None:
        past = [e async for e in _both(call, since, min(now, until) if until else now)]
        for event in sorted(past, key=lambda event: event.at):
            if convert.matches(event, filters):
                yield json_line(convert.encode_event(event))
        if until is not None and until <= now:
            return
    async with closing(_both(call, None if since is None else now + _TICK, until)) as events:
        async for event in events:
            if convert.matches(event, filters):
                yield json_line(convert.encode_event(event))


async def _both(call: Call, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
    async with FanIn[Event]("events") as fan:
        fan.add(call.swarm.swarm_events(since, until))
        fan.add(call.engine.engine_events(since, until))
        async for event in fan.items():
            yield event


ROUTES = (
    route("GET", "/_ping", ping, Says(content=TEXT)),
    route("HEAD", "/_ping", ping),
    route("GET", "/version", show_version, Says(answer=answers.VERSION)),
    route("GET", "/info", show_info, Says(answer=answers.INFO)),
    route(
        "GET",
        "/events",
        stream_events,
        Says(query="since:time until:time", filters=convert.FILTERS),
        streaming=True,
    ),
    route("GET", "/system/df", show_disk_usage, Says(answer=answers.DISK_USAGE), since="1.25"),
    route("GET", "/metrics", show_metrics, Says(content=TEXT)),
    route("GET", "/plugins", list_plugins, Says(answer=several(record(""))), since="1.25"),
    route("GET", "/plugins/{ref:path}/json", inspect_plugin, Says(statuses=()), since="1.25"),
    missing("POST", "/plugins/{ref:path}", "plugins"),
    missing("DELETE", "/plugins/{ref:path}", "plugins"),
)
