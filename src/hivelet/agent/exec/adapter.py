"""One task as one container: this node's engine runs it, the network plane brings it connections.

The counterpart of SwarmKit's `dockerexec`. What always holds: a task is a backend only between "its container runs, and is
healthy where it has a health check" and "it was told to stop, died, or is unhealthy"; an address leaves the balancer before
its process is signalled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from hivelet.agent.exec.container import (
    build_container,
    network_mode,
    stop_grace_seconds,
)
from hivelet.agent.exec.controller import (
    Details,
    Exit,
    PermanentError,
    TaskExited,
    Tell,
    tell_nobody,
)
from hivelet.agent.exec.drain import News, describe_stop, drain_rule, poll_delay
from hivelet.agent.exec.exits import LAST_LINES, describe_exit, last_words
from hivelet.agent.exec.listening import (
    POLL,
    awaited_datagrams,
    awaited_ports,
    is_listening,
    ready_limit,
)
from hivelet.agent.exec.meter import DrainMeter
from hivelet.convert.image import parse_auth
from hivelet.engine.create import CreateContainer
from hivelet.engine.dependencies.known import file_references
from hivelet.engine.engine import Engine
from hivelet.engine.health.policy import (
    HEALTHY,
    NONE,
    STARTING,
    UNHEALTHY,
    describe_failure,
    health_status,
)
from hivelet.engine.registry import LegRecord, Record
from hivelet.errors import InvalidParameter, NotFound
from hivelet.kit.clock import Clock
from hivelet.network.ipam import is_ipv6
from hivelet.network.listeners import OpenPorts
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import NetworkId
from hivelet.objects.container import ContainerState
from hivelet.objects.endpoint import Backend, BridgeNetwork
from hivelet.objects.log_fields import task_fields
from hivelet.objects.node import Node
from hivelet.objects.task import ContainerStatus, PortStatus, Task, TaskState
from hivelet.objects.templating import template_context
from hivelet.runtime.status import KILLED

log = structlog.get_logger(__name__)

_GOOD_ENOUGH = (NONE, STARTING, HEALTHY)
"""What a running task's container may be without being stopped; `starting` after an adoption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """What controllers work with."""

    engine: Engine
    plane: NetworkPlane
    clock: Clock
    drains: DrainMeter = field(default_factory=DrainMeter)


class ContainerHost(Protocol):
    """What a controller needs of its node's executor."""

    parts: NodeParts

    def network(self, network_id: NetworkId) -> BridgeNetwork | None:
        """A network of the cluster as this node builds it, if the node may have it.

        Raises:
            InvalidParameter: it cannot be built.
        """
        ...

    async def drop_networks(self) -> None:
        """Remove the cluster's networks that nothing needs here any more."""
        ...


