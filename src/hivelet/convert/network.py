"""Networks of both scopes as one kind of JSON; requests to make or join one; the filters of `GET /networks`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hivelet.convert.body import convert_json
from hivelet.convert.filters import Filters
from hivelet.convert.shape import Json, empty_to_none, encode, encode_meta, rfc3339
from hivelet.errors import Forbidden, InvalidParameter, NotFound
from hivelet.objects.common import (
    Annotations,
    Driver,
    NetworkId,
    Struct,
)
from hivelet.objects.container import EndpointRequest
from hivelet.objects.engine import NetworkContainer, NodeNetwork
from hivelet.objects.network import IpamConfig, IpamOptions, Network, NetworkSpec

FILTERS = ("driver", "type", "name", "id", "label", "scope", "dangling")
"""What `GET /networks` filters by."""

PRUNE_FILTERS = ("label", "label!", "until")
"""What `POST /networks/prune` filters by."""

PREDEFINED = ("bridge", "host", "none")
"""Networks that every engine has (the filter `type=builtin`)."""

_KEPT = (*PREDEFINED, "docker_gwbridge")
"""Networks that are in use without a container of the user's in them."""


class _Ipam(Struct, frozen=True, kw_only=True):
    driver: str = "default"
    options: dict[str, str] = {}
    config: list[IpamConfig] = []


class _ConfigFrom(Struct, frozen=True, kw_only=True):
    network: str = ""


class NetworkRequest(Struct, frozen=True, kw_only=True):
    """A client's wish for a network, as `POST /networks/create` takes it."""

    name: str = ""
    driver: str = ""
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    enable_ipv4: bool | None = msgspec.field(name="EnableIPv4", default=None)
    enable_ipv6: bool = msgspec.field(name="EnableIPv6", default=False)
    config_only: bool = False
    config_from: _ConfigFrom = _ConfigFrom()
    ipam: _Ipam = msgspec.field(name="IPAM", default=_Ipam())
    options: dict[str, str] = {}
    labels: dict[str, str] = {}


class Connection(Struct, frozen=True, kw_only=True):
    """Which container joins or leaves a network, and how."""

    container: str = ""
    force: bool = False
    endpoint_config: EndpointRequest = EndpointRequest()


def parse_network_spec(data: Json) -> NetworkSpec:
    """A client's wish for a network; drivers of scope swarm are `overlay` alone.

    Raises:
        InvalidParameter: it has no name, or a value has the wrong type.
    """
    request = convert_json(data, NetworkRequest)
    if not request.name.strip():
        raise InvalidParameter("a network needs a name")
    if request.config_only or request.config_from.network:
        raise InvalidParameter("config-only networks are for drivers that hivelet does not have")
    if request.enable_ipv4 is False:
        raise InvalidParameter(
            f"network {request.name} without IPv4: networks always have it; leave --ipv4=false out"
        )
    if request.name in (*PREDEFINED, "default"):
        raise Forbidden(f"operation is not permitted on predefined {request.name} network")
    if request.ipam.driver not in ("", "default"):
        raise NotFound(f'plugin "{request.ipam.driver}" not found')
    if request.driver in ("host", "null"):
        raise Forbidden(f'only one instance of "{request.driver}" network is allowed')
    driver = request.driver if request.driver not in {"", "default"} else "bridge"
    return NetworkSpec(
        annotations=Annotations(name=request.name, labels=request.labels),
        driver_configuration=Driver(name=driver, options=request.options),
        ipv6_enabled=request.enable_ipv6,
        internal=request.internal,
        attachable=request.attachable,
        ingress=request.ingress,
        ipam=_ipam_options(request.ipam),
        scope="swarm" if driver == "overlay" else "local",
    )


def parse_connection(data: Json) -> tuple[str, EndpointRequest, bool]:
    """A connect or disconnect request: the container, how it joins, and whether by force."""
    request = convert_json(data, Connection)
    return request.container, request.endpoint_config, request.force


