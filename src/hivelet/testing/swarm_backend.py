"""A swarm in memory behind the API: objects are kept as they are given, nothing is orchestrated.

For tests of the API and of clients. Tasks and nodes are put in by the test; versions, names and lookups behave as the
real control API's do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

from hivelet.convert.lookup import find
from hivelet.errors import Conflict, NotASwarmManager, NotImplemented, OutOfSequence, Unavailable
from hivelet.kit.ids import new_id
from hivelet.objects.cluster import Cluster, ClusterSpec
from hivelet.objects.common import (
    ConfigId,
    Meta,
    NetworkId,
    NodeId,
    SecretId,
    ServiceId,
    TaskId,
    Version,
)
from hivelet.objects.event import Event
from hivelet.objects.network import Network, NetworkSpec
from hivelet.objects.node import Node, NodeSpec
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.swarm import (
    ServiceCreated,
    ServiceUpdate,
    SwarmInit,
    SwarmJoin,
    SwarmRotation,
    SwarmStatus,
)
from hivelet.objects.task import Task


class FakeSwarm:
    """A `SwarmBackend` in memory. `stale` are ids of tasks that are not up to date; `history` is what events tell."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.cluster: Cluster | None = None
        self.nodes: dict[NodeId, Node] = {}
        self.services: dict[ServiceId, Service] = {}
        self.tasks: dict[TaskId, Task] = {}
        self.networks: dict[NetworkId, Network] = {}
        self.secrets: dict[SecretId, Secret] = {}
        self.configs: dict[ConfigId, Config] = {}
        self.stale: set[TaskId] = set()
        self.history: list[Event] = []
        self.opened_streams = 0
        self.closed_streams = 0
        self.created_with: str | None = None
        self.updated_with: ServiceUpdate | None = None
        self._version = 0
        self._changed = asyncio.Event()

    def meta(self) -> Meta:
        """The metadata of the next write."""
        self._version += 1
        return Meta(
            version=Version(index=self._version), created_at=self.moment, updated_at=self.moment
        )

    def put_task(self, task: Task) -> None:
        """Keep a task, and tell who watches."""
        self.tasks[task.id] = task
        self._changed.set()
        self._changed = asyncio.Event()

    # -- the swarm as a whole

    async def status(self) -> SwarmStatus:
        """Inactive until `init_swarm`."""
        if self.cluster is None:
            return SwarmStatus()
        return SwarmStatus(
            local_node_state="active",
            node_id=next(iter(self.nodes), NodeId("")),
            node_addr="192.0.2.1",
            control_available=True,
            nodes=len(self.nodes),
            managers=1,
            cluster=self.cluster,
        )

    async def init_swarm(self, request: SwarmInit) -> NodeId:
        """Become a swarm of whatever nodes were put in."""
        if self.cluster is not None:
            raise Unavailable("This node is already part of a swarm.")
        self.cluster = Cluster(id=new_id(), meta=self.meta(), spec=request.spec)
        return next(iter(self.nodes), NodeId(""))

    async def join_swarm(self, request: SwarmJoin) -> None:
        """Not in memory."""
        raise NotImplemented("a fake swarm cannot be joined")

    async def leave_swarm(self, *, force: bool) -> None:
        """Forget the cluster."""
        self._manager()
        if not force:
            raise Unavailable(
                "You are attempting to leave the swarm on the last manager. Use `--force`."
            )
        self.cluster = None

    async def inspect_swarm(self) -> Cluster:
        """The cluster."""
        return self._manager()

    async def update_swarm(self, version: int, spec: ClusterSpec, rotation: SwarmRotation) -> None:
        """Write the spec."""
        cluster = self._manager()
        self._check(cluster.meta, version)
        self.cluster = cluster.replaced(spec=spec, meta=self.meta())

    async def unlock_key(self) -> str:
        """Never locked."""
        self._manager()
        return ""

    async def unlock_swarm(self, key: str) -> None:
        """Never locked."""
        raise Conflict("swarm is not locked")

    async def list_nodes(self) -> Sequence[Node]:
        """All nodes."""
        self._manager()
        return list(self.nodes.values())

    async def get_node(self, ref: str) -> Node:
        """One node."""
        return find(
            ref, await self.list_nodes(), lambda n: (n.id, n.description.hostname), noun="node"
        )

    async def update_node(self, ref: str, version: int, spec: NodeSpec) -> None:
        """Write the spec."""
        node = await self.get_node(ref)
        self._check(node.meta, version)
        self.nodes[node.id] = node.replaced(spec=spec, meta=self.meta())

    async def remove_node(self, ref: str, *, force: bool) -> None:
        """Forget the node."""
        del self.nodes[(await self.get_node(ref)).id]

    def swarm_events(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
        """The history, then silence until the reader leaves (at once, if `until` was given)."""
        return self._events(since, until)

    async def _events(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Event]:
        self.opened_streams += 1
        try:
            for event in self.history:
                if since is not None and event.at >= since and (until is None or event.at <= until):
                    yield event
            if until is None:
                await asyncio.Event().wait()
        finally:
            self.closed_streams += 1

    # -- services and tasks

    async def list_services(self) -> Sequence[Service]:
        """All services."""
        self._manager()
        return list(self.services.values())

    async def get_service(self, ref: str) -> Service:
        """One service."""
        return find(ref, await self.list_services(), lambda s: (s.id, s.spec.name), noun="service")

    async def create_service(self, spec: ServiceSpec, *, registry_auth: str = "") -> ServiceCreated:
        """Keep a service."""
        taken = any(s.spec.name == spec.name for s in await self.list_services())
        if taken:
            raise Conflict(
                f"name conflicts with an existing object: service {spec.name} already exists"
            )
        service = Service(id=ServiceId(new_id()), meta=self.meta(), spec=spec)
        self.services[service.id] = service
        self.created_with = registry_auth
        return ServiceCreated(id=service.id)

    async def update_service(
        self, ref: str, version: int, spec: ServiceSpec, update: ServiceUpdate
    ) -> Sequence[str]:
        """Write a spec; a rollback swaps it with the one before."""
        service = await self.get_service(ref)
        self._check(service.meta, version)
        if update.rollback == "previous" and service.previous_spec is not None:
            spec = service.previous_spec
        self.services[service.id] = service.replaced(
            spec=spec, previous_spec=service.spec, meta=self.meta()
        )
        self.updated_with = update
        return []

    async def remove_service(self, ref: str) -> None:
        """Forget the service."""
        del self.services[(await self.get_service(ref)).id]

    async def list_tasks(self, services: Collection[ServiceId] | None = None) -> Sequence[Task]:
        """All tasks, or those of some services."""
        self._manager()
        return [t for t in self.tasks.values() if services is None or t.service_id in services]

    async def get_task(self, ref: str) -> Task:
        """One task."""
        return find(ref, await self.list_tasks(), lambda t: (t.id, t.name), noun="task")

    async def up_to_date(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """All but the stale ones."""
        return [task for task in tasks if task.id not in self.stale]

    async def watch_tasks(self, services: Collection[ServiceId]) -> AsyncIterator[Task]:
        """Each task once, and again whenever `put_task` replaces it."""
        seen: dict[TaskId, Task] = {}
        try:
            while True:
                changed = self._changed
                for task in await self.list_tasks(services):
                    if seen.get(task.id) != task:
                        seen[task.id] = task
                        yield task
                await changed.wait()
        finally:
            self.closed_streams += 1

    # -- secrets, configs, networks

    async def list_secrets(self) -> Sequence[Secret]:
        """All secrets."""
        self._manager()
        return list(self.secrets.values())

    async def get_secret(self, ref: str) -> Secret:
        """One secret."""
        return find(ref, await self.list_secrets(), lambda s: (s.id, s.spec.name), noun="secret")

    async def create_secret(self, spec: SecretSpec) -> SecretId:
        """Keep a secret."""
        self._manager()
        secret = Secret(id=SecretId(new_id()), meta=self.meta(), spec=spec)
        self.secrets[secret.id] = secret
        return secret.id

    async def update_secret(self, ref: str, version: int, spec: SecretSpec) -> None:
        """Write a spec."""
        secret = await self.get_secret(ref)
        self._check(secret.meta, version)
        self.secrets[secret.id] = secret.replaced(spec=spec, meta=self.meta())

    async def remove_secret(self, ref: str) -> None:
        """Forget the secret."""
        del self.secrets[(await self.get_secret(ref)).id]

    async def list_configs(self) -> Sequence[Config]:
        """All configs."""
        self._manager()
        return list(self.configs.values())

    async def get_config(self, ref: str) -> Config:
        """One config."""
        return find(ref, await self.list_configs(), lambda c: (c.id, c.spec.name), noun="config")

    async def create_config(self, spec: ConfigSpec) -> ConfigId:
        """Keep a config."""
        self._manager()
        config = Config(id=ConfigId(new_id()), meta=self.meta(), spec=spec)
        self.configs[config.id] = config
        return config.id

    async def update_config(self, ref: str, version: int, spec: ConfigSpec) -> None:
        """Write a spec."""
        config = await self.get_config(ref)
        self._check(config.meta, version)
        self.configs[config.id] = config.replaced(spec=spec, meta=self.meta())

    async def remove_config(self, ref: str) -> None:
        """Forget the config."""
        del self.configs[(await self.get_config(ref)).id]

    async def list_networks(self) -> Sequence[Network]:
        """All networks of the cluster."""
        self._manager()
        return list(self.networks.values())

    async def get_network(self, ref: str) -> Network:
        """One network of the cluster."""
        return find(ref, await self.list_networks(), lambda n: (n.id, n.spec.name), noun="network")

    async def create_network(self, spec: NetworkSpec) -> NetworkId:
        """Keep a network."""
        self._manager()
        network = Network(id=NetworkId(new_id()), meta=self.meta(), spec=spec, ipam=spec.ipam)
        self.networks[network.id] = network
        return network.id

    async def remove_network(self, ref: str) -> None:
        """Forget the network."""
        del self.networks[(await self.get_network(ref)).id]

    def _manager(self) -> Cluster:
        if self.cluster is None:
            raise NotASwarmManager
        return self.cluster

    @staticmethod
    def _check(meta: Meta, version: int) -> None:
        if meta.version.index != version:
            raise OutOfSequence
