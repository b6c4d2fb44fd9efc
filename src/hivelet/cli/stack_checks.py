"""What is refused before a deploy changes anything: ports that others publish, images that can't be had.

The daemon would find both as well, but only when networks and other services have been made already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from hivelet.cli.messages import plain_message
from hivelet.client.engine import Engine
from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]

_ANY = ("", "0.0.0.0")


def check_ports(specs: Iterable[Json], services: Iterable[Json]) -> None:
    """Refuse a published port that two services would have. Pure.

    Args:
        specs: the services of the deploy.
        services: all services there are; those that the deploy updates count with their new ports.

    Raises:
        Conflict: naming the port and both services.
    """
    specs = list(specs)
    own = {spec["Name"] for spec in specs}
    taken: list[tuple[Json, str]] = []
    for service in services:
        name = service["Spec"]["Name"]
        if name not in own:
            taken += [
                (port, name) for port in _published((service.get("Endpoint") or {}).get("Ports"))
            ]
    for spec in specs:
        for port in _published((spec.get("EndpointSpec") or {}).get("Ports")):
            holder = next((name for other, name in taken if _clash(port, other)), None)
            if holder is not None:
                raise Conflict(
                    f"port {port['PublishedPort']}/{port.get('Protocol', 'tcp')} of service {spec['Name']} is already "
                    f"published by service {holder}: publish another port, or remove that service"
                )
            taken.append((port, spec["Name"]))


def check_images(engine: Engine, specs: Iterable[Json], auth: Callable[[str], str]) -> None:
    """Refuse an image that is neither on this node nor in its registry; each is asked for once, with what `auth` has for it.

    Raises:
        InvalidParameter: naming the image, the service and the reason.
    """
    users: dict[str, str] = {}
    for spec in specs:
        container = spec["TaskTemplate"].get("ContainerSpec") or {}
        users.setdefault(str(container.get("Image", "")), str(spec["Name"]))
    for image, service in users.items():
        reason = _why_not(engine, image, auth)
        if reason:
            raise InvalidParameter(
                f"image {image} of service {service} is neither on this node nor to be had from its registry "
                f"({reason}): load it with `hivelet image load`, pull it, or correct the name"
            )


def _why_not(engine: Engine, image: str, auth: Callable[[str], str]) -> str:
    try:
        engine.image(image)
    except NotFound:
        try:
            engine.registry_image(image, registry_auth=auth(image))
        except HiveletError as error:
            return plain_message(error.message)
    except HiveletError as error:
        return plain_message(error.message)
    return ""


def _published(ports: Iterable[Json] | None) -> list[Json]:
    return [
        port
        for port in ports or []
        if port.get("PublishedPort") and port.get("PublishMode", "ingress") == "ingress"
    ]


def _clash(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one["PublishedPort"] != other["PublishedPort"]:
        return False
    if one.get("Protocol", "tcp") != other.get("Protocol", "tcp"):
        return False
    hosts = {one.get("HostIP", ""), other.get("HostIP", "")}
    return len(hosts) == 1 or any(host in _ANY for host in hosts)
