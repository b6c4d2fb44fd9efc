"""One Swarm task on this node: asks `exec.step` what is next, lets the controller do it, reports the outcome, and so on.

What always holds: one step is under way at a time; a step that a newer desired state makes pointless is interrupted; a task that
was running before the daemon restarted is adopted, never started again. A step that ends in an error that nobody had foreseen
has failed like any other: the task says so, and no other task hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from hivelet.agent.exec.controller import Controller, PermanentError, TaskExited, TemporaryError
from hivelet.agent.exec.step import (
    ANNOUNCEMENTS,
    STARTED,
    Action,
    Failure,
    Outcome,
    after_step,
    lost_container,
    next_step,
)
from hivelet.errors import HiveletError
from hivelet.kit.backoff import Backoff
from hivelet.kit.clock import Clock
from hivelet.kit.host_faults import host_faults
from hivelet.kit.supervise import Defect, guard_async
from hivelet.objects.common import TaskId
from hivelet.objects.log_fields import task_fields
from hivelet.objects.task import Task, TaskState, TaskStatus

log = structlog.get_logger(__name__)

T = TypeVar("T")

Report = Callable[[TaskId, TaskStatus], None]

_RETRY = Backoff(first=0.2, ceiling=30.0, jitter=0.0)
"""Between attempts to stop or remove what resists."""

_ADOPTION_ATTEMPTS = 3

INTERNAL = "internal error: "
"""How the error of a task begins that met a defect of hivelet's own."""


