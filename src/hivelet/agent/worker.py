"""All tasks of this node: a runner for each, started, told of changes, and dropped when nothing is left of its task."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

import structlog

from hivelet.agent.exec.controller import Executor
from hivelet.agent.reporter import Reporter
from hivelet.agent.runner import TaskRunner
from hivelet.kit.clock import Clock
from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import TaskId
from hivelet.objects.log_fields import task_fields
from hivelet.objects.task import Task

log = structlog.get_logger(__name__)

_RESTART_DELAY = 1.0
"""After a defect has ended a runner (seconds); it goes on from where it was."""


class Worker:
    """The node's runners. Everything here returns at once; the work is done by the supervisor's background."""

    def __init__(
        self, executor: Executor, reporter: Reporter, clock: Clock, supervisor: Supervisor
    ) -> None:
        self._executor = executor
        self._reporter = reporter
        self._clock = clock
        self._supervisor = supervisor
        self._runners: dict[TaskId, TaskRunner] = {}
        self._busy: set[TaskId] = set()
        self._stopping = False

    @property
    def tasks(self) -> Collection[TaskId]:
        """The tasks that there are runners for."""
        return self._runners.keys()

    def assign(self, tasks: Iterable[Task]) -> None:
        """Begin new tasks, and tell the others what has changed."""
        for task in tasks:
            runner = self._runners.get(task.id)
            if runner is None:
                controller = self._executor.controller(task)
                runner = TaskRunner(task, controller, self._reporter.report, self._clock)
                self._runners[task.id] = runner
            elif runner.update(task):
                self._supervisor.spawn(
                    f"refresh.{task.id}", runner.refresh(), about=task_fields(task)
                )
            self._go_on(runner)

    def dismiss(self, tasks: Iterable[TaskId]) -> None:
        """The cluster has forgotten these."""
        for task_id in tasks:
            if (runner := self._runners.get(task_id)) is not None:
                self._reporter.forget(task_id)
                runner.dismiss()
                self._go_on(runner)

    def report_all(self) -> None:
        """Report the status of every task that has been looked at, as it is."""
        for runner in self._runners.values():
            if runner.adopted.is_set():
                self._reporter.report(runner.task.id, runner.status)

    async def wait_adopted(self) -> None:
        """Return when every task that there may be something left of has been looked at."""
        for runner in tuple(self._runners.values()):
            await runner.adopted.wait()

    async def close(self) -> None:
        """Let go of everything; the supervisor has been stopped before. All containers stay as they are."""
        self._stopping = True
        for runner in self._runners.values():
            await runner.close()

    def _go_on(self, runner: TaskRunner) -> None:
        task_id = runner.task.id
        if runner.idle or task_id in self._busy or self._stopping:
            return
        self._busy.add(task_id)
        background = self._supervisor.spawn(
            f"task.{task_id}", runner.run(), about=task_fields(runner.task)
        )
        background.add_done_callback(lambda done: self._ended(runner, done))

    def _ended(self, runner: TaskRunner, background: asyncio.Task[None]) -> None:
        self._busy.discard(runner.task.id)
        if background.cancelled() or self._stopping:
            return
        if runner.removed:
            self._runners.pop(runner.task.id, None)
        elif not runner.idle:
            # Dismissed in the moment of its end, or ended by a defect, which the supervisor has logged.
            asyncio.get_running_loop().call_later(_RESTART_DELAY, self._go_on, runner)
