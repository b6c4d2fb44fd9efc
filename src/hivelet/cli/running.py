"""Which container a person means who names a service, a slot of it, or a task. Pure but for the reading.

Rule: a service's own name wins; then `SERVICE.SLOT` (a node's name or id for a global service); then a task's id. Of several
tasks that fit, one on the node that answers is taken, the lowest slot first, the newest of a slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from hivelet.cli.session import Session
from hivelet.client.engine import Engine
from hivelet.errors import Conflict, NotFound

Json: TypeAlias = dict[str, Any]


def container_of(session: Session, ref: str) -> str:
    """The id of the container that `ref` means.

    Raises:
        NotFound: there is no such service, slot or task.
        Conflict: it does not run, or not on this node.
    """
    engine = session.engine
    name, tasks = _candidates(engine, ref)
    running = [task for task in tasks if _runs(task)]
    if not running:
        raise Conflict(_why_not(ref, name, tasks))
    here = (engine.info().get("Swarm") or {}).get("NodeID", "")
    task = choose_task(running, here)
    if task is None:
        node = engine.node(running[0]["NodeID"])
        host = (node.get("Description") or {}).get("Hostname", running[0]["NodeID"])
        raise Conflict(
            f"{ref} runs on the node {host}, and commands are run only by the node that is asked: "
            f"hivelet -H ssh://{host} service exec {ref} …"
        )
    return str(task["Status"]["ContainerStatus"]["ContainerID"])


def choose_task(running: Iterable[Json], here: str) -> Json | None:
    """The task to go to, on the node `here`; None where all are elsewhere."""
    near = [task for task in running if task.get("NodeID") == here]
    near.sort(key=lambda task: str(task.get("CreatedAt", "")), reverse=True)
    near.sort(key=lambda task: task.get("Slot") or 0)
    return near[0] if near else None


def _candidates(engine: Engine, ref: str) -> tuple[str, list[Json]]:
    """The name of the service and those of its tasks that `ref` may mean."""
    service = _service(engine, ref)
    if service is not None:
        return _name(service), engine.tasks({"service": [service["ID"]]})
    front, dot, slot = ref.rpartition(".")
    # As tasks are called in lists, `web.2.4fk…`: the id says it all.
    service = _service(engine, front) if dot else None
    if service is not None:
        tasks = engine.tasks({"service": [service["ID"]]})
        fitting = [task for task in tasks if _in_slot(engine, task, slot)]
        if not fitting:
            raise NotFound(
                f'{_name(service)} has no slot "{slot}"; `hivelet service ps {_name(service)}` lists them'
            )
        return _name(service), fitting
    try:
        return "", [engine.task(slot if dot else ref)]
    except NotFound as error:
        raise NotFound(
            f"there is no service, slot or task called {ref}; "
            "`hivelet service ls` and `hivelet service ps SERVICE` list them"
        ) from error


def _service(engine: Engine, ref: str) -> Json | None:
    try:
        return engine.service(ref)
    except NotFound:
        return None


def _name(service: Json) -> str:
    return str(service["Spec"]["Name"])


def _in_slot(engine: Engine, task: Json, slot: str) -> bool:
    if task.get("Slot"):
        return str(task["Slot"]) == slot
    node = str(task.get("NodeID", ""))
    if not node:
        return False
    if node == slot:
        return True
    return bool((engine.node(node).get("Description") or {}).get("Hostname") == slot)


def _runs(task: Json) -> bool:
    status = task.get("Status") or {}
    has_container = (status.get("ContainerStatus") or {}).get("ContainerID")
    return bool(has_container) and status.get("State") == "running"


def _why_not(ref: str, name: str, tasks: list[Json]) -> str:
    """Why nothing of `ref` runs, with the newest task's own reason."""
    look = f"`hivelet service ps {name}` shows its tasks" if name else "its container has ended"
    if not tasks:
        return f"{ref} has no tasks; {look}"
    newest = max(tasks, key=lambda task: str(task.get("CreatedAt", "")))
    status = newest.get("Status") or {}
    reason = status.get("Err") or status.get("Message") or ""
    state = f"{status.get('State', 'unknown')}{f' ({reason})' if reason else ''}"
    return f"nothing of {ref} is running: its newest task is {state}; {look}"
