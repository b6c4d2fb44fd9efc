"""Keeps the files of logs that are full: one background loop for each running container whose log has several files.

The loop sleeps until a file of the log's folder gets a name, which is when conmon starts its file anew.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from hivelet.kit.supervise import Supervisor
from hivelet.objects.common import Driver
from hivelet.objects.engine import Container
from hivelet.objects.log_driver import LogPolicy, log_policy
from hivelet.runtime.inotify import MOVED_IN, shared_inotify
from hivelet.runtime.log_files import keep_full


def policy_of(container: Container) -> LogPolicy:
    """How much of a container's log is kept."""
    config = container.host_config.log_config
    return log_policy(Driver(name=config.type, options=config.config))


class LogKeeper:
    """Watches the logs of containers that run."""

    def __init__(self) -> None:
        self._supervisor = Supervisor("logs")
        self._loops: dict[str, asyncio.Task[None]] = {}

    def begin(self, container: Container) -> None:
        """Keep what is full from now on, and what became so while nobody looked."""
        policy = policy_of(container)
        if not policy.kept or policy.files < 2:
            return
        log = Path(container.log_path)
        keep_full(log, policy.files)
        self._loops[container.id] = self._supervisor.spawn(
            f"keep log {container.id[:12]}", self._keep(log, policy.files)
        )

    def end(self, container: Container) -> None:
        """The container has ended, and its log with it."""
        loop = self._loops.pop(container.id, None)
        if loop is not None:
            loop.cancel()
            keep_full(Path(container.log_path), policy_of(container).files)

    async def close(self) -> None:
        """Watch no more."""
        await self._supervisor.stop()

    async def _keep(self, log: Path, files: int) -> None:
        with shared_inotify().watching(log.parent, MOVED_IN) as changed:
            while True:
                changed.clear()
                keep_full(log, files)
                await changed.wait()
