"""The whole control plane in one process: real store, loops, dispatcher and agents, over fake hosts and (usually) virtual time.

Every commit is held against `check_store` and the rules of the task model that only show from one commit to the next; what is
broken is collected in `violations` with the version it happened at.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from hivelet.agent.agent import Agent
from hivelet.kit.clock import Clock
from hivelet.manager.controlapi import ControlApi
from hivelet.manager.manager import Manager
from hivelet.objects.common import Annotations, NodeId, TaskId
from hivelet.objects.container import Healthcheck
from hivelet.objects.network import IpamConfig, IpamOptions, NetworkAttachmentConfig, NetworkSpec
from hivelet.objects.node import Node, NodeDescription, NodeSpec
from hivelet.objects.service import (
    EndpointSpec,
    GlobalMode,
    ReplicatedMode,
    Service,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.swarm import ServiceUpdate, SwarmInit
from hivelet.objects.task import ContainerSpec, PortConfig, Task, TaskSpec, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.invariants import check_store
from hivelet.store.journal import MemoryJournal
from hivelet.store.watch import Waker, Watcher, at_once
from hivelet.testing.checks import CheckingWatcher
from hivelet.testing.fragile import FragileJournal
from hivelet.testing.runtime import FakeExecutor, FakeHost
from hivelet.testing.virtual_time import VirtualClock

T = TypeVar("T")


class FakeSwarmHost:
    """What the control API asks of the machine."""

    hostname = "manager"
    without_ipv6 = ""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster

    def address(self, asked: str) -> str:
        """An address for documentation."""
        return asked or "192.0.2.1"

    async def used_subnets(self) -> Mapping[str, str]:
        """None that matter."""
        return {}

    async def joined(self, node_id: NodeId) -> None:
        """The manager's own node gets an agent."""
        await self._cluster.boot_node(node_id)

    async def unlocked(self) -> None:
        """Nothing: no simulation begins locked."""

    async def left(self) -> None:
        """Everything ends."""
        await self._cluster.stop()

    async def health_check(self, spec: ContainerSpec) -> Healthcheck | None:
        """Images of the simulation say nothing of health."""
        return spec.healthcheck


