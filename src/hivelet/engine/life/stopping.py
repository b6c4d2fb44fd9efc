"""How a container is stopped, killed and removed on demand.

What always holds: it leaves the registry after everything of it is gone, and what a user has stopped no restart policy
starts again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from signal import SIGKILL, SIGTERM

import structlog

from hivelet.engine.life.watching import Watching
from hivelet.engine.registry import Record
from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerState
from hivelet.objects.signals import parse_signal

log = structlog.get_logger(__name__)

_KILL_PATIENCE = 10.0


class Stopping(Watching):
    """Ends containers."""

    async def stop(
        self, container_id: ContainerId, *, grace: float | None, signal: str = ""
    ) -> bool:
        """Stop signal, `grace` seconds (None: for ever), SIGKILL; returns when it has ended. False if it did not run.

        Raises:
            NotFound: there is no such container.
            InvalidParameter: there is no such signal; nothing has happened.
        """
        number = parse_signal(signal) if signal else None
        ended = await self._stopped(container_id, grace=grace, number=number)
        if ended is None:
            return False
        self.publish(ended, "stop")
        return True

    async def _stopped(
        self, container_id: ContainerId, *, grace: float | None, number: int | None = None
    ) -> Record | None:
        """As `stop`, without a word; None if it did not run."""
        record = await self._by_hand(self._current(container_id))
        if not record.container.state.running and not record.task_id:
            # Its restart policy may be starting it at this moment: then there is something to stop once it runs.
            await self.settled(container_id)
            record = await self._by_hand(self._current(container_id))
        if not record.container.state.running:
            return None
        if record.container.state.paused:
            await self.unpause(container_id)
        if record.task_id:
            # Whoever stops a task's container, also by force: no new connection may meet it once it is signalled.
            await self._parts.plane.withdraw(record.task_id)
        end = self._end(container_id)
        if grace is None or grace > 0:
            try:
                async with asyncio.timeout(grace):
                    await self._ask_to_stop(record, number or stop_signal(record))
                    await asyncio.shield(end)
            except TimeoutError:
                log.info(
                    "container did not stop in time and is killed",
                    grace=grace,
                    **record.log_fields,
                )
        if not end.done():
            await self._signal_if_alive(record, SIGKILL)
            await asyncio.shield(end)
        return record

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        """Send the first process a signal; one that waits for its next start is stopped instead.

        Raises:
            Conflict: it does not run.
        """
        record = self._current(container_id)
        if record.container.state.restarting:
            parse_signal(signal)
            await self._stopped(container_id, grace=0)
            return
        if not record.container.state.running:
            raise Conflict(f"Container {container_id} is not running")
        number = parse_signal(signal)
        if number in (SIGKILL, stop_signal(record)):
            await self._by_hand(record)
        end = self._end(container_id)
        self._parts.runtime.kill(record.id, number)
        self.publish(record, "kill", signal=str(number))
        if number == SIGKILL:
            # Nothing can outlive it but a process that the kernel holds: who kills may remove at once, as in Docker.
            with suppress(TimeoutError):
                async with asyncio.timeout(_KILL_PATIENCE):
                    await asyncio.shield(end)

    async def remove(self, container_id: ContainerId, *, force: bool, volumes: bool) -> None:
        """Remove the container and all that is its own.

        By force also means: where a removal is under way or was cut short, return when it is done.

        Raises:
            Conflict: it runs, and `force` is not given.
        """
        record = self._registry.get(container_id) if force else self._current(container_id)
        if record is None:
            raise NotFound(f"No such container: {container_id}")
        state = record.container.state
        if (state.running or state.restarting) and not record.removing:
            if not force:
                raise Conflict(_cannot_remove(container_id, state))
            await self._stopped(container_id, grace=0)
        async with self._locks[container_id]:
            current = self._registry.get(container_id)
            if current is not None:
                await self._take_down(current, volumes=volumes)
        self._locks.pop(container_id, None)

    # ---- inside

    async def _by_hand(self, record: Record) -> Record:
        """The user has stopped it: no restart policy starts it again."""
        for tell in self.on_stop:
            tell(record.id)
        if record.task_id:
            return record
        state = record.container.state
        if state.restarting:
            record = record.with_state(state.replaced(status="exited", restarting=False))
        record = record.replaced(by_hand=True)
        self._registry.write(record)
        await self._registry.written()
        return record

    async def _ask_to_stop(self, record: Record, number: int) -> None:
        """The first signal of a stop. Whatever comes of it, the grace period runs, and SIGKILL follows."""
        try:
            await self._signal_if_alive(record, number)
        except HiveletError as error:
            log.warning(
                "the stop signal could not be sent",
                signal=number,
                error=error.message,
                **record.log_fields,
            )

    async def _signal_if_alive(self, record: Record, number: int) -> None:
        """Signal a process that may be ending at this very moment: then there is nobody to tell, and its end is on the way."""
        with suppress(Conflict):
            self._parts.runtime.kill(record.id, number)
            self.publish(record, "kill", signal=str(number))


def _cannot_remove(container_id: ContainerId, state: ContainerState) -> str:
    first = "Unpause and then stop" if state.paused else "Stop"
    return (
        f"You cannot remove a {state.status} container {container_id}. "
        f"{first} the container before attempting removal or force remove"
    )


def stop_signal(record: Record) -> int:
    """What the container is asked to stop with; SIGTERM where its image names a signal that there is not, as in Docker."""
    try:
        return parse_signal(record.container.config.stop_signal or "SIGTERM")
    except InvalidParameter:
        return SIGTERM
