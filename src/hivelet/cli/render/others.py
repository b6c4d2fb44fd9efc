"""Nodes, networks, secrets and configs, images and containers as rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from hivelet.cli.render.human import (
    ago,
    ellipsis,
    go_time,
    human_size,
    precise_size,
    truncate_id,
)
from hivelet.cli.render.listing import Row, View
from hivelet.cli.render.services import natural_key
from hivelet.kit.durations import human_duration
from hivelet.kit.gotemplate import NIL

Json: TypeAlias = dict[str, Any]

NODES = View(
    headers={
        "ID": "ID",
        "_MarkedID": "ID",
        "Self": "",
        "Hostname": "HOSTNAME",
        "Status": "STATUS",
        "Availability": "AVAILABILITY",
        "ManagerStatus": "MANAGER STATUS",
        "EngineVersion": "ENGINE VERSION",
        "TLSStatus": "TLS STATUS",
    },
    table=("_MarkedID", "Hostname", "Status", "Availability", "ManagerStatus", "EngineVersion"),
)
NETWORKS = View(
    headers={
        "ID": "NETWORK ID",
        "Name": "NAME",
        "Driver": "DRIVER",
        "Scope": "SCOPE",
        "IPv4": "IPV4",
        "IPv6": "IPV6",
        "Internal": "INTERNAL",
        "Labels": "LABELS",
        "CreatedAt": "CREATED AT",
    },
    table=("ID", "Name", "Driver", "Scope"),
)
VOLUMES = View(
    headers={
        "Name": "VOLUME NAME",
        "Driver": "DRIVER",
        "Scope": "SCOPE",
        "Availability": "AVAILABILITY",
        "Mountpoint": "MOUNTPOINT",
        "Links": "LINKS",
        "Size": "SIZE",
        "Group": "GROUP",
        "Status": "STATUS",
        "Labels": "LABELS",
    },
    table=("Driver", "Name"),
    quiet="Name",
)
SECRETS = View(
    headers={
        "ID": "ID",
        "Name": "NAME",
        "Driver": "DRIVER",
        "CreatedAt": "CREATED",
        "UpdatedAt": "UPDATED",
        "Labels": "LABELS",
    },
    table=("ID", "Name", "Driver", "CreatedAt", "UpdatedAt"),
)
CONFIGS = View(
    headers={field: text for field, text in SECRETS.headers.items() if field != "Driver"},
    table=("ID", "Name", "CreatedAt", "UpdatedAt"),
)
IMAGES = View(
    headers={
        "Repository": "REPOSITORY",
        "Tag": "TAG",
        "Digest": "DIGEST",
        "ID": "IMAGE ID",
        "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT",
        "Size": "SIZE",
        "Containers": "CONTAINERS",
        "VirtualSize": "SIZE",
        "SharedSize": "SHARED SIZE",
        "UniqueSize": "UNIQUE SIZE",
    },
    table=("Repository", "Tag", "ID", "CreatedSince", "Size"),
)
CONTAINERS = View(
    headers={
        "ID": "CONTAINER ID",
        "Image": "IMAGE",
        "Command": "COMMAND",
        "CreatedAt": "CREATED AT",
        "RunningFor": "CREATED",
        "Status": "STATUS",
        "State": "STATE",
        "Ports": "PORTS",
        "Names": "NAMES",
        "Labels": "LABELS",
        "Networks": "NETWORKS",
        "Mounts": "MOUNTS",
        "LocalVolumes": "LOCAL VOLUMES",
        "Size": "SIZE",
        "Platform": "PLATFORM",
    },
    table=("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"),
)
SIZED_CONTAINERS = View(headers=CONTAINERS.headers, table=(*CONTAINERS.table, "Size"))
_COMMAND_WIDTH = 20


def node_rows(nodes: Iterable[Json], own_id: str) -> list[Row]:
    """A row for each node, by hostname; the one that answers is marked."""
    ordered = sorted(nodes, key=lambda node: natural_key(_hostname(node)))
    return [_node_row(node, node["ID"] == own_id) for node in ordered]


def _hostname(node: Json) -> str:
    return str((node.get("Description") or {}).get("Hostname", ""))


def _node_row(node: Json, own: bool) -> Row:
    manager, description = node.get("ManagerStatus") or {}, node.get("Description") or {}
    standing = (
        "Leader" if manager.get("Leader") else str(manager.get("Reachability", "")).capitalize()
    )
    return {
        "ID": node["ID"],
        "_MarkedID": f"{node['ID']} {'*' if own else ' '}",
        "Self": own,
        "Hostname": _hostname(node),
        "Status": str((node.get("Status") or {}).get("State", "")).capitalize(),
        "Availability": str(node["Spec"].get("Availability", "")).capitalize(),
        "ManagerStatus": standing,
        "EngineVersion": (description.get("Engine") or {}).get("EngineVersion", ""),
        "TLSStatus": "Ready" if (description.get("TLSInfo") or {}).get("TrustRoot") else "Unknown",
    }


def network_rows(networks: Iterable[Json], *, trunc: bool) -> list[Row]:
    """A row for each network, by name."""
    return [
        {
            "ID": truncate_id(network["Id"]) if trunc else network["Id"],
            "Name": network["Name"],
            "Driver": network.get("Driver", ""),
            "Scope": network.get("Scope", ""),
            "IPv4": str(network.get("EnableIPv4", True)).lower(),
            "IPv6": str(network.get("EnableIPv6", False)).lower(),
            "Internal": str(network.get("Internal", False)).lower(),
            "Labels": label_text(network.get("Labels")),
            "CreatedAt": go_time(network.get("Created", "")),
        }
        for network in sorted(networks, key=lambda network: natural_key(network["Name"]))
    ]


def volume_rows(volumes: Iterable[Json]) -> list[Row]:
    """A row for each volume, by name. What only `system df` and cluster volumes have is not told."""
    unknown = dict.fromkeys(("Availability", "Links", "Size", "Group", "Status"), "N/A")
    return [
        {
            **unknown,
            "Name": volume["Name"],
            "Driver": volume.get("Driver", ""),
            "Scope": volume.get("Scope", ""),
            "Mountpoint": volume.get("Mountpoint", ""),
            "Labels": label_text(volume.get("Labels")),
        }
        for volume in sorted(volumes, key=lambda volume: natural_key(volume["Name"]))
    ]


def secret_rows(secrets: Iterable[Json], *, now: datetime) -> list[Row]:
    """A row for each secret, by name."""
    rows = zip(_by_name(secrets), config_rows(secrets, now=now), strict=True)
    return [
        {**row, "Driver": (secret["Spec"].get("Driver") or {}).get("Name", "")}
        for secret, row in rows
    ]


def _by_name(entries: Iterable[Json]) -> list[Json]:
    return sorted(entries, key=lambda entry: natural_key(entry["Spec"]["Name"]))


def config_rows(configs: Iterable[Json], *, now: datetime) -> list[Row]:
    """A row for each config, by name."""
    return [
        {
            "ID": entry["ID"],
            "Name": entry["Spec"]["Name"],
            "CreatedAt": ago(entry.get("CreatedAt", ""), now),
            "UpdatedAt": ago(entry.get("UpdatedAt", ""), now),
            "Labels": label_text(entry["Spec"].get("Labels")),
        }
        for entry in _by_name(configs)
    ]


def image_rows(images: Iterable[Json], *, now: datetime, trunc: bool) -> list[Row]:
    """A row for each name of each image, the newest image first."""
    rows: list[Row] = []
    for image in sorted(images, key=lambda image: int(image.get("Created", 0)), reverse=True):
        tags = [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
        digests = [digest for digest in image.get("RepoDigests") or [] if digest != "<none>@<none>"]
        names = [tag.rpartition(":")[::2] for tag in tags]
        if not names:
            names = [(digest.partition("@")[0], "<none>") for digest in digests] or [
                ("<none>", "<none>")
            ]
        rows += [
            _image_row(image, repository, tag, digests, now, trunc=trunc)
            for repository, tag in names
        ]
    return rows


def _image_row(
    image: Json, repository: str, tag: str, digests: list[str], now: datetime, *, trunc: bool
) -> Row:
    created = datetime.fromtimestamp(int(image.get("Created", 0)), UTC)
    digest = next(
        (d.partition("@")[2] for d in digests if d.startswith(f"{repository}@")), "<none>"
    )
    return {
        "Repository": repository,
        "Tag": tag,
        "Digest": digest,
        "ID": truncate_id(image["Id"]) if trunc else image["Id"],
        "CreatedSince": f"{human_duration((now - created).total_seconds())} ago",
        "CreatedAt": f"{created:%Y-%m-%d %H:%M:%S} +0000 UTC",
        "Size": human_size(image.get("Size", 0)),
        "VirtualSize": precise_size(image.get("Size", 0)),
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
        "Containers": "N/A" if image.get("Containers", -1) < 0 else str(image["Containers"]),
    }


def container_rows(containers: Iterable[Json], *, now: datetime, trunc: bool) -> list[Row]:
    """A row for each container, in the daemon's order: the newest first."""
    return [_container_row(container, now, trunc=trunc) for container in containers]