class ContainerController:
    """Runs one task as one container."""

    def __init__(self, task: Task, node: Node, executor: ContainerHost) -> None:
        self._task = task
        self._node = node
        self._executor = executor
        self._engine = executor.parts.engine
        self._plane = executor.parts.plane
        self._clock = executor.parts.clock
        self._drains = executor.parts.drains
        self._tell: Tell = tell_nobody

    def listen(self, tell: Tell) -> None:
        """Where to tell what holds the task up on its way out."""
        self._tell = tell

    async def adopt(self) -> bool:
        """Whether there is a container of this task; a running one is a backend again, unless the task is to go."""
        record = self._record()
        if record is None:
            return False
        state = record.container.state
        if state.running and self._task.wanted and self._may_serve(state):
            await self._plane.admit(await self._backend(record))
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
        request = build_container(self._task, self._node)
        context = template_context(self._task, self._node, request.config.env)
        files = file_references(spec, context)
        self._engine.check_dependencies(files)
        image = await self._engine.ensure_image(spec.image, parse_auth(self._task.registry_auth))
        await self._engine.create(
            CreateContainer(
                name=request.name,
                config=request.config,
                host=request.host,
                image=image,
                legs=await self._legs(),
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
            raise TaskExited(await self._ended(record, state))
        if health_status(state) == UNHEALTHY:
            raise TaskExited(await self._end_unhealthy(state))
        if health_status(state) == NONE:
            await self._until_listening(record)
        await self._plane.admit(await self._backend(record))
        if not self._engine.is_running(record.id):
            # It died while it was being admitted; its exit may have been seen before the admission.
            await self._plane.withdraw(self._task.id)
            state = await self._engine.wait_exit(record.id)
            raise TaskExited(await self._ended(record, state))

    async def wait(self) -> Exit:
        """How the container ended, once it has."""
        record = self._record()
        if record is None:
            return Exit(code=KILLED, reason="the container was removed")
        state = await self._engine.lifecycle.health.leave(record.id, _GOOD_ENOUGH)
        if state.running:
            return await self._end_unhealthy(state)
        return await self._ended(record, state)

    async def shutdown(self) -> None:
        """Out of the balancer, drain, stop signal, grace period, SIGKILL."""
        told = await self.leave()
        record = self._record()
        if record is None or not record.container.state.running:
            return
        grace = stop_grace_seconds(self._task)
        if told:
            self._tell(describe_stop(self._clock.now() + timedelta(seconds=grace)))
        try:
            await self._engine.lifecycle.stop(record.id, grace=grace)
        except NotFound:
            return  # somebody removed the container by hand: it is down

    async def leave(self) -> bool:
        """Out of the balancer and the names, then wait for its connections; whether that took so long that it was told.

        Also asked by the engine before somebody else stops the container.
        """
        await self._plane.withdraw(self._task.id, with_flows=False)
        record = self._record()
        if record is not None:
            await self._until_answered(record)
        await self._plane.forget_flows(self._task.id)
        if record is None or not record.container.state.running:
            return False
        return await self._drain(record)

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
            await self._engine.lifecycle.remove(record.id, force=True, volumes=True)
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
        return status == HEALTHY or (served and status != UNHEALTHY)

    async def _ended(self, record: Record, state: ContainerState) -> Exit:
        if state.exit_code == 0:
            return describe_exit(state, self._task)
        try:
            words = await last_words(self._engine.container_logs(record.id, LAST_LINES))
        except NotFound:
            words = ""  # removed by hand, and its log with it
        return describe_exit(state, self._task, words)

    async def _end_unhealthy(self, state: ContainerState) -> Exit:
        """Stop a container that its health check has given up; Docker's words, and what the last probe said."""
        await self.shutdown()
        ended = self._record()
        why = describe_failure(state.health)
        return Exit(
            code=KILLED if ended is None else ended.container.state.exit_code,
            reason="dockerexec: unhealthy container" + (f" ({why})" if why else ""),
        )

    async def _until_listening(self, record: Record) -> None:
        """Return when the task listens where its ports are published, has ended, or has had its time."""
        udp = bool(awaited_datagrams(self._task))
        limit = ready_limit(self._task) if udp or awaited_ports(self._task) else 0.0
        begun = self._clock.now()
        while (self._clock.now() - begun).total_seconds() < limit:
            found = await self._engine.open_ports(record.id, udp=udp)
            if is_listening(self._task, found) or not self._engine.is_running(record.id):
                return
            await self._clock.sleep(POLL)

    async def _until_answered(self, record: Record) -> None:
        """Return when nobody waits for a first datagram, or has waited as long as makes a connection idle."""
        rule, began = drain_rule(self._task), self._clock.now()
        limit = min(rule.limit, rule.idle_after)
        while self._engine.is_running(record.id) and await self._plane.unanswered(self._task.id):
            if (self._clock.now() - began).total_seconds() >= limit:
                return
            await self._clock.sleep(POLL)

    async def _drain(self, record: Record) -> bool:
        rule, began, round_ = drain_rule(self._task), self._clock.now(), 0
        news, cut = News(began, rule), 0
        while self._engine.is_running(record.id):
            traffic = await self._plane.traffic(self._task.id, rule.idle_after)
            now = self._clock.now()
            if not traffic.busy:
                break
            if (now - began).total_seconds() >= rule.limit:
                cut = traffic.busy
                log.info("connections are cut", connections=cut, **task_fields(self._task))
                break
            if text := news.next(traffic.busy, now):
                self._tell(text)
            await self._clock.sleep(poll_delay(round_, traffic.total))
            round_ += 1
        self._drains.drained((self._clock.now() - began).total_seconds(), cut)
        return news.told

    def _record(self) -> Record | None:
        return self._engine.registry.of_task(self._task.id)

    async def _legs(self) -> tuple[LegRecord, ...]:
        if network_mode(self._task) != "default":
            return ()
        legs = []
        for attachment in self._task.networks:
            if attachment.network_id == "bridge":
                legs.append(await self._engine.default_leg())
                continue
            try:
                network = self._executor.network(attachment.network_id)
            except InvalidParameter as error:
                raise PermanentError(error.message) from error
            if network is None:
                raise PermanentError(f"network {attachment.network_id} not found")
            if network.subnet6 and network.kind == "overlay" and self._plane.without_ipv6:
                raise PermanentError(f"network {network.name} has IPv6: {self._plane.without_ipv6}")
            address = next((a for a in attachment.addresses if not is_ipv6(a)), "")
            address6 = next(filter(is_ipv6, attachment.addresses), "")
            # The aliases are the service's names: they lead to its VIP, not to one task.
            legs.append(LegRecord(network=network, address=address, address6=address6))
        return tuple(legs)

    async def _backend(self, record: Record) -> Backend:
        task = self._task
        awaited = awaited_ports(task)
        found = await self._engine.open_ports(record.id) if awaited else OpenPorts()
        return Backend(
            task_id=task.id,
            service_id=task.service_id,
            service_name=task.service_annotations.name,
            addresses=self._engine.addresses(record.id),
            addresses6=self._engine.addresses6(record.id),
            ipv4_only=sorted(awaited & (found.ipv4 - found.ipv6)),
            host_ports=[port for port in task.ports if port.publish_mode == "host"],
            ingress_ports=[port for port in task.ports if port.publish_mode == "ingress"],
            hostname=record.container.config.hostname,
        )
