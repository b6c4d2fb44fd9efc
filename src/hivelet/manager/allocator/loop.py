"""When the allocator decides: networks on their own, services together with their NEW tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from hivelet.errors import Conflict
from hivelet.manager.allocator.book import PREDEFINED, AddressBook, ingress_of
from hivelet.manager.allocator.networks import (
    NoSubnet,
    allocate_attachments,
    allocate_network,
    forget_network,
    used_subnets,
)
from hivelet.manager.allocator.services import (
    allocate_endpoint,
    allocate_ports,
    held_ports,
    needs_ingress,
)
from hivelet.manager.allocator.tasks import allocate_tasks, attachment_configs, hold_task
from hivelet.manager.runner import Decisions, Runner
from hivelet.objects.common import NetworkId, ServiceId
from hivelet.objects.network import Network
from hivelet.objects.plan import NOTHING, Plan, Write, merge_plans
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event
from hivelet.store.view import View

Key = tuple[str, str]
"""("network" or "service", id)"""

RETRY = timedelta(seconds=1)
"""How long until something that is short (addresses, subnets) is asked for again, whatever happens."""

HostSubnets = Callable[[], Mapping[str, str]]


def allocator(store: Store, host_subnets: HostSubnets) -> Runner[Key]:
    """The allocator's loop over `store`. `host_subnets` says what the hosts themselves use, and who uses it."""
    loop = AllocatorLoop(host_subnets)
    return Runner(
        store,
        Decisions(
            name="allocator",
            actor=Actor.ALLOCATOR,
            kinds=(Network, Service, Task),
            touched=loop.touched,
            everything=loop.everything,
            decide=loop.decide,
            about=lambda key: {f"{key[0]}.id": key[1]},
        ),
    )


class AllocatorLoop:
    """Keeps the address book in step with the store, and reads what each decision needs."""

    def __init__(self, host_subnets: HostSubnets) -> None:
        self._host_subnets = host_subnets
        self._book = AddressBook()

    def everything(self, view: View) -> Iterator[Key]:
        """Build the book anew; then networks before services."""
        self._book = AddressBook()
        for kind in (Network, Service, Task):
            for obj in view.all(kind):
                self._book.observe(obj)
        yield from (("network", network.id) for network in view.all(Network))
        yield from (("service", service.id) for service in view.all(Service))

    def touched(self, view: View, event: Event) -> Iterable[Key]:
        """Follow the event in the book, and name what to look at."""
        self._book.observe(event.obj, removed=event.action is Action.REMOVE)
        match event.obj:
            case Network():
                return _by_network(view, event.obj, event.action)
            case Service():
                return _by_service(event.obj, event.old, event.action)
            case Task():
                return _by_task(view, event.obj, event.action)
            case _:
                return ()

    def decide(self, view: View, key: Key, now: datetime) -> Plan:
        """Look at one network, or at one service and its new tasks."""
        kind, id_ = key
        if kind == "network":
            network = view.network(NetworkId(id_))
            return NOTHING if network is None else self._decide_network(view, network, now)
        service = view.service(ServiceId(id_))
        if service is None or service.pending_delete:
            return NOTHING
        return self._decide_service(view, service, now)

    def _decide_network(self, view: View, network: Network, now: datetime) -> Plan:
        if network.pending_delete:
            return forget_network(network, view.tasks_in_network(network.id))
        if network.ipam is not None:
            return allocate_attachments(network, self._book)
        used = {**used_subnets(view.all(Network)), **self._host_subnets()}
        try:
            return allocate_network(network, used, view.cluster())
        except NoSubnet as error:
            self._book.troubles[network.id] = error.message
            waiting = view.services_in_network(network.id, network.spec.name)
            tasks = (t for service in waiting for t in view.tasks_without_addresses(service.id))
            held = merge_plans(hold_task(task, error.message, now) for task in tasks)
            return Plan(writes=held.writes, wake_at=now + RETRY, why=error.message)

    def _decide_service(self, view: View, service: Service, now: datetime) -> Plan:
        tasks = view.tasks_without_addresses(service.id)
        ingress = ingress_of(view.all(Network)) if needs_ingress(service) else None
        wanted = attachment_configs(service, ingress.id if ingress else None)
        trouble = self._trouble(view, service, wanted, has_ingress=ingress is not None)
        if trouble:
            return merge_plans(hold_task(task, trouble, now) for task in tasks)
        try:
            ports = allocate_ports(service, held_ports(view.all(Service), service.id))
            endpoint = allocate_endpoint(
                service, list(wanted), ports, self._book, ingress.id if ingress else None
            )
        except Conflict as error:
            held = merge_plans(hold_task(task, error.message, now) for task in tasks)
            return Plan(writes=held.writes, wake_at=now + RETRY, why=error.message)
        writes: list[Write] = []
        if endpoint is not service.endpoint:
            writes.append(Write(update=(service.replaced(endpoint=endpoint),), why="endpoint"))
        plan = allocate_tasks(tasks, wanted, endpoint.ports, self._book, now)
        short = sum(map(_is_pending, plan.writes)) < len(tasks)
        return merge_plans(
            [Plan(writes=tuple(writes), wake_at=now + RETRY if short else None), plan]
        )

    def _trouble(
        self,
        view: View,
        service: Service,
        wanted: Iterable[NetworkId],
        *,
        has_ingress: bool,
    ) -> str:
        """Why the service's tasks can't have addresses yet; "" where they can."""
        if needs_ingress(service) and not has_ingress:
            return "service needs ingress network, but no ingress network is present"
        for network_id in wanted:
            if self._book.ready(network_id):
                continue
            if view.network(network_id) is None and network_id not in PREDEFINED:
                return f"network {network_id} not found"
            # Without a known trouble it is just a matter of the next decision.
            return self._book.troubles.get(network_id, f"network {network_id} has no subnet yet")
        return ""


def _is_pending(write: Write) -> int:
    return sum(
        isinstance(obj, Task) and obj.status.state is TaskState.PENDING for obj in write.update
    )


def _by_network(view: View, network: Network, action: Action) -> Iterator[Key]:
    if action is Action.REMOVE:
        return
    yield ("network", network.id)
    if network.spec.ingress:
        users: Iterable[Service] = filter(needs_ingress, view.all(Service))
    else:
        users = view.services_in_network(network.id, network.spec.name)
    yield from (("service", service.id) for service in users)


def _by_service(service: Service, old: object, action: Action) -> Iterator[Key]:
    if action is Action.REMOVE:
        return
    if not isinstance(old, Service) or old.spec is not service.spec:
        yield ("service", service.id)


def _by_task(view: View, task: Task, action: Action) -> Iterator[Key]:
    if action is Action.CREATE and task.status.state is TaskState.NEW:
        yield ("service", task.service_id)
    if action is Action.REMOVE or task.status.state.terminal:
        for attachment in task.networks:
            network = view.network(attachment.network_id)
            if network is not None and network.pending_delete:
                yield ("network", network.id)
