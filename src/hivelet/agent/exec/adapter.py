"""The real executor: tasks become containers of this node's engine, and backends of its network plane.

The counterpart of SwarmKit's `dockerexec`. What always holds: a task is a backend only between "its container runs"
and "it was told to stop, or died"; an address leaves the balancer before its process is signalled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hivelet.agent.exec.container import build_container, stop_grace_seconds
from hivelet.agent.exec.controller import Details, Exit, PermanentError, TaskExited
from hivelet.agent.exec.drain import drain_limit, poll_delay
from hivelet.engine.create import CreateContainer
from hivelet.engine.dependencies import file_references
from hivelet.engine.engine import Engine
from hivelet.engine.health_policy import (
    HEALTHY,
    NONE,
    STARTING,
    UNHEALTHY,
    describe_failure,
    health_status,
)
from hivelet.engine.registry import LegRecord, Record
from hivelet.errors import NotFound
from hivelet.kit.clock import Clock
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import ConfigId, NetworkId, NodeId, SecretId, ServiceId, TaskId
from hivelet.objects.container import ContainerState
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import ContainerStatus, PortStatus, Task, TaskState
from hivelet.runtime.status import KILLED

_GOOD_ENOUGH = (NONE, STARTING, HEALTHY)
"""What a running task's container may be without being stopped; `starting` after an adoption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """What controllers work with."""

    engine: Engine
    plane: NetworkPlane
    clock: Clock


class NodeExecutor:
    """Runs this node's tasks as containers."""

    def __init__(self, parts: NodeParts) -> None:
        self.parts = parts
        self._node = Node(id=NodeId(""))
        self._networks: dict[NetworkId, BridgeNetwork] = {}

    async def describe(self) -> NodeDescription:
        """The node's platform, resources and engine."""
        return await self.parts.engine.describe()

    async def configure(self, node: Node) -> None:
        """Remember the node object, which containers' labels name."""
        self._node = node

    async def configure_networks(
        self, networks: Mapping[NetworkId, Network], services: Mapping[ServiceId, ServiceEntry]
    ) -> None:
        """Bring the network plane to these networks and services."""
        self._networks.clear()
        self._networks.update({key: bridge_of(network) for key, network in networks.items()})
        await self.drop_networks()
        self.parts.plane.set_services(services)

    async def drop_networks(self) -> None:
        """Remove the cluster's networks that are no longer wanted here and that no container has a leg in.

        A task is forgotten by the cluster before its container is gone, so this is asked again after each removal.
        """
        records = self.parts.engine.registry.all()
        used = {leg.network.id for record in records for leg in record.legs}
        for network in self.parts.plane.networks().values():
            left = network.kind in ("overlay", "ingress") and network.id not in self._networks
            if left and network.id not in used:
                await self.parts.plane.remove_network(network.id)

    async def configure_dependencies(
        self, secrets: Mapping[SecretId, Secret], configs: Mapping[ConfigId, Config]
    ) -> None:
        """Hand this node's secrets and configs to the engine, which keeps them in memory."""
        self.parts.engine.set_dependencies(secrets, configs)

    def network(self, network_id: NetworkId) -> BridgeNetwork | None:
        """A network of the cluster as this node builds it, if the node may have it."""
        return self._networks.get(network_id)

    def controller(self, task: Task) -> ContainerController:
        """A controller for `task`."""
        return ContainerController(task, self._node, self)

    async def known_tasks(self) -> Collection[TaskId]:
        """Every task that has a container here, in whatever state."""
        return {record.task_id for record in self.parts.engine.registry.all() if record.task_id}

    async def discard(self, task_id: TaskId) -> None:
        """Stop and remove the container of a task that the cluster no longer knows."""
        await self.parts.plane.withdraw(task_id)
        record = self.parts.engine.registry.of_task(task_id)
        if record is not None:
            await self.parts.engine.remove_container(record.id, force=True, volumes=True)
            await self.drop_networks()

    async def resume(self) -> None:
        """All that ran before has been adopted: let the network plane write its rules again."""
        await self.parts.plane.resume()


