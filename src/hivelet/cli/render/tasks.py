"""Tasks as rows: the columns of `service ps` and `stack ps`, earlier attempts at a slot set in below it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from hivelet.cli.render.human import ellipsis, parse_time, truncate_id
from hivelet.cli.render.listing import Row, View
from hivelet.cli.render.services import familiar_image, natural_key
from hivelet.kit.durations import human_duration

Json: TypeAlias = dict[str, Any]

TASKS = View(
    headers={
        "ID": "ID",
        "Name": "NAME",
        "Image": "IMAGE",
        "Node": "NODE",
        "DesiredState": "DESIRED STATE",
        "CurrentState": "CURRENT STATE",
        "Error": "ERROR",
        "Ports": "PORTS",
    },
    table=("ID", "Name", "Image", "Node", "DesiredState", "CurrentState", "Error", "Ports"),
)
_ERROR_WIDTH = 30


def task_rows(
    tasks: Iterable[Json],
    *,
    now: datetime,
    services: Mapping[str, str],
    nodes: Mapping[str, str],
    trunc: bool = True,
    indent: bool = True,
) -> list[Row]:
    """A row for each task, by name and the newest first; `services` and `nodes` have the names of ids."""
    named = [(task_name(task, services), task) for task in tasks]
    named.sort(key=lambda pair: pair[1].get("CreatedAt", ""), reverse=True)
    named.sort(key=lambda pair: natural_key(pair[0]))
    rows: list[Row] = []
    previous = ""
    for name, task in named:
        shown = f" \\_ {name}" if name == previous and indent else name
        rows.append(
            _row(
                task,
                shown,
                nodes.get(task.get("NodeID", ""), task.get("NodeID", "")),
                now,
                trunc=trunc,
            )
        )
        previous = name
    return rows


def task_name(task: Json, services: Mapping[str, str]) -> str:
    """`web.1`, or `web.NODEID` for a task of a global service."""
    service = services.get(task["ServiceID"], task["ServiceID"])
    return f"{service}.{task.get('Slot') or task.get('NodeID', '')}"


def _row(task: Json, name: str, node: str, now: datetime, *, trunc: bool) -> Row:
    status = task.get("Status") or {}
    image = (task["Spec"].get("ContainerSpec") or {}).get("Image", "")
    error = status.get("Err", "")
    if error:
        error = f'"{ellipsis(error, _ERROR_WIDTH) if trunc else error}"'
    return {
        "ID": truncate_id(task["ID"]) if trunc else task["ID"],
        "Name": name,
        "Image": familiar_image(image) if trunc else image,
        "Node": node,
        "DesiredState": task.get("DesiredState", "").capitalize(),
        "CurrentState": _current_state(status, now),
        "Error": error,
        "Ports": _ports(status),
    }


def _current_state(status: Json, now: datetime) -> str:
    moment = parse_time(status.get("Timestamp", ""))
    seconds = (now - moment).total_seconds() if moment else 0.0
    return f"{status.get('State', '').capitalize()} {human_duration(seconds).lower()} ago"


def _ports(status: Json) -> str:
    ports = (status.get("PortStatus") or {}).get("Ports") or []
    return ",".join(
        f"*:{port.get('PublishedPort', 0)}->{port.get('TargetPort', 0)}/{port.get('Protocol', 'tcp')}"
        for port in ports
    )
