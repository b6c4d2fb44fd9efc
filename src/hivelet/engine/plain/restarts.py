"""Starts plain containers again by their restart policies, and removes those that were to go with their end.

Decided by `restart_policy`; here is only when. A pause that is under way ends with a stop by hand, and is cut short by
the end of the daemon: the next daemon starts the container at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.plain.restart_policy import Ended, next_pause, starts_with_the_daemon
from hivelet.engine.registry import Record, Registry
from hivelet.errors import HiveletError, NotFound
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import ContainerId

log = structlog.get_logger(__name__)


class Restarts:
    """Waits for its turn, for each container that is to start again."""

    def __init__(self, lifecycle: Lifecycle, registry: Registry, clock: Clock) -> None:
        self._lifecycle = lifecycle
        self._registry = registry
        self._clock = clock
        self._pauses: dict[ContainerId, float] = {}
        self._waiting: dict[ContainerId, asyncio.Task[None]] = {}
        self._supervisor = Supervisor("restarts")
        lifecycle.after_end.append(self._after_end)
        lifecycle.on_stop.append(self.forget)

    def resume(self) -> None:
        """Start what a boot of the machine, or a daemon that was away, has left lying."""
        for record in self._registry.all():
            state, host = record.container.state, record.container.host_config
            if record.task_id or state.running or record.removing:
                continue
            if state.started_at is not None and host.auto_remove:
                self._supervisor.spawn("remove", self._remove(record))
            elif state.started_at is not None and starts_with_the_daemon(
                host.restart_policy, by_hand=record.by_hand, code=state.exit_code
            ):
                self._spawn(record.id, 0.0)

    async def close(self) -> None:
        """Start nothing more."""
        await self._supervisor.stop()

    def forget(self, container_id: ContainerId) -> None:
        """It is stopped by hand, or removed: there is no next start."""
        self._pauses.pop(container_id, None)
        waiting = self._waiting.pop(container_id, None)
        if waiting is not None:
            waiting.cancel()

    def _after_end(self, record: Record) -> None:
        if record.task_id:
            return
        container = record.container
        state = container.state
        ran = 0.0
        if state.started_at is not None and state.finished_at is not None:
            ran = (state.finished_at - state.started_at).total_seconds()
        ended = Ended(
            code=state.exit_code,
            ran=ran,
            by_hand=record.by_hand,
            restarts=container.restart_count,
            last_pause=self._pauses.get(record.id, 0.0),
        )
        pause = next_pause(container.host_config.restart_policy, ended)
        if pause is not None:
            self._pauses[record.id] = pause
            again = state.replaced(status="restarting", restarting=True)
            self._registry.write(record.with_state(again))
            self._spawn(record.id, pause)
        elif container.host_config.auto_remove:
            self._supervisor.spawn("remove", self._remove(record))

    def _spawn(self, container_id: ContainerId, pause: float) -> None:
        work = self._start_after(container_id, pause)
        self._waiting[container_id] = self._supervisor.spawn(f"start {container_id[:12]}", work)

    async def _start_after(self, container_id: ContainerId, pause: float) -> None:
        await self._clock.sleep(pause)
        self._waiting.pop(container_id, None)
        try:
            await self._lifecycle.start(container_id, again=True)
        except NotFound:
            return
        except HiveletError as error:
            record = self._registry.get(container_id)
            log.warning(
                "a container could not be started again",
                error=error.message,
                **(record.log_fields if record is not None else {"container.id": container_id}),
            )
            if record is not None:
                self._after_end(record)

    async def _remove(self, record: Record) -> None:
        with suppress(NotFound):  # by hand, at the same moment
            await self._lifecycle.remove(record.id, force=True, volumes=True)