def _container_row(container: Json, now: datetime, *, trunc: bool) -> Row:
    created = datetime.fromtimestamp(int(container.get("Created", 0)), UTC)
    command = container.get("Command", "")
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    mounts = [
        mount.get("Name") or mount.get("Source", "") for mount in container.get("Mounts") or []
    ]
    return {
        "ID": truncate_id(container["Id"]) if trunc else container["Id"],
        "Image": _container_image(container, trunc=trunc),
        "Command": f'"{ellipsis(command, _COMMAND_WIDTH) if trunc else command}"',
        "CreatedAt": f"{created:%Y-%m-%d %H:%M:%S} +0000 UTC",
        "RunningFor": f"{human_duration((now - created).total_seconds())} ago",
        "Status": container.get("Status", ""),
        "State": container.get("State", ""),
        "Ports": container_ports(container.get("Ports") or []),
        "Names": ",".join(name.removeprefix("/") for name in container.get("Names") or []),
        "Labels": label_text(container.get("Labels")),
        "Networks": ",".join(sorted(networks)),
        "Platform": NIL,
        "Mounts": ",".join(mounts),
        "LocalVolumes": str(
            sum(mount.get("Driver") == "local" for mount in container.get("Mounts") or [])
        ),
        "Size": _container_size(container),
    }


