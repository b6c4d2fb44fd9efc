"""A look at the swarm for `top`: services, tasks, counters of this node's containers, connections where the daemon tells of them."""

from __future__ import annotations

from typing import Any, TypeAlias

from hivelet.cli.session import Session
from hivelet.cli.top.usage import Look
from hivelet.errors import Conflict, HiveletError, NotFound
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]


def take_look(session: Session, stacks: tuple[str, ...], *, hivelet: bool) -> Look:
    """What there is now, of these stacks or of all services."""
    engine = session.engine
    services = tuple(
        entry
        for entry in engine.services(status=True)
        if not stacks or (entry["Spec"].get("Labels") or {}).get(STACK_LABEL) in stacks
    )
    known = {entry["ID"] for entry in services}
    tasks = tuple(task for task in engine.tasks() if task.get("ServiceID") in known)
    return Look(
        services=services,
        tasks=tasks,
        stats=_stats(session, tasks),
        connections=_connections(session, services) if hivelet else None,
    )


def _stats(session: Session, tasks: tuple[Json, ...]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for task in tasks:
        container = (task["Status"].get("ContainerStatus") or {}).get("ContainerID")
        if container and task["Status"]["State"] in {"starting", "running"}:
            try:
                found[container] = session.engine.container_stats(container)
            except (NotFound, Conflict):
                continue  # it has ended, or is another node's
    return found


def _connections(session: Session, services: tuple[Json, ...]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for service in services:
        try:
            backends = session.engine.service(service["ID"], backends=True).get("Backends") or []
        except NotFound:
            continue
        for backend in backends:
            there = backend["Connections"]
            found[backend["TaskID"]] = (int(there["Busy"]), int(there["Idle"]))
    return found


def is_unreachable(error: HiveletError) -> bool:
    """Whether the daemon is away for the moment, as while it is upgraded: a screen waits for it."""
    from hivelet.client.transport import DaemonUnreachable

    return isinstance(error, DaemonUnreachable)