def encode_network(network: Network) -> Json:
    """A network of scope swarm as `GET /networks` answers it, before its containers are added."""
    spec, ipam = network.spec, network.ipam or network.spec.ipam or IpamOptions()
    return _resource(
        Name=spec.name,
        Id=network.id,
        Created=rfc3339(network.meta.created_at),
        Scope="swarm",
        Driver=spec.driver_configuration.name or "overlay",
        EnableIPv6=spec.ipv6_enabled,
        IPAM=_encode_ipam(ipam),
        Internal=spec.internal,
        Attachable=spec.attachable,
        Ingress=spec.ingress,
        Containers=None,
        Options=empty_to_none(spec.driver_configuration.options),
        Labels=empty_to_none(spec.annotations.labels),
    )


def encode_node_network(network: NodeNetwork) -> Json:
    """A network of scope local."""
    return _resource(
        Name=network.name,
        Id=network.id,
        Created=rfc3339(network.created),
        Scope="local",
        Driver=network.driver,
        EnableIPv6=network.enable_ipv6,
        IPAM=_encode_ipam(network.ipam),
        Internal=network.internal,
        Attachable=network.attachable,
        Ingress=False,
        Containers=encode(network.containers),
        Options=network.options,
        Labels=network.labels,
    )


def with_containers(network: Json, containers: Mapping[str, NetworkContainer]) -> Json:
    """The JSON of a network of scope swarm with this node's containers in it."""
    return network | {"Containers": encode(containers)} if containers else network


def encode_cluster_network(network: Network) -> Json:
    """A network of scope swarm as tasks show what they are attached to: SwarmKit's shape, not the API's."""
    spec = network.spec
    shown: Json = {"Name": spec.name, "Labels": spec.annotations.labels}
    shown["DriverConfiguration"] = encode(spec.driver_configuration)
    for key, value in (
        ("IPv6Enabled", spec.ipv6_enabled),
        ("Internal", spec.internal),
        ("Attachable", spec.attachable),
        ("Ingress", spec.ingress),
    ):
        if value:
            shown[key] = value
    if spec.ipam is not None:
        shown["IPAMOptions"] = encode(spec.ipam)
    answer = encode_meta(network.id, network.meta)
    answer["Spec"] = shown | {"Scope": "swarm"}
    answer["DriverState"] = encode(spec.driver_configuration)
    if network.ipam is not None:
        answer["IPAMOptions"] = encode(network.ipam)
    return answer


def select_networks(networks: Iterable[Json], filters: Filters, used: frozenset[str]) -> list[Json]:
    """The networks, as JSON, that a list call asked for; `used` are the ids that something is attached to."""
    filters.one_of("type", ("builtin", "custom"))
    filters.one_of("scope", ("local", "swarm", "global"))
    dangling = filters.boolean("dangling")
    return [
        network
        for network in networks
        if filters.exact("driver", network["Driver"])
        and filters.pattern("name", network["Name"])
        and filters.pattern("id", network["Id"])
        and filters.labels("label", network["Labels"] or {})
        and filters.exact("scope", network["Scope"])
        and filters.exact("type", "builtin" if network["Name"] in PREDEFINED else "custom")
        and (dangling is None or dangling == is_dangling(network, used))
    ]


def is_dangling(network: Json, used: frozenset[str]) -> bool:
    """Whether a network was made by the user and nothing is attached to it."""
    return network["Name"] not in _KEPT and not network["Ingress"] and network["Id"] not in used


def key_of(network: Json) -> tuple[str, str]:
    """A network's id and name, for `hivelet.convert.lookup.find`."""
    return network["Id"], network["Name"]


def index_networks(networks: Iterable[Network]) -> dict[NetworkId, Network]:
    """Networks by id."""
    return {network.id: network for network in networks}


def _resource(**keys: object) -> Json:
    return {**keys, "ConfigFrom": {"Network": ""}, "ConfigOnly": False}


def _encode_ipam(ipam: IpamOptions) -> Json:
    return {
        "Driver": ipam.driver.name or "default",
        "Options": empty_to_none(ipam.driver.options),
        "Config": encode(ipam.configs),
    }


def _ipam_options(ipam: _Ipam) -> IpamOptions | None:
    if not ipam.config and not ipam.options and ipam.driver in {"", "default"}:
        return None
    driver = Driver(name=ipam.driver or "default", options=ipam.options)
    return IpamOptions(driver=driver, configs=ipam.config)
