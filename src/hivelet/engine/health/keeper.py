"""Probes the health of this node's containers: one background loop for each that has a check and runs.

Writes `state.health` of a record and nothing else of it: in memory after every probe, in the database only when the status
changes. What always holds: a container has one probe under way at most, and none that outlives `end`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog

from hivelet.engine.health.policy import (
    NO_VERDICT,
    OUTPUT_LIMIT,
    STARTING,
    HealthPolicy,
    begin_health,
    build_policy,
    clip_output,
    describe_timeout,
    health_status,
    next_health,
    next_probe_at,
)
from hivelet.engine.registry import Record, Registry
from hivelet.errors import HiveletError, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerState, Health, HealthProbe
from hivelet.runtime.conmon.runtime import ConmonRuntime
from hivelet.runtime.oci_spec import ExecInput
from hivelet.runtime.status import ExecResult

log = structlog.get_logger(__name__)

Publish = Callable[[Record, str], None]
"""Tells the world of an event of a container."""


class HealthKeeper:
    """Knows how every running container fares, and lets others wait for a change."""

    def __init__(
        self, registry: Registry, runtime: ConmonRuntime, clock: Clock, publish: Publish
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._clock = clock
        self._publish = publish
        self._supervisor = Supervisor("health")
        self._loops: dict[ContainerId, asyncio.Task[None]] = {}
        self._changes: dict[ContainerId, asyncio.Future[ContainerState]] = {}

    def begin(self, container_id: ContainerId) -> None:
        """Probe a container that runs, from now on. One that was adopted keeps the health that it had."""
        record = self._registry.get(container_id)
        policy = build_policy(record.container.config) if record is not None else None
        if record is None or policy is None:
            return
        if record.container.state.health is None:
            self._write(record, begin_health(record.container.config))
        work = self._probe_on(container_id, policy)
        self._loops[container_id] = self._supervisor.spawn(f"probe {container_id[:12]}", work)

    async def end(self, container_id: ContainerId) -> None:
        """Probe no more; returns when no probe is under way."""
        loop = self._loops.pop(container_id, None)
        if loop is not None:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    async def close(self) -> None:
        """End all loops; the containers run on."""
        await self._supervisor.stop()

    def tell(self, container_id: ContainerId, state: ContainerState) -> None:
        """Wake those who wait for a change: of health, or because the container has ended."""
        change = self._changes.pop(container_id, None)
        if change is not None and not change.done():
            change.set_result(state)

    async def leave(self, container_id: ContainerId, statuses: Collection[str]) -> ContainerState:
        """The container's state once it has ended, or its health is none of `statuses`.

        Raises:
            NotFound: it is not there any more.
        """
        record = self._registry.get(container_id)
        if record is None:
            raise NotFound(f"No such container: {container_id}")
        state = record.container.state
        while state.running and health_status(state) in statuses:
            change = self._changes.get(container_id)
            if change is None:
                change = asyncio.get_running_loop().create_future()
                self._changes[container_id] = change
            state = await asyncio.shield(change)
        return state

    async def _probe_on(self, container_id: ContainerId, policy: HealthPolicy) -> None:
        while (state := self._running(container_id)) is not None:
            now = self._clock.now()
            health, started = state.health or Health(), state.started_at or now
            due = next_probe_at(policy, health, started, now)
            await self._clock.sleep((due - now).total_seconds())
            state = self._running(container_id)
            if state is None or state.paused:
                continue
            probe = await self._probe(container_id, policy)
            record = self._registry.get(container_id)
            if record is None or not record.container.state.running:
                return
            before = record.container.state.health or Health()
            self._write(record, next_health(policy, before, probe, started))

    async def _probe(self, container_id: ContainerId, policy: HealthPolicy) -> HealthProbe:
        start = self._clock.now()
        try:
            # One byte more than is kept, to see that there is more.
            result = await self._runtime.exec_(
                container_id,
                ExecInput(args=policy.command),
                timeout=policy.timeout,
                output_limit=OUTPUT_LIMIT + 1,
            )
        except HiveletError as error:
            result = ExecResult(code=NO_VERDICT, output=error.message.encode())
        output = clip_output(result.output)
        if result.timed_out:
            output = describe_timeout(policy, output)
        return HealthProbe(start=start, end=self._clock.now(), exit_code=result.code, output=output)

    def _running(self, container_id: ContainerId) -> ContainerState | None:
        record = self._registry.get(container_id)
        if record is None or not record.container.state.running:
            return None
        return record.container.state

    def _write(self, record: Record, health: Health | None) -> None:
        before = record.container.state
        state = before.replaced(health=health)
        record = record.with_state(state)
        if health_status(before) == health_status(state):
            self._registry.note(record)
            return
        self._registry.write(record)
        log.info(
            "health of container changed",
            before=health_status(before),
            after=health_status(state),
            **record.log_fields,
        )
        self.tell(record.id, state)
        if health_status(state) != STARTING:
            self._publish(record, f"health_status: {health_status(state)}")
