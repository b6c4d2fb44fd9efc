"""A container's life on this node: made, started, stopped, removed, adopted after a restart of the daemon.

What always holds: a container is in the registry before anything of it exists, and leaves it after everything of it is
gone, so nothing is ever left without an owner. What a running container needs (mounted file system, sandbox,
runtime state) is made by `hivelet.engine.provision` before it starts, and undone when its process ends.
"""

from __future__ import annotations

import asyncio
import shutil

import structlog

from hivelet.engine.life.starting import Starting
from hivelet.engine.life.stopping import Stopping
from hivelet.engine.registry import Record, running
from hivelet.errors import HiveletError
from hivelet.kit.files import ensure_private
from hivelet.objects.common import ContainerId
from hivelet.runtime.status import Exited, ExitStatus, Gone, Running

log = structlog.get_logger(__name__)

GONE = 255
"""Exit code of a container whose end nobody saw: the machine went down, or its monitor was killed with it."""


class Lifecycle(Starting, Stopping):
    """Makes, starts, stops and removes this node's containers."""

    # ---- adoption and end of the daemon

    async def adopt(self) -> None:
        """Take over every container that an earlier daemon left, and finish removals that it began."""
        homes = [base / "containers" for base in (self._parts.root, self._parts.run)]
        for home in homes:
            ensure_private(home)
        known = {record.id for record in self._registry.all()}
        for name in {path.name for home in homes for path in home.iterdir()} - known:
            await self._end_stray(ContainerId(name))
        await self._parts.storage.adopt(known)
        self._parts.files.adopt({record.id for record in running(self._registry.all())})
        for record in self._registry.all():
            if record.removing:
                await self._take_down(record)
            elif record.container.state.running:
                await self._adopt_running(record)
            else:
                await self._settle(record)
        for directory in [path for home in homes for path in home.iterdir()]:
            if directory.name not in known:
                await asyncio.to_thread(shutil.rmtree, directory)

    async def close(self) -> None:
        """Stop watching; the containers run on."""
        await self.health.close()
        await self._logs.close()
        await self._supervisor.stop()

    async def _end_stray(self, container_id: ContainerId) -> None:
        """End a container of which there is no record: the database was begun anew."""
        log.warning("a container that no record knows is ended", **{"container.id": container_id})
        await self._parts.runtime.adopt(container_id, self.paths(container_id).runtime)
        await self._provision.release(container_id)

    async def _adopt_running(self, record: Record) -> None:
        found = await self._parts.runtime.adopt(record.id, self.paths(record.id).runtime)
        match found:
            case Exited(status=status):
                await self._ended(record.id, status)
            case Gone():
                await self._ended(record.id, self._lost())
            case _ if found.started:
                await self._ports.open(await self._joined_as_recorded(record))
                self._watch(record)
            case _:
                # We died between create and start: nobody has seen it run, so it may end here.
                await self._parts.runtime.delete(record.id, force=True)
                await self._ended(record.id, self._lost())

    async def _joined_as_recorded(self, record: Record) -> Record:
        """A running container in the networks of its record: we may have died while it was joined to one, or taken out of one."""
        sandbox = self._parts.plane.sandbox(record.id)
        recorded = {leg.network.id for leg in record.legs}
        if record.task_id or sandbox is None or sandbox.addresses.keys() == recorded:
            return record
        log.info("a change of networks that a crash cut short is undone", **record.log_fields)
        try:
            return await self._provision.rejoin(record)
        except HiveletError as error:
            log.error("it could not be undone", error=error.message, **record.log_fields)
            return record

    async def _settle(self, record: Record) -> None:
        """A container that does not run as far as is known: we may have died while it was started or taken down."""
        paths = self.paths(record.id).runtime
        if not paths.config.exists():
            return
        if record.container.state.status == "exited":
            await self._provision.release(record.id)
            return
        match await self._parts.runtime.adopt(record.id, paths):
            case Running(pid=pid, started=True):
                await self._runs(record, pid)
            case Exited(status=status):
                await self._ended(record.id, status)
            case Gone():
                return
            case _:
                await self._parts.runtime.delete(record.id, force=True)

    def _lost(self) -> ExitStatus:
        return ExitStatus(
            code=GONE,
            oom_killed=False,
            finished_at=self._parts.clock.now(),
            error="its end was not seen: the machine was restarted, or all of its processes were killed",
        )
