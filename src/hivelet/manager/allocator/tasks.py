"""Which addresses a task gets on its way from NEW to PENDING. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from hivelet.errors import Conflict
from hivelet.manager.allocator.book import PREDEFINED, AddressBook
from hivelet.objects.common import NetworkId
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.plan import Plan, Write, merge_plans
from hivelet.objects.service import Service
from hivelet.objects.task import NetworkAttachment, PortConfig, Task, TaskState

ALLOCATED = "pending task scheduling"
"""SwarmKit's message for a task that waits for a node."""


def attachment_configs(
    service: Service, ingress: NetworkId | None
) -> dict[NetworkId, NetworkAttachmentConfig]:
    """The networks that a task of the service joins, ingress included where it is needed."""
    wanted = {NetworkId(config.target): config for config in service.networks}
    if ingress is not None:
        wanted.setdefault(ingress, NetworkAttachmentConfig(target=ingress))
    return wanted


def allocate_tasks(
    tasks: Iterable[Task],
    wanted: Mapping[NetworkId, NetworkAttachmentConfig],
    ports: list[PortConfig],
    book: AddressBook,
    now: datetime,
) -> Plan:
    """Addresses for all of `tasks`, as far as there are any; the rest is told why it waits."""
    plans: list[Plan] = []
    ready: list[Task] = []
    for task in tasks:
        try:
            attachments = _attach(task, wanted, book)
        except Conflict as error:
            plans.append(hold_task(task, error.message, now))
            continue
        status = task.status.replaced(
            timestamp=now, state=TaskState.PENDING, message=ALLOCATED, err=""
        )
        ready.append(task.replaced(networks=attachments, ports=ports, status=status))
    if ready:
        why = f"{len(ready)} tasks have their addresses"
        plans.append(Plan(writes=(Write(update=tuple(ready), why=why),), why=why))
    return merge_plans(plans)


def hold_task(task: Task, trouble: str, now: datetime) -> Plan:
    """Tell why the task stays NEW; nothing where it says so already."""
    if task.status.err == trouble:
        return Plan()
    status = task.status.replaced(timestamp=now, err=trouble)
    return Plan(writes=(Write(update=(task.replaced(status=status),), why=trouble),), why=trouble)


def _attach(
    task: Task, wanted: Mapping[NetworkId, NetworkAttachmentConfig], book: AddressBook
) -> list[NetworkAttachment]:
    try:
        return [
            NetworkAttachment(
                network_id=network_id,
                addresses=[] if network_id in PREDEFINED else book.give(network_id, task.id),
                aliases=config.aliases,
                driver_opts=config.driver_opts,
            )
            for network_id, config in wanted.items()
        ]
    except Conflict:
        book.take_back(task.id)
        raise
