"""What a create that failed, or that a killed daemon had begun, leaves behind: found, ended and removed.

What always holds: a runtime that is at work finishes first, as it would make anew what was just removed.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from hivelet.objects.common import ContainerId
from hivelet.runtime import commands
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.commands import BundlePaths, OciRuntime
from hivelet.runtime.conmon.monitors import end_monitor, finish
from hivelet.runtime.conmon.spec import cgroup_of, read_spec
from hivelet.runtime.oci import RuntimeCallFailed, call_runtime
from hivelet.runtime.processes import find_monitor
from hivelet.runtime.supervised import Belongings


class Leftovers:
    """Removes what is left of containers whose programs have never run."""

    def __init__(self, runtime: OciRuntime, cgroups: CgroupTree) -> None:
        self._runtime = runtime
        self._cgroups = cgroups

    async def abandon(self, own: Belongings, conmon_pid: int, conmon: int) -> None:
        """Undo a create that failed or was cancelled, wherever it stood."""
        # A runtime that is still at work would make what was just removed.
        await end_monitor(conmon_pid, conmon)
        await self.discard(own)

    async def discard_unrecorded(self, container: ContainerId, paths: BundlePaths) -> None:
        """Remove what an earlier daemon was making when it was killed: its program has never run.

        Its conmon may be at it still, also where there is no process of the container yet.
        """
        cgroup = cgroup_of(read_spec(paths.config))
        own = Belongings(id=container, paths=paths, runtime=self._runtime, cgroup=cgroup)
        monitor = find_monitor(container)
        if monitor is None:
            await self.discard(own)
        else:
            await self.abandon(own, *monitor)

    async def discard(self, own: Belongings) -> None:
        """Remove a container, its processes and its files in the bundle, whatever there is of them."""
        with suppress(RuntimeCallFailed):  # it does not know it: then there is nothing to remove
            await call_runtime(own.runtime, commands.runtime_delete(own.runtime, own.id))
        remove_transient(own.paths)
        if own.cgroup:
            # The runtime kills what it made, and does not wait for its end.
            for pid in self._cgroups.processes(own.cgroup):
                await _end(pid)
            self._cgroups.remove(own.cgroup)


def remove_transient(paths: BundlePaths) -> None:
    """Remove the files that appear in a bundle while a container lives."""
    for path in paths.transient():
        path.unlink(missing_ok=True)


async def _end(pid: int) -> None:
    """Kill a process and wait for its end."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    await finish(process)