class TaskRunner:
    """Runs one task. `run` may be started again after it has ended; it goes on from the status it was at."""

    def __init__(self, task: Task, controller: Controller, report: Report, clock: Clock) -> None:
        self.task = task
        self.status = task.status
        self.adopted = asyncio.Event()
        self.removed = False
        self._controller = controller
        self._report = report
        self._clock = clock
        self._dismissed = False
        self._unprepared = False
        self._news = asyncio.Event()
        self._scope: asyncio.Timeout | None = None
        self._failures = 0
        self._told: set[str] = set()
        controller.listen(self._tell)
        if not _may_be_left(task.status.state):
            self.adopted.set()

    @property
    def idle(self) -> bool:
        """Whether `run` would do nothing until something changes for good."""
        if self._dismissed:
            return self.removed
        return self.status.state.terminal

    def update(self, task: Task) -> bool:
        """Take in a newer version; the answer is whether more than the desired state has changed."""
        before, self.task = self.task, task
        if task.desired_state is not before.desired_state:
            self._news.set()
            if _is_over(task.desired_state):
                self._interrupt()
        if self.status.state.order > task.status.state.order:
            # The manager did not hear of it, or lost it in a crash.
            self._report(task.id, self.status)
        return (task.service_annotations, task.annotations, task.ports) != (
            before.service_annotations,
            before.annotations,
            before.ports,
        )

    def dismiss(self) -> None:
        """The cluster has forgotten the task: leave nothing of it."""
        self._dismissed = True
        self._news.set()
        self._interrupt()

    async def refresh(self) -> None:
        """Tell the controller of a change that needs no restart."""
        try:
            await self._controller.update(self.task)
        except HiveletError as error:
            log.warning("task can't be refreshed", error=error.message, **self._fields())

    async def run(self) -> None:
        """Go on until the task is down, or removed where it was dismissed."""
        if not self.adopted.is_set():
            await self._adopt()
        while not self._dismissed:
            action = next_step(self.status, self.task.desired_state)
            if action is not Action.NOTHING:
                await self._step(action)
            elif self.status.state.terminal:
                return
            else:
                await self._news.wait()
                self._news.clear()
        await self._remove()

    async def close(self) -> None:
        """Let go; the container stays as it is."""
        await self._controller.close()

    async def _adopt(self) -> None:
        for attempt in range(_ADOPTION_ATTEMPTS):
            try:
                found = await self._sound(self._controller.adopt())
            except HiveletError as error:
                log.warning("task can't be adopted", error=error.message, **self._fields())
                await self._clock.sleep(_RETRY.delay(attempt + 1))
                continue
            if not found:
                self._take_for_lost()
            elif self.status.leaving and not _is_over(self.task.desired_state):
                # Somebody was stopping it by hand when the daemon died; nobody is any more.
                self._tell(STARTED)
            break
        else:
            self._take_for_lost()
        self.adopted.set()

    def _take_for_lost(self) -> None:
        """Nothing is left of it: one that ran has failed, one that was only prepared is prepared again."""
        if self.status.state.order >= TaskState.STARTING.order:
            self._move(lost_container(self.status, self._clock.now()), "adopt")
        else:
            self._unprepared = self.status.state is TaskState.READY

    async def _step(self, action: Action) -> None:
        if action in ANNOUNCEMENTS:
            now = self._clock.now()
            self._move(
                after_step(self.status, action, None, self._controller.details(), now), action
            )
            return
        interrupted, outcome = await self._interruptible(action)
        if interrupted:
            return
        now = self._clock.now()
        self._move(
            after_step(self.status, action, outcome, self._controller.details(), now), action
        )
        if isinstance(outcome, Failure) and not self.status.state.terminal:
            self._failures += 1
            await self._pause(outcome.delay or _RETRY.delay(self._failures))
        else:
            self._failures = 0

    async def _interruptible(self, action: Action) -> tuple[bool, Outcome]:
        if action is Action.SHUTDOWN:
            return False, await self._act(action)
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scope = scope
                return False, await self._act(action)
        except TimeoutError:
            if not scope.expired():
                raise
            return True, None
        finally:
            self._scope = None

    async def _act(self, action: Action) -> Outcome:
        try:
            return await self._sound(self._do(action))
        except TemporaryError as error:
            return Failure(error.message, error.delay)
        except TaskExited as error:
            return error.how
        except HiveletError as error:
            return Failure(error.message)

    async def _do(self, action: Action) -> Outcome:
        controller = self._controller
        match action:
            case Action.PREPARE:
                await controller.prepare()
            case Action.START:
                if self._unprepared:
                    await controller.prepare()
                    self._unprepared = False
                await controller.start()
            case Action.WAIT:
                return await controller.wait()
            case Action.SHUTDOWN:
                await controller.shutdown()
            case _:
                raise AssertionError(action)
        return None

    async def _sound(self, work: Coroutine[Any, Any, T]) -> T:
        """What the controller gives.

        Raises:
            HiveletError: it said so, or met an error that it had not foreseen.
        """
        done = await guard_async(
            _with_host_faults(work),
            "a task met a defect",
            expected=HiveletError,
            told=self._told,
            **self._fields(),
        )
        if isinstance(done, Defect):
            raise PermanentError(f"{INTERNAL}{done} (the log of hiveletd has more)") from done.error
        return done

    async def _pause(self, delay: float) -> None:
        """Before the next attempt; a newer desired state ends the pause."""
        try:
            async with asyncio.timeout(delay):
                await self._news.wait()
                self._news.clear()
        except TimeoutError:
            return

    async def _remove(self) -> None:
        attempt = 0
        while not self.removed:
            try:
                if not self.status.state.terminal:
                    await self._sound(self._controller.shutdown())
                await self._sound(self._controller.remove())
                await self._sound(self._controller.close())
                self.removed = True
            except HiveletError as error:
                attempt += 1
                log.warning("task can't be removed yet", error=error.message, **self._fields())
                await self._clock.sleep(_RETRY.delay(attempt))

    def _move(self, status: TaskStatus, why: str) -> None:
        before, self.status = self.status, status
        if _said(before) != _said(status):
            move = f"{before.state}->{status.state}"
            log.debug("task stepped", why=why, **{"state.transition": move, **self._fields()})
            self._report(self.task.id, status)

    def _tell(self, message: str) -> None:
        """A new message, the state as before."""
        if not self.status.state.terminal:
            self._move(self.status.replaced(message=message), "told")

    def _interrupt(self) -> None:
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    def _fields(self) -> dict[str, str]:
        return task_fields(self.task)


async def _with_host_faults(work: Coroutine[Any, Any, T]) -> T:
    with host_faults():
        return await work


def _said(status: TaskStatus) -> tuple[TaskState, str, str]:
    return status.state, status.message, status.err


def _is_over(desired: TaskState) -> bool:
    return desired in {TaskState.SHUTDOWN, TaskState.REMOVE}


def _may_be_left(state: TaskState) -> bool:
    """Whether an agent that sees the task for the first time may find something of it."""
    return TaskState.PREPARING.order <= state.order and not state.terminal
