"""How a further process comes into a running container: as whom, with which environment and capabilities."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hivelet.engine.create import exec_environment
from hivelet.engine.provision import LifecycleParts
from hivelet.engine.registry import Record
from hivelet.objects.exec import ExecConfig
from hivelet.runtime.commands import ExecOptions
from hivelet.runtime.exec_process import ExecProcess
from hivelet.runtime.oci_spec import ExecInput


class FurtherProcesses:
    """Starts them; what becomes of them is `hivelet.engine.execs.actions`'."""

    def __init__(self, parts: LifecycleParts) -> None:
        self._parts = parts

    def check_user(self, record: Record, user: str) -> None:
        """Refuse a user that the container's own files don't know.

        Raises:
            InvalidParameter: in Docker's words.
        """
        self._parts.storage.find_user(record, user)

    async def start(
        self,
        record: Record,
        config: ExecConfig,
        name: str,
        options: ExecOptions,
        size: Sequence[int] = (),
    ) -> tuple[ExecProcess, asyncio.Task[None]]:
        """Run a further process in a running container.

        Raises:
            Conflict: it does not run.
            CreateFailed: the process could not be started.
        """
        user = self._parts.storage.find_user(record, config.user) if config.user else None
        everything = tuple(sorted(self._parts.facts.capabilities)) if config.privileged else None
        wish = ExecInput(
            args=tuple(config.cmd),
            env=tuple(exec_environment(record.container.config, config, user)),
            user=user,
            cwd=config.working_dir,
            terminal=config.tty,
            size=(size[0], size[1]) if any(size) else None,
            capabilities=everything,
        )
        return await self._parts.runtime.start_exec(record.id, wish, name, options)
