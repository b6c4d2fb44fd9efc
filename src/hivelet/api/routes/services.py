"""Services of the swarm, and their logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from secrets import randbelow

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.logs import follow_service, merge_task_logs
from hivelet.api.names import invent_name
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import LOG, LOG_QUERY, Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import route
from hivelet.api.routes.tasks import has_terminal, send_task_log
from hivelet.convert import service as convert
from hivelet.convert.backends import encode_backends
from hivelet.convert.network import PREDEFINED
from hivelet.convert.query import log_options, object_version
from hivelet.objects.common import NetworkId
from hivelet.objects.log import TaskLogRecord
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.service import ServiceSpec
from hivelet.objects.swarm import ServiceUpdate


async def list_services(call: Call) -> web.Response:
    """`GET /services`; `status=true` (API 1.41) adds the task counts."""
    filters = call.filters(convert.FILTERS)
    services = convert.select_services(await call.swarm.list_services(), filters)
    if not (call.flag("status") and call.version >= (1, 41)):
        return reply([convert.encode_service(service) for service in services])
    tasks = await call.swarm.list_tasks({service.id for service in services})
    counts = convert.count_tasks(services, tasks)
    return reply([convert.encode_service(s, counts=counts[s.id]) for s in services])


async def inspect_service(call: Call) -> web.Response:
    """`GET /services/{id}`; `insertDefaults` spells out what the spec leaves open, `backends` is hivelet's own."""
    service = await call.swarm.get_service(call.ref)
    answer = convert.encode_service(service, defaults=call.flag("insertDefaults"))
    if call.flag("backends"):
        tasks = await call.swarm.list_tasks({service.id})
        traffic = await call.engine.task_traffic([task.id for task in tasks])
        answer["Backends"] = encode_backends(tasks, traffic)
    return reply(answer)


async def create_service(call: Call) -> web.Response:
    """`POST /services/create`; a service without a name is given one."""
    spec = await _with_names(call, convert.parse_service_spec(await call.json()))
    if not spec.name:
        taken = {service.spec.name for service in await call.swarm.list_services()}
        spec = spec.replaced(name=invent_name(randbelow, taken))
    auth = call.request.headers.get("X-Registry-Auth", "")
    created = await call.swarm.create_service(spec, registry_auth=auth)
    return reply({"ID": created.id, "Warnings": created.warnings or None}, status=201)


async def _with_names(call: Call, spec: ServiceSpec) -> ServiceSpec:
    """The spec with `host`, `bridge` and `none` by name: clients send their ids on this node, which no other node knows."""
    ids = {n.id: n.name for n in await call.engine.list_node_networks() if n.name in PREDEFINED}

    def named(given: list[NetworkAttachmentConfig]) -> list[NetworkAttachmentConfig]:
        return [
            each.replaced(target=ids.get(NetworkId(each.target), each.target)) for each in given
        ]

    template = spec.task_template.replaced(networks=named(spec.task_template.networks))
    return spec.replaced(networks=named(spec.networks), task_template=template)


async def update_service(call: Call) -> web.Response:
    """`POST /services/{id}/update`."""
    version = object_version(call.query, "service")
    spec = await _with_names(call, convert.parse_service_spec(await call.json()))
    if call.request.headers.get("User-Agent", "").startswith("Docker-Client/"):
        # Docker's client reads a spec, changes it and sends back what it knows of it.
        spec = convert.carry_extensions(spec, (await call.swarm.get_service(call.ref)).spec)
    update = ServiceUpdate(
        rollback=call.query.get("rollback", ""),
        registry_auth=call.request.headers.get("X-Registry-Auth", ""),
        registry_auth_from=call.query.get("registryAuthFrom", ""),
    )
    warnings = await call.swarm.update_service(call.ref, version, spec, update)
    return reply({"Warnings": list(warnings) or None})


async def remove_service(call: Call) -> web.Response:
    """`DELETE /services/{id}`."""
    await call.swarm.remove_service(call.ref)
    return done()


async def stream_logs(call: Call) -> web.StreamResponse:
    """`GET /services/{id}/logs`."""
    options = log_options(call.query)
    service = await call.swarm.get_service(call.ref)
    entries: AsyncIterator[TaskLogRecord]
    if options.follow:
        entries = follow_service(call.swarm, call.engine, service.id, options)
    else:
        entries = merge_task_logs(call.engine, await call.swarm.list_tasks({service.id}), options)
    return await send_task_log(call, entries, raw=has_terminal(service.spec.task_template))


ROUTES = (
    route(
        "GET",
        "/services",
        list_services,
        Says(query="status:flag", filters=convert.FILTERS, answer=several(answers.SERVICE)),
    ),
    route(
        "POST",
        "/services/create",
        create_service,
        Says(
            headers=("X-Registry-Auth",),
            body=ServiceSpec,
            statuses=(201,),
            answer=answers.CREATED_SERVICE,
            errors=(403, 404, 409, 501),
        ),
    ),
    route(
        "GET",
        "/services/{ref}",
        inspect_service,
        Says(query="insertDefaults:flag backends:flag", answer=answers.SERVICE),
    ),
    route(
        "POST",
        "/services/{ref}/update",
        update_service,
        Says(
            query="version:integer! rollback registryAuthFrom",
            headers=("X-Registry-Auth",),
            body=ServiceSpec,
            answer=answers.WARNINGS,
            errors=(403, 409, 501),
        ),
    ),
    route("DELETE", "/services/{ref}", remove_service),
    route(
        "GET",
        "/services/{ref}/logs",
        stream_logs,
        Says(query=LOG_QUERY, content=LOG),
        since="1.29",
        streaming=True,
    ),
)
