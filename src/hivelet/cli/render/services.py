"""Services as rows: the columns of `service ls` and `stack services`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

from hivelet.cli.render.human import truncate_id
from hivelet.cli.render.listing import Row, View

Json: TypeAlias = dict[str, Any]

SERVICES = View(
    headers={
        "ID": "ID",
        "Name": "NAME",
        "Mode": "MODE",
        "Replicas": "REPLICAS",
        "Image": "IMAGE",
        "Ports": "PORTS",
    },
    table=("ID", "Name", "Mode", "Replicas", "Image", "Ports"),
)
STACKS = View(
    headers={"Name": "NAME", "Services": "SERVICES"}, table=("Name", "Services"), quiet="Name"
)
_MODES = {
    "Global": "global",
    "Replicated": "replicated",
    "ReplicatedJob": "replicated job",
    "GlobalJob": "global job",
}


def service_rows(services: Iterable[Json]) -> list[Row]:
    """A row for each service, by name."""
    ordered = sorted(services, key=lambda service: natural_key(service["Spec"]["Name"]))
    return [_row(service) for service in ordered]


def service_mode(spec: Mapping[str, Any]) -> str:
    """The mode of a service in words."""
    mode = spec.get("Mode") or {}
    return next((text for key, text in _MODES.items() if mode.get(key) is not None), "")


def stack_rows(services: Iterable[Json]) -> list[Row]:
    """A row for each stack that has a service, by name."""
    counts: dict[str, int] = {}
    for service in services:
        labels = service["Spec"].get("Labels") or {}
        name = labels.get("com.docker.stack.namespace")
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    return [
        {"Name": name, "Services": str(counts[name])} for name in sorted(counts, key=natural_key)
    ]


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """A sort key by which web.2 stands before web.10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", text)
    ]


def familiar_image(image: str) -> str:
    """An image for display: without its digest where it has a tag, without the parts that go without saying."""
    name, at, _digest = image.partition("@")
    if at and ":" not in name.rpartition("/")[2]:
        name = image
    for prefix in ("docker.io/library/", "docker.io/"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _row(service: Json) -> Row:
    spec = service["Spec"]
    container = spec.get("TaskTemplate", {}).get("ContainerSpec") or {}
    return {
        "ID": truncate_id(service["ID"]),
        "Name": spec["Name"],
        "Mode": service_mode(spec),
        "Replicas": _replicas(service),
        "Image": familiar_image(container.get("Image", "")),
        "Ports": published_ports((service.get("Endpoint") or {}).get("Ports") or []),
    }


def _replicas(service: Json) -> str:
    status = service.get("ServiceStatus") or {}
    running, desired = status.get("RunningTasks", 0), status.get("DesiredTasks", 0)
    completed = status.get("CompletedTasks", 0)
    mode = service["Spec"].get("Mode") or {}
    if mode.get("ReplicatedJob") is not None:
        total = mode["ReplicatedJob"].get("TotalCompletions", 0)
        return f"{running}/{desired} ({completed}/{total} completed)"
    if mode.get("GlobalJob") is not None:
        return f"{running}/{desired} ({completed}/{desired + completed} completed)"
    placement = service["Spec"].get("TaskTemplate", {}).get("Placement") or {}
    limit = placement.get("MaxReplicas", 0) if mode.get("Replicated") is not None else 0
    return f"{running}/{desired} (max {limit} per node)" if limit else f"{running}/{desired}"


def published_ports(ports: Iterable[Json]) -> str:
    """Ports of the ingress network, neighbours joined into ranges: `*:8000-8001->80-81/tcp`.

    One that is bound to an address of the host has that address in place of the asterisk; Docker Swarm has none such.
    """
    ingress = [port for port in ports if port.get("PublishMode", "ingress") == "ingress"]
    ingress.sort(key=lambda port: (port.get("Protocol", "tcp"), port.get("PublishedPort", 0)))
    told = [
        _ranges(host, [port for port in ingress if port.get("HostIP", "") == host])
        for host in sorted({port.get("HostIP", "") for port in ingress})
    ]
    return ", ".join(chain.from_iterable(told))


def _ranges(host: str, ports: Iterable[Json]) -> Iterator[str]:
    ranges: list[list[int | str]] = []
    for port in ports:
        published, target = port.get("PublishedPort", 0), port.get("TargetPort", 0)
        protocol = port.get("Protocol", "tcp")
        if not published:
            continue
        if ranges and _continues(ranges[-1], published, target, protocol):
            ranges[-1][1], ranges[-1][3] = published, target
        else:
            ranges.append([published, published, target, target, protocol])
    place = f"[{host}]" if ":" in host else host or "*"
    return (f"{place}:{_span(r[0], r[1])}->{_span(r[2], r[3])}/{r[4]}" for r in ranges)


def _continues(current: list[Any], published: int, target: int, protocol: str) -> bool:
    """Whether a port is the next of a range. A range of targets never goes back."""
    _, last_published, first_target, last_target, current_protocol = current
    if protocol != current_protocol or published - last_published > 1:
        return False
    step = target - last_target
    if step < 0 or step > 1:
        return False
    return not (first_target != last_target and target <= last_target)


def _span(first: int | str, last: int | str) -> str:
    return str(first) if first == last else f"{first}-{last}"
