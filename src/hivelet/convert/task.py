"""Tasks as JSON, with the networks they are attached to, and the filters of `GET /tasks`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hivelet.convert.filters import Filters
from hivelet.convert.network import PREDEFINED, encode_cluster_network
from hivelet.convert.service import encode_task_spec
from hivelet.convert.shape import Json, empty_to_none, encode, encode_meta, rfc3339
from hivelet.objects.common import NetworkId, NodeId, ServiceId
from hivelet.objects.network import Network
from hivelet.objects.task import NetworkAttachment, Task, TaskState, TaskStatus

FILTERS = ("name", "id", "label", "service", "node", "desired-state", "_up-to-date", "runtime")
"""What `GET /tasks` filters by."""

WAITS_FOR_PREDECESSOR = "waiting for the old task to stop"
"""A slot's next task is prepared while the one before it drains and stops."""

DESIRED_STATES = ("running", "shutdown", "accepted")
"""What the filter `desired-state` may say."""


def encode_task(task: Task, networks: Mapping[NetworkId, Network]) -> Json:
    """A task as `GET /tasks/{id}` answers it."""
    answer = encode_meta(task.id, task.meta)
    if task.annotations.name:
        answer["Name"] = task.annotations.name
    answer["Labels"] = task.annotations.labels
    answer["Spec"] = encode_task_spec(task.spec)
    if task.service_id:
        answer["ServiceID"] = task.service_id
    if slot := _shown_slot(task):
        answer["Slot"] = slot
    if task.node_id:
        answer["NodeID"] = task.node_id
    answer["Status"] = _encode_status(task.status)
    if not task.status.err and (why := why_not_running(task)):
        answer["Status"]["Err"] = why
    if task.generic_resources:
        answer["GenericResources"] = [encode(each) for each in task.generic_resources]
    answer["DesiredState"] = str(task.desired_state)
    attachments = [_encode_attachment(a, networks) for a in task.networks]
    if attachments:
        answer["NetworksAttachments"] = attachments
    if task.job_iteration is not None:
        answer["JobIteration"] = encode(task.job_iteration)
    return answer


def select_tasks(
    tasks: Iterable[Task],
    filters: Filters,
    *,
    services: Collection[ServiceId] | None,
    nodes: Collection[NodeId] | None,
) -> list[Task]:
    """The tasks that a list call asked for, its services and nodes found already (None: all).

    Tasks of plugins and of attached containers are left out unless `runtime` asks for them.
    """
    runtimes = filters.get("runtime") or ("container",)
    return [
        task
        for task in tasks
        if (services is None or task.service_id in services)
        and (nodes is None or task.node_id in nodes)
        and filters.prefix("name", task.name)
        and filters.prefix("id", task.id)
        and filters.labels("label", task.annotations.labels | task.service_annotations.labels)
        and filters.exact("desired-state", task.desired_state)
        and (task.spec.runtime or "container") in runtimes
    ]


def _shown_slot(task: Task) -> int:
    """The slot's number as SwarmKit counts: from 1, but those of a job from 0, and the docker CLI waits for slot 0 to complete."""
    return task.slot if task.job_iteration is None else max(task.slot - 1, 0)


def why_not_running(task: Task) -> str:
    """What is told of a task that does not run, or not for long, and that has no error."""
    if task.status.leaving:
        return task.status.message
    if task.evicted:
        return task.evicted
    if task.status.state is TaskState.STARTING and task.desired_state is TaskState.RUNNING:
        return _what_it_must_do(task)
    return _when_it_starts(task)


def _what_it_must_do(task: Task) -> str:
    """A container that has been started counts as running only when it is ready."""
    container = task.spec.container_spec
    check = container.healthcheck if container else None
    tests = check is not None and check.test not in ([], ["NONE"])
    asked = [_where_it_listens(task), "its health check must pass" if tests else ""]
    told = " and ".join(filter(None, asked))
    return f"not ready yet: {told}" if told else ""


def _where_it_listens(task: Task) -> str:
    tcp, udp = (
        [str(port) for port in sorted({p.target_port for p in task.ports if p.protocol == name})]
        for name in ("tcp", "udp")
    )
    places = [
        "on port " + ", ".join(tcp) if tcp else "",
        ("on one of the UDP ports " if udp[1:] else "on UDP port ") + ", ".join(udp) if udp else "",
    ]
    told = " and ".join(filter(None, places))
    return f"its program must listen {told}" if told else ""


def _when_it_starts(task: Task) -> str:
    """A task that is held: a crash loop must be visible as one, and one that waits for its predecessor says so."""
    if task.desired_state is not TaskState.READY:
        return ""
    if task.start_after is None:
        return WAITS_FOR_PREDECESSOR if task.status.state is TaskState.READY else ""
    history = task.restarts
    count = (
        "after a failure" if history.failures < 2 else f"after {history.failures} failures in a row"
    )
    told = f"starts again at {task.start_after:%H:%M:%S} UTC, {count}"
    return f"{told}; the last: {history.last_error}" if history.last_error else told


def _encode_status(status: TaskStatus) -> Json:
    answer: Json = {"Timestamp": rfc3339(status.timestamp), "State": str(status.state)}
    if status.message:
        answer["Message"] = status.message
    if status.err:
        answer["Err"] = status.err
    if status.container_status is not None:
        answer["ContainerStatus"] = encode(status.container_status)
    answer["PortStatus"] = {} if status.port_status is None else encode(status.port_status)
    return answer


def _encode_attachment(
    attachment: NetworkAttachment, networks: Mapping[NetworkId, Network]
) -> Json:
    network = networks.get(attachment.network_id)
    if network is not None:
        shown = encode_cluster_network(network)
    else:
        shown = {"ID": attachment.network_id}
        if attachment.network_id in PREDEFINED:
            shown["Spec"] = {"Name": attachment.network_id}
    answer: Json = {"Network": shown}
    if addresses := empty_to_none(attachment.addresses):
        answer["Addresses"] = addresses
    return answer