class SimulatedCluster:
    """A cluster to play with. `start` makes a swarm of one node; `crash` plays a SIGKILL of the daemon, `recover` its restart."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        journal: MemoryJournal | None = None,
        checking: bool = True,
        waker: Waker = at_once,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.journal = journal or MemoryJournal()
        self.hosts: dict[NodeId, FakeHost] = {}
        self.violations: list[str] = []
        self.silent: set[NodeId] = set()
        self.unheard: set[NodeId] = set()
        """Nodes that have been silent and may still run what was meanwhile replaced elsewhere."""
        self.excused: set[frozenset[TaskId]] = set()
        self._ids = itertools.count(1)
        self._waker = waker
        self.store = self._new_store()
        self.api = ControlApi(self.store, FakeSwarmHost(self))
        self.manager = Manager(self.store)
        self.agents: dict[NodeId, Agent] = {}
        self._checking = checking
        self._watcher: Watcher | None = None
        self._crashed = asyncio.Event()

    async def start(self, nodes: int = 1) -> None:
        """A new swarm, all nodes ready."""
        await self.store.open()
        self._check_commits()
        await self.manager.start()
        await self.api.init_swarm(SwarmInit())
        for number in range(1, nodes):
            await self.add_node(f"worker{number}")
        await self.until(lambda: all(n.status.state == "ready" for n in self.nodes()))

    async def add_node(self, hostname: str, host: FakeHost | None = None) -> NodeId:
        """One more worker, as if it had joined."""
        node = Node(
            id=NodeId(""),
            spec=NodeSpec(),
            description=NodeDescription(hostname=hostname),
        )
        made = await self.store.update(lambda tx: tx.create(node), Actor.DISPATCHER)
        self.hosts[made.id] = host or FakeHost(hostname)
        await self.boot_node(made.id)
        return made.id

    async def boot_node(self, node_id: NodeId) -> None:
        """Start the node's agent."""
        self.silent.discard(node_id)
        host = self.hosts.setdefault(node_id, FakeHost("manager"))
        executor = FakeExecutor(host, self.clock)
        agent = Agent(executor, self.manager.dispatcher, node_id, self.clock)
        self.agents[node_id] = agent
        await agent.start()

    async def stop_agent(self, node_id: NodeId) -> None:
        """The node falls silent until it is booted again; its containers go on."""
        self.silent.add(node_id)
        self.unheard.add(node_id)
        await self.agents.pop(node_id).stop()

    async def crash(self) -> None:
        """The daemon dies at once: memory is gone, what was not yet safe is lost, containers go on."""
        self._die()
        survivors = self.journal.survivors()
        await self.stop()
        self.journal = survivors

    def crash_at(self, write: int, *, keep: bool) -> None:
        """The daemon will die at the `write`th write from now; see `FragileJournal.break_at`.

        Raises:
            TypeError: the cluster was not made with a fragile journal.
        """
        if not isinstance(self.journal, FragileJournal):
            raise TypeError("only a FragileJournal breaks at a write")
        self.journal.break_at(write, keep=keep, then=self._die)

    @property
    def crashed(self) -> bool:
        """Whether the daemon has died; `crash` and `recover` bring it back."""
        return self._crashed.is_set()

    async def attempt(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` gives; None where the daemon dies before it is done."""
        doing = asyncio.ensure_future(work)
        dying = asyncio.ensure_future(self._crashed.wait())
        await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if self.crashed:
            doing.cancel()
            await asyncio.wait({doing})
            return None
        return await doing

    def _die(self) -> None:
        self._crashed.set()
        for host in self.hosts.values():
            host.daemon_dead = True

    async def recover(self) -> None:
        """The daemon starts again on what the journal and the hosts still have."""
        self._crashed.clear()
        for host in self.hosts.values():
            host.daemon_dead = False
        self.store = self._new_store()
        self.api = ControlApi(self.store, FakeSwarmHost(self))
        self.manager = Manager(self.store)
        await self.store.open()
        self._check_commits()
        await self.manager.start()
        for node in self.nodes():
            if node.id not in self.silent:
                await self.boot_node(node.id)

    async def stop(self) -> None:
        """End everything but the containers."""
        for agent in self.agents.values():
            await agent.stop()
        self.agents.clear()
        await self.manager.stop()
        if self._watcher is not None:
            self._watcher.close()

    async def until(self, condition: Callable[[], bool], within: float = 600.0) -> None:
        """Go on until the condition holds.

        Raises:
            AssertionError: it does not, for so many seconds; says how things stand.
        """
        with self.store.watch() as watcher:
            try:
                async with asyncio.timeout(within):
                    while not condition():
                        await watcher.wait()
                        watcher.drain()
                        # Let the loops finish with the same moment before looking again.
                        await asyncio.sleep(0)
            except TimeoutError as error:
                raise AssertionError(f"not within {within} s:\n{self.describe()}") from error

    async def settle(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def nodes(self) -> list[Node]:
        """All nodes."""
        return self.store.view(lambda view: list(view.all(Node)))

    def service(self, name: str) -> Service:
        """The service of that name."""
        found = self.store.view(lambda view: view.by_name(Service, name))
        assert found is not None, f"no service {name}"
        return found

    def tasks(self, name: str = "") -> list[Task]:
        """All tasks, or those of a service."""
        tasks = self.store.view(lambda view: list(view.all(Task)))
        return [task for task in tasks if name in {"", task.service_annotations.name}]

    def running(self, name: str = "") -> list[Task]:
        """Tasks that are running and should be."""
        return [
            task
            for task in self.tasks(name)
            if task.status.state is TaskState.RUNNING and task.desired_state is TaskState.RUNNING
        ]

    def containers(self) -> list[Task]:
        """Tasks whose container runs, on any host."""
        return [task for host in self.hosts.values() for task in host.running()]

    async def create(self, spec: ServiceSpec) -> Service:
        """A new service."""
        made = await self.api.create_service(spec)
        return await self.api.get_service(made.id)

    async def change(self, name: str, edit: Callable[[ServiceSpec], ServiceSpec]) -> None:
        """Update a service's spec."""
        service = self.service(name)
        version = service.meta.version.index
        await self.api.update_service(service.id, version, edit(service.spec), ServiceUpdate())

    async def rollback(self, name: str) -> None:
        """Put a service's previous spec back."""
        service = self.service(name)
        how = ServiceUpdate(rollback="previous")
        await self.api.update_service(service.id, service.meta.version.index, service.spec, how)

    def describe(self) -> str:
        """How things stand, for a failing test."""
        lines = [f"version {self.store.version}"]
        for service in self.store.view(lambda view: list(view.all(Service))):
            status = service.update_status
            told = f"{status.state}: {status.message}" if status else "never updated"
            gone = ", being removed" if service.pending_delete else ""
            lines.append(f"service {service.spec.name} x{service.replicas} ({told}{gone})")
        lines.extend(
            f"  {task.service_annotations.name}.{task.slot or task.node_id} {task.id[:5]} "
            f"{task.status.state}/{task.desired_state} on {task.node_id[:5]} {task.status.err}"
            for task in self.tasks()
        )
        return "\n".join([*lines, *self.violations])

    def assert_sound(self) -> None:
        """Fail where anything that must always hold did not."""
        assert not self.violations, self.describe()
        broken = self.store.view(check_store)
        assert not broken, broken

    def _new_store(self) -> Store:
        # Ids by counting, so that the same story always goes the same way.
        return Store(
            self.clock,
            self.journal,
            make_id=lambda: f"{next(self._ids):025d}"[::-1],
            waker=self._waker,
        )

    def _check_commits(self) -> None:
        if self._checking:
            self._watcher = CheckingWatcher(self)


def replicated(
    name: str,
    replicas: int,
    *,
    image: str = "web:1",
    update: UpdateConfig | None = None,
    networks: Sequence[str] = (),
    ports: Sequence[PortConfig] = (),
) -> ServiceSpec:
    """The spec of a replicated service."""
    return ServiceSpec(
        name=name,
        task_template=TaskSpec(
            container_spec=ContainerSpec(image=image),
            networks=[NetworkAttachmentConfig(target=network) for network in networks],
        ),
        mode=ServiceMode(replicated=ReplicatedMode(replicas=replicas)),
        update_config=update,
        endpoint_spec=EndpointSpec(ports=list(ports)) if ports else None,
    )


def global_service(name: str, *, image: str = "web:1") -> ServiceSpec:
    """The spec of a global service."""
    return replicated(name, 0, image=image).replaced(mode=ServiceMode(global_=GlobalMode()))


def overlay(name: str, subnet: str = "") -> NetworkSpec:
    """The spec of an overlay network."""
    ipam = IpamOptions(configs=[IpamConfig(subnet=subnet)]) if subnet else None
    return NetworkSpec(annotations=Annotations(name=name), ipam=ipam)


def scaled(spec: ServiceSpec, replicas: int) -> ServiceSpec:
    """The spec with another number of replicas."""
    return spec.replaced(mode=ServiceMode(replicated=ReplicatedMode(replicas=replicas)))


def with_image(spec: ServiceSpec, image: str) -> ServiceSpec:
    """The spec with another image."""
    template = spec.task_template
    container = template.container_spec or ContainerSpec()
    return spec.replaced(
        task_template=template.replaced(container_spec=container.replaced(image=image))
    )


def forced(spec: ServiceSpec) -> ServiceSpec:
    """The spec as `service update --force` sends it."""
    template = spec.task_template
    return spec.replaced(task_template=template.replaced(force_update=template.force_update + 1))