def _container_size(container: Json) -> str:
    """What the container has written, and that with its image; both only where they were asked for."""
    written, whole = container.get("SizeRw", 0), container.get("SizeRootFs", 0)
    virtual = f" (virtual {human_size(whole)})" if whole > 0 else ""
    return f"{human_size(written)}{virtual}"


def wants_size(template: str) -> bool:
    """Whether a template shows sizes: only then does the daemon have to add them up, as with docker."""
    return bool(re.search(r"\.Size\b|\bjson\s+\.\s*[}|]", template))


def _container_image(container: Json, *, trunc: bool) -> str:
    image = str(container.get("Image") or "<no image>")
    if not trunc:
        return image
    if image == container.get("ImageID") or image.startswith("sha256:"):
        return truncate_id(image)
    return image.partition("@")[0]


def container_ports(ports: Iterable[Json]) -> str:
    """Ports of one container as `docker ps` words them: neighbours joined, ports with another number outside last."""
    groups: dict[tuple[str, str], list[list[int]]] = {}
    mapped: list[str] = []
    for port in sorted(
        ports,
        key=lambda port: (port.get("PrivatePort", 0), port.get("IP", ""), port.get("Type", "")),
    ):
        inner, outer = port.get("PrivatePort", 0), port.get("PublicPort", 0)
        host, protocol = port.get("IP", ""), port.get("Type", "tcp")
        if host and outer != inner:
            mapped.append(f"{_host_port(host, str(outer))}->{inner}/{protocol}")
            continue
        spans = groups.setdefault((host, protocol), [])
        if spans and inner - spans[-1][1] <= 1:
            spans[-1][1] = inner
        else:
            spans.append([inner, inner])
    joined = [_span_text(key, span) for key, spans in groups.items() for span in spans]
    return ", ".join([*joined, *mapped])


def _span_text(key: tuple[str, str], span: list[int]) -> str:
    host, protocol = key
    text = str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"
    return f"{_host_port(host, text)}->{text}/{protocol}" if host else f"{text}/{protocol}"


def _host_port(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def label_text(labels: dict[str, str] | None) -> str:
    """Labels on one line."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
