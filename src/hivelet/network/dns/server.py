"""The resolvers: one dnsmasq for each distinct set of networks in use, each at a link-local address of its own.

A resolver is a directory `<run>/network/dns/<name>/` and a daemon that belongs to nobody: it outlives hiveletd and
is adopted by its pid file and command line. Each zone is a file of its own that dnsmasq takes over when it sees it
replaced, between two queries, so that none is lost; only a change of the *set* of names needs a SIGHUP (measured with
500 services: 2 ms for a zone, 30 ms for a SIGHUP). `publish` returns when the resolver itself has answered with the
new version's number. Files that say already what they should are left alone: a restarted hiveletd that finds all as it
was tells its resolvers nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.kit.files import write_atomic
from hivelet.kit.process import CommandFailed, run_command
from hivelet.network.dns.configuration import (
    HOST_COPY,
    ResolverConfig,
    read_host_resolv_conf,
    render_conf,
    user_for,
)
from hivelet.network.dns.fileset import FileSet
from hivelet.network.dns.process import NOBODY, end_process, is_resolver
from hivelet.network.dns.query import query_address
from hivelet.network.dns.records import (
    SERIAL_NAME,
    Records,
    parse_serial,
    render_serial,
    render_servers,
    render_zone,
    serial_address,
)

_ANSWER_WITHIN = 5.0
_RETRY_AFTER = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
_PROBE_WITHIN = (1.0, 2.0)


class ResolverFailed(System):
    """A resolver could not be started or does not answer."""


class Resolver:
    """One dnsmasq process and its files."""

    def __init__(self, home: Path, config: ResolverConfig) -> None:
        self.config = config
        self._home = home
        self._files = FileSet()
        # Not from the beginning: a resolver of a former life may still answer with that number.
        self._serial = secrets.randbits(23)
        self._zones: dict[str, Records] = {}
        self._names: Counter[str] = Counter()
        self._settled = False
        self.last_pid = NOBODY
        """Known even where somebody removed the pid file."""
        self._lock = asyncio.Lock()

    @property
    def settled(self) -> bool:
        """Whether the daemon is known to answer with what was published last."""
        return self._settled

    async def publish(self, zones: Mapping[str, Records], *, whole: bool) -> None:
        """Let the resolver answer with these zones; an empty one is removed. Returns when it does.

        With `whole`, zones that are not named are removed as well; a resolver that is not settled needs it.

        Raises:
            ResolverFailed: it does not, within a few seconds.
        """
        async with self._lock:
            await self._publish(zones, whole=whole)

    async def renew(self, zones: Mapping[str, Records]) -> None:
        """Replace the daemon, also one that is there and does not answer, and publish all zones.

        Raises:
            ResolverFailed: the new one does not answer either.
        """
        async with self._lock:
            await self._end(signal.SIGKILL)
            await self._publish(zones, whole=True)

    async def _publish(self, zones: Mapping[str, Records], *, whole: bool) -> None:
        try:
            await self._bring_about(zones, whole=whole)
        except (CommandFailed, OSError) as error:
            raise ResolverFailed(
                f"the resolver at {self.config.address} cannot be given its records: {error}"
            ) from error

    async def _bring_about(self, zones: Mapping[str, Records], *, whole: bool) -> None:
        self._settled = False
        if whole and not (self._conf.exists() and (self._home / "zones").is_dir()):
            await self._end()  # it watches directories that are gone
        stray = self._forget_zones(keep=zones) if whole else False
        concerned = {
            name for owner, new in zones.items() for name in (*self._zones.get(owner, ()), *new)
        }
        names_before = concerned & self._names.keys()
        changed = [owner for owner, records in zones.items() if self._replace(owner, records)]
        if whole:
            reload = self._files.write(self._servers, render_servers(self._names)) or stray
            reload = reload or changed != [] or not await self._answers_as_written()
        elif reload := (concerned & self._names.keys() != names_before):
            self._files.write(self._servers, render_servers(self._names))
        if changed or reload:
            self._serial += 1
            self._files.write(self._zone_file("serial"), render_serial(self._serial))
            await self._ensure_running()
            await self._await_serial(reload=reload)
        elif whole:
            # Adopted as it was found: from now on this file too is one of ours.
            self._files.write(self._zone_file("serial"), render_serial(self._serial))
        self._settled = True

    def find_fault(self) -> str:
        """What is wrong with a daemon that has been given its records, by a look at it and its files; "" for nothing."""
        if not self._settled:
            return ""
        if self.pid() is None:
            return "it has died"
        touched = self._files.find_touched() or [
            path for path in (self._home / "zones").iterdir() if path not in self._files
        ]
        return f"its file {touched[0]} has been changed or removed" if touched else ""

    async def probe(self) -> str:
        """Ask a settled daemon for its version: what is wrong with the answer, "" for nothing.

        One that runs and does not answer is ended, so that the next `publish` starts another one.
        """
        serial = self._serial
        if not self._settled:
            return ""
        for within in _PROBE_WITHIN:
            try:
                answer = await query_address(self.config.address, SERIAL_NAME, within=within)
            except PermissionError:
                # The kernel drops the question: a firewall, or its table of connections is full.
                return ""
            if not self._settled or self._serial != serial or answer == serial_address(serial):
                return ""
            if answer is not None:
                return "it answers with old records"
        await self._end(signal.SIGKILL)
        return "it runs but does not answer"

    def follow(self, resolv_conf: str) -> None:
        """Hand on the host's resolv.conf, in case that the daemon has not seen it change.

        It watches the directories that the file's name led through when it started, and takes whichever of its files has
        changed last: where the host's has become a link to elsewhere it would miss what happens there, and where it is
        gone this copy goes on. One without a name server is being written just now.
        """
        copy = self._home / HOST_COPY
        if (
            self.config.asks_host
            and "nameserver" in resolv_conf
            and self._files.read(copy) != resolv_conf
        ):
            write_atomic(copy, resolv_conf)

    async def stop(self) -> None:
        """End the daemon, wait for its end and remove its files. Idempotent."""
        async with self._lock:
            await self._end()
            if self._home.is_dir():
                shutil.rmtree(self._home)

    def pid(self) -> int | None:
        """The running daemon's process id: the pid file's or the last one known, if that process has our command line."""
        with contextlib.suppress(OSError, ValueError):
            self.last_pid = int(self._pid_file.read_text())
        return self.last_pid if is_resolver(self.last_pid, self._conf) else None

    def _replace(self, owner: str, records: Records) -> bool:
        before = self._zones.get(owner, {})
        if before == records:
            return False
        self._names.subtract(before.keys())
        self._names.update(records.keys())
        for name in before.keys() - records.keys():
            if not self._names[name]:
                del self._names[name]
        if records:
            self._zones[owner] = records
            return self._files.write(self._zone_file(owner), render_zone(records))
        del self._zones[owner]
        self._files.remove(self._zone_file(owner))
        return True

    def _forget_zones(self, keep: Mapping[str, Records]) -> bool:
        """Forget all zones and remove the files of those that are not to come; True where there were some."""
        self._zones = {}
        self._names = Counter()
        directory = self._home / "zones"
        directory.mkdir(parents=True, exist_ok=True)
        for path in (self._home, directory):
            path.chmod(0o755)
        kept = {self._zone_file(owner) for owner, records in keep.items() if records}
        stray = [p for p in directory.iterdir() if p not in kept | {self._zone_file("serial")}]
        for path in stray:
            self._files.remove(path)
        return stray != []

    async def _answers_as_written(self) -> bool:
        """Whether the daemon of a former life answers with the version that its files say."""
        serial = parse_serial(self._files.read(self._zone_file("serial")) or "")
        if serial is None or self.pid() is None:
            return False
        self._serial = serial
        # Ours from now on, so that it is not taken for one that somebody else has put there.
        self._files.write(self._zone_file("serial"), render_serial(serial))
        return await self._answers(serial_address(serial), within=1.0)

    async def _ensure_running(self) -> None:
        if self.pid() is not None:
            return
        conf = render_conf(self.config, self._home, user=user_for(self._home))
        self._files.write(self._conf, conf)
        self.follow(read_host_resolv_conf())
        self._pid_file.unlink(missing_ok=True)
        point("resolver.start")
        await run_command(["dnsmasq", "-C", str(self._conf)], timeout=_ANSWER_WITHIN)
        point("resolver.started")

    async def _await_serial(self, *, reload: bool) -> None:
        pid = self.pid()
        try:
            if reload:
                point("resolver.reload")
                os.kill(pid or NOBODY, signal.SIGHUP)
                point("resolver.told")
        except ProcessLookupError as error:
            raise ResolverFailed(f"the resolver at {self.config.address} has died") from error
        wanted = serial_address(self._serial)
        for pause in _RETRY_AFTER:
            if await self._answers(wanted, within=pause):
                return
            await asyncio.sleep(pause / 10)
        raise ResolverFailed(
            f"the resolver at {self.config.address} (dnsmasq, pid {pid}) does not answer with its new records"
        )

    async def _answers(self, wanted: str, *, within: float) -> bool:
        try:
            return await query_address(self.config.address, SERIAL_NAME, within=within) == wanted
        except PermissionError:
            await asyncio.sleep(within)
            return False

    async def _end(self, *signals: signal.Signals) -> None:
        pid = self.pid()
        if pid is not None:
            point("resolver.end")
            await end_process(pid, *signals)

    def _zone_file(self, owner: str) -> Path:
        return self._home / "zones" / owner.replace(":", ".")

    @property
    def _servers(self) -> Path:
        return self._home / "servers"

    @property
    def _conf(self) -> Path:
        return self._home / "conf"

    @property
    def _pid_file(self) -> Path:
        return self._home / "pid"