class ContainerController:
    """Runs one task as one container."""

    def __init__(self, task: Task, node: Node, executor: NodeExecutor) -> None:
        self._task = task
        self._node = node
        self._executor = executor
        self._engine = executor.parts.engine
        self._plane = executor.parts.plane
        self._clock = executor.parts.clock

    async def adopt(self) -> bool:
        """Whether there is a container of this task; a running one is a backend again."""
        record = self._record()
        if record is None:
            return False
        if record.container.state.running and self._may_serve(record.container.state):
            await self._plane.admit(self._backend(record))
        return True

    async def prepare(self) -> None:
        """Image, networks, volumes, and the created container."""
        spec = self._task.spec.container_spec
        if spec is None or not spec.image:
            raise PermanentError("the task names no image")
        if self._record() is not None:
            return
        for port in self._task.ports:
            await self._plane.check_port_free(port)
        files = file_references(spec)
        self._engine.check_dependencies(files)
        image = await self._engine.ensure_image(spec.image)
        request = build_container(self._task, self._node)
        await self._engine.create(
            CreateContainer(
                name=request.name,
                config=request.config,
                host=request.host,
                image=image,
                legs=self._legs(),
                task_id=self._task.id,
                files=files,
                wants_gateway=any(port.publish_mode == "host" for port in self._task.ports),
            )
        )

    async def start(self) -> None:
        """Start the container and, once it is healthy, let it take connections."""
        record = self._engine.registry.of_task(self._task.id)
        if record is None:
            raise PermanentError(f"the container of task {self._task.id} has been removed")
        await self._engine.start_container(record.id)
        state = await self._engine.lifecycle.health.leave(record.id, (STARTING,))
        if not state.running:
            raise TaskExited(_exit(state))
        if health_status(state) == UNHEALTHY:
            raise TaskExited(await self._end_unhealthy(state))
        await self._plane.admit(self._backend(record))
        if not self._engine.is_running(record.id):
            # It died while it was being admitted; its exit may have been seen before the admission.
            await self._plane.withdraw(self._task.id)
            raise TaskExited(_exit(await self._engine.wait_exit(record.id)))

    async def wait(self) -> Exit:
        """How the container ended, once it has."""
        record = self._record()
        if record is None:
            return Exit(code=KILLED, reason="the container was removed")
        state = await self._engine.lifecycle.health.leave(record.id, _GOOD_ENOUGH)
        return await self._end_unhealthy(state) if state.running else _exit(state)

    async def shutdown(self) -> None:
        """Out of the balancer, drain, stop signal, grace period, SIGKILL."""
        await self._plane.withdraw(self._task.id)
        record = self._record()
        if record is None or not record.container.state.running:
            return
        await self._drain(record)
        try:
            await self._engine.lifecycle.stop(record.id, grace=stop_grace_seconds(self._task))
        except NotFound:
            return  # somebody removed the container by hand: it is down

    async def terminate(self) -> None:
        """SIGKILL, at once."""
        await self._plane.withdraw(self._task.id)
        record = self._record()
        if record is None or not record.container.state.running:
            return
        try:
            await self._engine.lifecycle.stop(record.id, grace=0)
        except NotFound:
            return  # as in `shutdown`

    async def remove(self) -> None:
        """Remove the container and its anonymous volumes."""
        await self._plane.withdraw(self._task.id)
        record = self._record()
        if record is None:
            return
        try:
            await self._engine.remove_container(record.id, force=True, volumes=True)
        except NotFound:
            return  # as in `shutdown`
        await self._executor.drop_networks()

    async def update(self, task: Task) -> None:
        """Remember the task as it is now; a container's labels cannot change once it is made."""
        self._task = task

    def details(self) -> Details:
        """The container's id, process and exit code, and the host-mode ports that it holds."""
        record = self._record()
        held = [port for port in self._task.ports if port.publish_mode == "host"]
        ports = PortStatus(ports=held) if held else None
        if record is None:
            return Details(ports=ports)
        state = record.container.state
        status = ContainerStatus(container_id=record.id, pid=state.pid, exit_code=state.exit_code)
        return Details(container=status, ports=ports)

    async def close(self) -> None:
        """Nothing is held: the engine watches the container."""

    def _may_serve(self, state: ContainerState) -> bool:
        """Whether an adopted container takes connections: it is healthy, or it took them before and no probe failed it."""
        status = health_status(state)
        served = self._task.status.state is TaskState.RUNNING
        return status in (NONE, HEALTHY) or (served and status != UNHEALTHY)

    async def _end_unhealthy(self, state: ContainerState) -> Exit:
        """Stop a container that its health check has given up; Docker's words, and what the last probe said."""
        await self.shutdown()
        ended = self._record()
        why = describe_failure(state.health)
        return Exit(
            code=KILLED if ended is None else ended.container.state.exit_code,
            reason="dockerexec: unhealthy container" + (f" ({why})" if why else ""),
        )

    async def _drain(self, record: Record) -> None:
        limit = drain_limit(self._task)
        started = self._clock.now()
        round_ = 0
        while await self._plane.connections(self._task.id) > 0:
            if (self._clock.now() - started).total_seconds() >= limit:
                return
            if not self._engine.is_running(record.id):
                return
            await self._clock.sleep(poll_delay(round_))
            round_ += 1

    def _record(self) -> Record | None:
        return self._engine.registry.of_task(self._task.id)

    def _legs(self) -> tuple[LegRecord, ...]:
        legs = []
        for attachment in self._task.networks:
            network = self._executor.network(attachment.network_id)
            if network is None:
                raise PermanentError(f"network {attachment.network_id} not found")
            address = next((a for a in attachment.addresses if ":" not in a), "")
            # The aliases are the service's names: they lead to its VIP, not to one task.
            legs.append(LegRecord(network=network, address=address))
        return tuple(legs)

    def _backend(self, record: Record) -> Backend:
        task = self._task
        return Backend(
            task_id=task.id,
            service_id=task.service_id,
            service_name=task.service_annotations.name,
            addresses=self._engine.addresses(record.id),
            host_ports=[port for port in task.ports if port.publish_mode == "host"],
            hostname=record.container.config.hostname,
        )


def _exit(state: ContainerState) -> Exit:
    return Exit(code=state.exit_code, reason="out of memory" if state.oom_killed else state.error)


def bridge_of(network: Network) -> BridgeNetwork:
    """A network of the cluster as this node builds it. Its addresses are the allocator's."""
    pools = network.ipam.configs if network.ipam else []
    pool = next((p for p in pools if ":" not in p.subnet), None)
    options = network.spec.driver_configuration.options
    return BridgeNetwork(
        id=network.id,
        name=network.spec.name,
        kind="ingress" if network.spec.ingress else "overlay",
        subnet=pool.subnet if pool else "",
        gateway=pool.gateway if pool else "",
        internal=network.spec.internal,
        icc=options.get("com.docker.network.bridge.enable_icc", "true").lower() != "false",
        mtu=int(options.get("com.docker.network.driver.mtu", "1500")),
    )
