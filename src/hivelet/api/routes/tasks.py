"""Tasks of the swarm, and their logs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from hivelet.api.call import Call, reply
from hivelet.api.logs import follow_task, merge_task_logs
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import LOG, LOG_QUERY, Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import route
from hivelet.api.streams import closing, gathered, send_stream
from hivelet.convert import log
from hivelet.convert import task as convert
from hivelet.convert.network import index_networks
from hivelet.convert.query import log_options
from hivelet.errors import HiveletError
from hivelet.objects.common import NodeId
from hivelet.objects.log import STDERR, TaskLogRecord
from hivelet.objects.task import TaskSpec


async def list_tasks(call: Call) -> web.Response:
    """`GET /tasks`; the docker CLI's progress bars ask with the filter `_up-to-date`."""
    filters = call.filters(convert.FILTERS)
    filters.one_of("desired-state", convert.DESIRED_STATES)
    services = None
    if "service" in filters:
        services = {(await call.swarm.get_service(ref)).id for ref in filters.get("service")}
    nodes = None
    if "node" in filters:
        nodes = {await _node_id(call, ref) for ref in filters.get("node")}
    tasks = convert.select_tasks(
        await call.swarm.list_tasks(services), filters, services=services, nodes=nodes
    )
    if filters.boolean("_up-to-date"):
        tasks = list(await call.swarm.up_to_date(tasks))
    networks = index_networks(await call.swarm.list_networks())
    return reply([convert.encode_task(task, networks) for task in tasks])


async def inspect_task(call: Call) -> web.Response:
    """`GET /tasks/{id}`."""
    task = await call.swarm.get_task(call.ref)
    networks = index_networks(await call.swarm.list_networks())
    return reply(convert.encode_task(task, networks))


async def stream_logs(call: Call) -> web.StreamResponse:
    """`GET /tasks/{id}/logs`."""
    options = log_options(call.query)
    task = await call.swarm.get_task(call.ref)
    if options.follow:
        entries = follow_task(call.engine, task, options)
    else:
        entries = merge_task_logs(call.engine, [task], options)
    return await send_task_log(call, entries, raw=has_terminal(task.spec))


def has_terminal(spec: TaskSpec) -> bool:
    """Whether the containers have a terminal: then there is one stream only, and it is sent without frames."""
    return spec.container_spec is not None and spec.container_spec.tty


async def send_task_log(
    call: Call, entries: AsyncIterator[TaskLogRecord], *, raw: bool
) -> web.StreamResponse:
    """Send lines of tasks in Docker's format; with `details` each names its task."""
    form = log.LogFormat(timestamps=call.flag("timestamps"), details=call.flag("details"), raw=raw)
    lines = _encode(entries, form)
    return await send_stream(
        call,
        lines if call.flag("follow") else gathered(lines),
        content_type=log_content_type(call, raw=raw),
        tell=lambda error: tell_in_log(error, raw=raw),
    )


def log_content_type(call: Call, *, raw: bool) -> str:
    """How a log's answer calls itself; before API 1.42 every stream was called raw."""
    return log.RAW if raw or call.version < (1, 42) else log.MULTIPLEXED


def tell_in_log(error: HiveletError, *, raw: bool) -> bytes:
    """An error in the middle of a log, as a line on stderr."""
    line = f"Error grabbing logs: {error.message}\n".encode()
    return line if raw else log.frame(STDERR, line)


async def _encode(
    entries: AsyncIterator[TaskLogRecord], form: log.LogFormat
) -> AsyncIterator[bytes]:
    async with closing(entries):
        async for entry in entries:
            yield log.encode_record(entry.record, form, log.task_details(entry))


async def _node_id(call: Call, ref: str) -> NodeId:
    if ref == "self":
        return (await call.swarm.status()).node_id
    return (await call.swarm.get_node(ref)).id


ROUTES = (
    route(
        "GET",
        "/tasks",
        list_tasks,
        Says(filters=convert.FILTERS, answer=several(answers.TASK), errors=(404,)),
    ),
    route("GET", "/tasks/{ref}", inspect_task, Says(answer=answers.TASK)),
    route(
        "GET",
        "/tasks/{ref}/logs",
        stream_logs,
        Says(query=LOG_QUERY, content=LOG),
        since="1.29",
        streaming=True,
    ),
)
