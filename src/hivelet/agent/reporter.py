"""Task statuses on their way to the manager: only the newest of each task, all that there are in one call.

What always holds: a status that was handed over is delivered, or replaced by a newer one of the same task; across sessions too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hivelet.objects.assignment import StatusUpdate
from hivelet.objects.common import TaskId
from hivelet.objects.task import TaskStatus

Deliver = Callable[[Sequence[StatusUpdate]], Awaitable[None]]


class Reporter:
    """Collects statuses, and delivers them while somebody runs `deliver`."""

    def __init__(self) -> None:
        self._latest: dict[TaskId, TaskStatus] = {}
        self._news = asyncio.Event()

    def report(self, task_id: TaskId, status: TaskStatus) -> None:
        """Hand a status over; never waits."""
        self._latest[task_id] = status
        self._news.set()

    def forget(self, task_id: TaskId) -> None:
        """Nobody wants to know of the task any more."""
        self._latest.pop(task_id, None)

    async def deliver(self, send: Deliver) -> None:
        """Deliver by `send`, for ever; what it refuses by an exception is kept, and the exception passed on."""
        while True:
            await self._news.wait()
            self._news.clear()
            taken, self._latest = self._latest, {}
            updates = [StatusUpdate(task_id=id_, status=status) for id_, status in taken.items()]
            try:
                await send(updates)
            except BaseException:
                self._latest = {**taken, **self._latest}
                self._news.set()
                raise
