"""This node's membership in a swarm: begun by `swarm init`, resumed at each start, ended by `swarm leave`.

The store, and the control API on it, are always there; the loops and the agent only while there is a swarm in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from hivelet.agent.agent import Agent
from hivelet.agent.exec.executor import NodeExecutor
from hivelet.daemon.address import choose_address
from hivelet.engine.engine import Engine
from hivelet.engine.merge import merge_healthcheck
from hivelet.engine.system import read_machine
from hivelet.errors import (
    HiveletError,
    InvalidParameter,
    NotASwarmManager,
    NotFound,
    SwarmLocked,
    Unavailable,
)
from hivelet.kit.clock import Clock
from hivelet.kit.pulse import Pulse
from hivelet.kit.supervise import Supervisor
from hivelet.manager.controlapi import ControlApi
from hivelet.manager.controlapi.cluster import local_node
from hivelet.manager.manager import Manager
from hivelet.network.ipam import PoolExhausted
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import ContainerId, NetworkId, NodeId
from hivelet.objects.container import Healthcheck
from hivelet.objects.network import Network
from hivelet.objects.task import ContainerSpec
from hivelet.store import Store
from hivelet.store.sqlite import SqliteJournal

log = structlog.get_logger(__name__)

_LOOK_AGAIN = 5.0
"""Seconds between two looks at which subnets the host uses."""

_START_LIMIT = 60.0
"""Seconds after which a container that needs the swarm is told that it does not start."""


@dataclass(slots=True)
class _Membership:
    """What runs while this node is in a swarm."""

    manager: Manager
    agent: Agent


class ClusterMembership:
    """This node's swarm, or the lack of one, as the engine's plain containers find it (`ClusterNetworks`)."""

    def __init__(self, member: SwarmMember) -> None:
        self._member = member

    async def find_network(self, ref: str) -> Network | None:
        """A network of the swarm."""
        try:
            return await self._member.api.get_network(ref)
        except (NotFound, NotASwarmManager):
            return None

    async def attach(
        self, network_id: NetworkId, container_id: ContainerId, wanted: Sequence[str]
    ) -> Network:
        """A place in one, once the loops that give it run: containers may start before the swarm does."""
        try:
            async with asyncio.timeout(_START_LIMIT):
                await self._member.started.wait()
        except TimeoutError as error:
            raise Unavailable("the swarm of this node does not start") from error
        if self._member.store.locked:
            raise SwarmLocked
        if not self._member.active:
            raise NotFound(f"network {network_id} not found")
        node_id = self._member.store.view(local_node).id
        return await self._member.api.attach_container(network_id, container_id, node_id, wanted)

    async def detach(
        self, container_id: ContainerId, networks: Collection[NetworkId] | None = None
    ) -> None:
        """Give places back. Where the swarm is not running, its start or its end does."""
        if self._member.active:
            await self._member.api.detach_container(container_id, networks)
            await self._member.drop_networks()


class SwarmMember:
    """This node as a member of a swarm, or not (`hivelet.manager.controlapi.Host`)."""

    def __init__(
        self, engine: Engine, plane: NetworkPlane, executor: NodeExecutor, clock: Clock
    ) -> None:
        self._engine = engine
        self._plane = plane
        self._executor = executor
        self._clock = clock
        self._supervisor = Supervisor("swarm")
        self._membership: _Membership | None = None
        self._subnets: dict[str, str] = {}
        self.started = asyncio.Event()
        """Set once it is known whether this node is in a swarm, and what that needs runs."""

    def open(self, directory: Path) -> None:
        """Prepare the store in `directory`, and the control API on it."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.journal = SqliteJournal(directory / "state.db")
        self.store = Store(self._clock, self.journal)
        self.api = ControlApi(self.store, self)
        self._engine.node_id = self._node_id
        self._engine.faults.append(self._state_fault)
        self._engine.cluster.networks = ClusterMembership(self)

    async def start(self) -> None:
        """Resume the swarm that the store holds, if any."""
        try:
            await self.store.open()
        except SwarmLocked:
            # Until it is known what there should be, all that runs goes on as it is: no rule is written, nothing removed.
            log.warning(
                "the swarm is locked; its tasks go on, and none is replaced before `docker swarm unlock`"
            )
        await self._look_at_subnets()
        self._supervisor.keep("subnets", self._keep_looking)
        self._supervisor.keep("journal", self.store.keep_writable)
        if not self.store.locked:
            await self._resume()
        self.started.set()

    async def _resume(self) -> None:
        if self.store.view(lambda view: view.cluster()) is None:
            await self._discard_strays()
        else:
            await self._begin(self.store.view(local_node).id)

    async def stop(self) -> None:
        """End loops and agent, write out the store. Tasks go on running."""
        await self._end()
        await self._supervisor.stop()
        await self.store.close()

    def pulses(self) -> Mapping[str, Pulse]:
        """Those of all that must turn while this node is in a swarm, and of the journal."""
        found = {"journal": self.journal.pulse}
        if self._membership is not None:
            found |= self._membership.manager.pulses | {"agent": self._membership.agent.pulse}
        return found

    # ---- what the control API asks (`Host`)

    @property
    def hostname(self) -> str:
        """The machine's name."""
        return read_machine().hostname

    @property
    def without_ipv6(self) -> str:
        """Why networks can't have IPv6 here; "" where they can."""
        return self._plane.without_ipv6

    def address(self, asked: str) -> str:
        """The address to advertise."""
        return choose_address(asked)

    async def used_subnets(self) -> Mapping[str, str]:
        """As they are now, which the loops use from then on as well."""
        await self._look_at_subnets()
        return self._subnets

    async def joined(self, node_id: NodeId) -> None:
        """The store holds a new swarm: start loops and agent."""
        if self._membership is None:
            await self._begin(node_id)

    async def unlocked(self) -> None:
        """The store is open now: resume its swarm."""
        await self._resume()
        log.info("the swarm is unlocked")

    async def left(self) -> None:
        """Stop all tasks, remove all that is the swarm's from this machine, and forget its state."""
        self.store.check_writable()
        await self._end()
        await self._remove_tasks()
        await self._engine.leave_cluster_networks()
        await self._engine.forget_gateway_bridge()
        if self._engine.attached_containers():
            await self._plane.leave(self._engine.own_networks())
        else:
            await self._plane.tear_down()
        await self._engine.restore_networks()
        await self.store.wipe()
        log.info("left the swarm")

    async def health_check(self, spec: ContainerSpec) -> Healthcheck | None:
        """How such a container's health is checked, as far as this machine knows."""
        try:
            image = await self._engine.get_image(spec.image)
        except (NotFound, InvalidParameter):  # not here yet, or a name that could mean several
            return spec.healthcheck
        return merge_healthcheck(spec.healthcheck, image.config.healthcheck)

    @property
    def active(self) -> bool:
        """Whether loops and agent run."""
        return self._membership is not None

    async def drop_networks(self) -> None:
        """Remove the bridges of networks that nobody here is in any more."""
        await self._executor.drop_networks()

    # ---- inside

    async def _begin(self, node_id: NodeId) -> None:
        try:
            await self._engine.ensure_gateway_bridge()
        except PoolExhausted as error:
            # As in Docker the swarm is there without it; each task that needs it tries again, and says this.
            log.error("docker_gwbridge could not be made", error=error.message)
        await self._look_at_subnets()
        manager = Manager(self.store, host_subnets=self._used_subnets)
        agent = Agent(self._executor, manager.dispatcher, node_id, self._clock)
        await manager.start()
        await agent.start()
        await self.api.keep_attachments(node_id, self._engine.joined_networks())
        self._membership = _Membership(manager, agent)
        log.info("member of a swarm", **{"node.id": node_id})

    async def _end(self) -> None:
        membership, self._membership = self._membership, None
        if membership is not None:
            await membership.agent.stop()
            await membership.manager.stop()

    async def _remove_tasks(self) -> None:
        tasks = [record.task_id for record in self._engine.registry.all() if record.task_id]
        await asyncio.gather(*(self._executor.discard(task) for task in tasks))

    async def _discard_strays(self) -> None:
        """Without a swarm there are no tasks: what a crash in mid-leave left is removed."""
        await self._remove_tasks()
        await self._plane.resume()

    def _node_id(self) -> str:
        found = self.store.view(lambda view: view.cluster() and local_node(view).id)
        return str(found or "")

    def _state_fault(self) -> str:
        failure = self.store.failure
        return failure and (
            f"the cluster state can't be written ({failure}): what runs goes on, but nothing can be changed and what ends "
            "is not replaced until it can."
        )

    def _used_subnets(self) -> Mapping[str, str]:
        return self._subnets

    async def _look_at_subnets(self) -> None:
        # The cluster's own networks are in the allocator's book already; a bridge that still stands while its network
        # is being removed must not keep the next network of the same subnet waiting.
        cluster = [n for n in self._plane.networks().values() if n.kind in ("overlay", "ingress")]
        own = {subnet for network in cluster for subnet in (network.subnet, network.subnet6)}
        used = await self._plane.used_subnets()
        self._subnets = {subnet: owner for subnet, owner in used.items() if subnet not in own}

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_AGAIN)
            try:
                await self._look_at_subnets()
            except HiveletError as error:
                log.warning("cannot see which subnets the host uses", error=error.message)
