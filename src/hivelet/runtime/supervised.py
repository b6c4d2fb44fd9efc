"""One container that is watched: its record, its two processes, and how it ended.

Writes only the container's `record.json`. `died` is set when the first process is dead, a few milliseconds before conmon has read
its last words and its exit code; `ended` is settled exactly once, and only after both processes have ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from hivelet.errors import Conflict
from hivelet.kit.clock import Clock
from hivelet.objects.common import ContainerId
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.commands import BundlePaths, OciRuntime
from hivelet.runtime.processes import ProcessRecord, write_record
from hivelet.runtime.status import KILLED, ExitStatus
from hivelet.runtime.watch import Watch

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What a container is made of, beside its processes."""

    id: ContainerId
    paths: BundlePaths
    runtime: OciRuntime
    cgroup: str


class Supervised:
    """A container under watch. Made for a new one and for an adopted one alike."""

    def __init__(
        self, own: Belongings, record: ProcessRecord, cgroups: CgroupTree, clock: Clock
    ) -> None:
        self.own = own
        self.record = record
        self.ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.died = asyncio.Event()
        self._cgroups = cgroups
        self._clock = clock
        self._watch: Watch | None = None
        self._witnessed = True

    def watch(self, pidfd: int | None, conmon: int | None) -> None:
        """Watch the first process and its conmon, which are given by pidfd where they live."""
        if pidfd is None:
            self.died.set()
        if pidfd is None and conmon is None:
            self._witnessed = False
            self._settle()
        else:
            self._watch = Watch(
                pidfd,
                conmon,
                on_death=self.died.set,
                on_end=self._settle,
                on_orphan=self._warn_of_orphan,
            )
            if conmon is None:
                self._warn_of_orphan()

    def alive(self) -> int:
        """The pidfd of the first process.

        Raises:
            Conflict: it has ended.
        """
        pidfd = self._watch.pidfd if self._watch is not None else None
        if pidfd is None:
            raise Conflict(f"container {self.own.id} is not running")
        return pidfd

    def remember(self, *, started: bool | None = None, paused: bool | None = None) -> None:
        """Note what has become of the container, for a later daemon."""
        self.record = self.record.replaced(started=started, paused=paused)
        if self.own.paths.record.exists():  # else it is being removed
            write_record(self.own.paths.record, self.record)

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()

    def _warn_of_orphan(self) -> None:
        log.warning(
            "the monitor (conmon) of a running container is gone: what the container says from now on is lost, "
            "and its exit code will not be known",
            **{"container.id": self.own.id},
        )

    def _settle(self) -> None:
        if not self.ended.done():
            self.ended.set_result(self._status())

    def _status(self) -> ExitStatus:
        oom_killed = self._cgroups.oom_kills(self.own.cgroup) > 0
        code = read_number(self.own.paths.exit_file)
        if code is None:
            error = "the exit code is not known: conmon, which watches the container, was killed before it told"
            return ExitStatus(
                code=KILLED, oom_killed=oom_killed, finished_at=self._clock.now(), error=error
            )
        # The file's time is coarse, and may lie before the start of a program that ends at once.
        seen = datetime.fromtimestamp(self.own.paths.exit_file.stat().st_mtime, UTC)
        finished_at = self._clock.now() if self._witnessed else seen
        return ExitStatus(code=code, oom_killed=oom_killed, finished_at=finished_at)


def read_number(path: Path) -> int | None:
    """The number in a pid or exit file; None where there is no such file, or nothing in it yet."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
