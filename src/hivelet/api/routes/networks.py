"""Networks of both scopes: those of the swarm and those of this node, told apart only where one is changed."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says
from hivelet.api.openapi.schemas import several
from hivelet.api.router import route
from hivelet.convert import network as convert
from hivelet.convert.image import until_moment
from hivelet.convert.lookup import find
from hivelet.convert.network_services import Surroundings, encode_services
from hivelet.convert.shape import Json
from hivelet.errors import Conflict, Forbidden, HiveletError, NotASwarmManager
from hivelet.objects.common import NetworkId, TaskId
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.network import Network


async def list_networks(call: Call) -> web.Response:
    """`GET /networks`."""
    filters = call.filters(convert.FILTERS)
    networks = convert.select_networks(await _all(call), filters, await _used(call))
    if call.version < (1, 28):
        networks = [await _with_containers(call, network) for network in networks]
    return reply([_dated(call, network) for network in networks])


async def inspect_network(call: Call) -> web.Response:
    """`GET /networks/{id}`, with this node's containers in it; `backends` (with `verbose`) is hivelet's own."""
    network = await _find(call, scope=call.query.get("scope", ""))
    containers = await call.engine.network_containers(NetworkId(network["Id"]))
    if network["Scope"] != "swarm":
        return reply(_dated(call, convert.with_containers(network, containers)))
    if call.flag("verbose"):
        around = Surroundings(
            ingress=network["Ingress"],
            endpoints={each.name: each.endpoint_id for each in containers.values()},
            hosts={node.id: node.status.addr for node in await call.swarm.list_nodes()},
            traffic=await _traffic(call) if call.flag("backends") else None,
        )
        network["Services"] = await _services(call, NetworkId(network["Id"]), around)
    return reply(_dated(call, convert.with_containers(network, containers)))


async def _traffic(call: Call) -> Mapping[TaskId, BackendTraffic]:
    return await call.engine.task_traffic([task.id for task in await call.swarm.list_tasks()])


async def _with_containers(call: Call, network: Json) -> Json:
    containers = await call.engine.network_containers(NetworkId(network["Id"]))
    return convert.with_containers(network, containers)


def _dated(call: Call, network: Json) -> Json:
    """The network as its client's time knows it: the docker CLI 28 takes one that is silent of IPv4 for one without it."""
    return {**network, "EnableIPv4": True} if call.version >= (1, 47) else network


async def create_network(call: Call) -> web.Response:
    """`POST /networks/create`."""
    spec = convert.parse_network_spec(await call.json())
    if any(network["Name"] == spec.name for network in await _all(call)):
        raise Conflict(f"network with name {spec.name} already exists")
    if spec.scope == "swarm":
        identity = await call.swarm.create_network(spec)
    else:
        identity = await call.engine.create_node_network(spec)
    return reply({"Id": identity, "Warning": ""}, status=201)


async def remove_network(call: Call) -> web.Response:
    """`DELETE /networks/{id}`."""
    network = await _find(call)
    if network["Scope"] == "swarm":
        await call.swarm.remove_network(network["Id"])
        return done(204)
    if network["Name"] in convert.PREDEFINED:
        raise Forbidden(f"{network['Name']} is a pre-defined network and cannot be removed")
    await call.engine.remove_node_network(network["Id"])
    return done(204)


async def prune_networks(call: Call) -> web.Response:
    """`POST /networks/prune`; what is in use after all when its turn comes stays."""
    filters = call.filters(convert.PRUNE_FILTERS)
    limits = [until_moment(value, call.now) for value in filters.get("until")]
    used, removed = await _used(call), []
    for network in await _all(call):
        labels = network["Labels"] or {}
        old = all(until_moment(network["Created"], call.now) < limit for limit in limits)
        fits = filters.labels("label", labels) and filters.without_labels("label!", labels)
        if not (old and fits and convert.is_dangling(network, used)):
            continue
        try:
            if network["Scope"] == "swarm":
                await call.swarm.remove_network(network["Id"])
            else:
                await call.engine.remove_node_network(network["Id"])
        except HiveletError:
            continue  # somebody began to use it between the look and the removal
        removed.append(network["Name"])
    call.engine.note_prune("network", 0)
    return reply({"NetworksDeleted": removed or None})


async def connect_network(call: Call) -> web.Response:
    """`POST /networks/{id}/connect`."""
    container, wish, _ = convert.parse_connection(await call.json())
    network = await _find(call)
    await call.engine.connect_network(network["Id"], container, wish)
    return done()


async def disconnect_network(call: Call) -> web.Response:
    """`POST /networks/{id}/disconnect`."""
    container, _, force = convert.parse_connection(await call.json())
    network = await _find(call)
    await call.engine.disconnect_network(network["Id"], container, force=force)
    return done()


async def _all(call: Call) -> list[Json]:
    local = [convert.encode_node_network(n) for n in await call.engine.list_node_networks()]
    return [convert.encode_network(n) for n in await _cluster_networks(call)] + local


async def _cluster_networks(call: Call) -> list[Network]:
    try:
        return list(await call.swarm.list_networks())
    except NotASwarmManager:
        return []  # networks of this node are shown in a swarm or not


async def _find(call: Call, *, scope: str = "") -> Json:
    everything = await _all(call)
    if scope == "swarm" and call.ref in convert.PREDEFINED:
        # Services can be in these as well: the swarm knows them by name, and clients ask it for them.
        named = next(n for n in everything if n["Name"] == call.ref)
        await call.swarm.list_networks()
        return named | {"Scope": "swarm"}
    networks = [n for n in everything if scope in {"", n["Scope"]}]
    return find(call.ref, networks, convert.key_of, noun="network")


async def _used(call: Call) -> frozenset[str]:
    """Ids of networks with a container, or with a service that asks for them."""
    containers = await call.engine.list_containers()
    used = {
        endpoint.network_id
        for container in containers
        for endpoint in container.networks.values()
        if endpoint.endpoint_id
    }
    try:
        services = await call.swarm.list_services()
    except NotASwarmManager:
        services = []
    wanted = {network.target for service in services for network in service.networks}
    return frozenset(str(one) for one in used | wanted)


async def _services(call: Call, network: NetworkId, around: Surroundings) -> Json:
    services = await call.swarm.list_services()
    tasks = await call.swarm.list_tasks()
    return encode_services(network, services, tasks, around)


ROUTES = (
    route(
        "GET",
        "/networks",
        list_networks,
        Says(filters=convert.FILTERS, answer=several(answers.NETWORK)),
    ),
    route(
        "POST",
        "/networks/create",
        create_network,
        Says(
            body=convert.NetworkRequest,
            statuses=(201,),
            answer=answers.CREATED_NETWORK,
            errors=(403, 404, 409),
        ),
    ),
    route(
        "POST",
        "/networks/prune",
        prune_networks,
        Says(filters=convert.PRUNE_FILTERS, answer=answers.PRUNED_NETWORKS),
        since="1.25",
    ),
    route(
        "GET",
        "/networks/{ref}",
        inspect_network,
        Says(query="scope verbose:flag backends:flag", answer=answers.NETWORK),
    ),
    route("DELETE", "/networks/{ref}", remove_network, Says(statuses=(204,), errors=(403, 409))),
    route(
        "POST",
        "/networks/{ref}/connect",
        connect_network,
        Says(body=convert.Connection, errors=(403, 409)),
    ),
    route(
        "POST",
        "/networks/{ref}/disconnect",
        disconnect_network,
        Says(body=convert.Connection, errors=(403, 409)),
    ),
)
