"""What a log line says of the object that it is about: the same keys everywhere, SwarmKit's dotted names. Pure.

Ids are whole, so that a line is found by what `inspect` shows; names are beside them for whoever reads. The table of keys is in
`docs/operations.md`, and a test holds all log calls against it.
"""

from __future__ import annotations

from collections.abc import Mapping

from hivelet.objects.task import Task

_SERVICE_ID, _SERVICE_NAME = "com.docker.swarm.service.id", "com.docker.swarm.service.name"


def task_fields(task: Task) -> dict[str, str]:
    """A task and its service."""
    return {
        "task.id": task.id,
        "service.id": task.service_id,
        "service.name": task.service_annotations.name,
    }


def container_fields(
    container_id: str, name: str, task_id: str, labels: Mapping[str, str]
) -> dict[str, str]:
    """A container, and the task and service that it belongs to, if any."""
    found = {
        "container.id": container_id,
        "container.name": name.removeprefix("/"),
        "task.id": task_id,
        "service.id": labels.get(_SERVICE_ID, ""),
        "service.name": labels.get(_SERVICE_NAME, ""),
    }
    return {key: value for key, value in found.items() if value}
