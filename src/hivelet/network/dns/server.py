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
import socket
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.kit.files import write_atomic
from hivelet.kit.process import CommandFailed, run_command
from hivelet.network.dns.fileset import FileSet
from hivelet.network.dns.process import NOBODY, end_process, is_resolver
from hivelet.network.dns.records import (
    SERIAL_NAME,
    Records,
    parse_serial,
    render_serial,
    render_servers,
    render_zone,
    serial_address,
)

HOST_FILE = Path("/etc/resolv.conf")
HOST_COPY = "host-resolv.conf"
_PORT = 53
_ANSWER_WITHIN = 5.0
_RETRY_AFTER = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
_PROBE_WITHIN = (1.0, 2.0)
_USER = "nobody"


class ResolverFailed(System):
    """A resolver could not be started or does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverConfig:
    """What one resolver is: `upstreams` empty means the host's own, `forward` False no outside names at all."""

    name: str
    address: str
    upstreams: tuple[str, ...] = ()
    forward: bool = True

    @property
    def asks_host(self) -> bool:
        """Whether it asks the servers that the host asks."""
        return self.forward and not self.upstreams


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
        conf = render_conf(self.config, self._home, user=_user_for(self._home))
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


def render_conf(config: ResolverConfig, home: Path, *, user: str) -> str:
    """The daemon's configuration; it follows the host's resolv.conf by itself, mostly (see `Resolver.follow`). Pure."""
    upstream: Sequence[str]
    if config.asks_host:
        upstream = [f"resolv-file={path}" for path in (HOST_FILE, home / HOST_COPY)]
    else:
        upstream = ["no-resolv", *(f"server={address}" for address in config.upstreams)]
    lines = [
        f"listen-address={config.address}",
        f"port={_PORT}",
        "bind-interfaces",
        "no-hosts",
        f"hostsdir={home / 'zones'}",
        f"servers-file={home / 'servers'}",
        f"pid-file={home / 'pid'}",
        f"user={user}",
        "cache-size=1000",
        "dns-forward-max=1000",
        "edns-packet-max=1232",
        *upstream,
    ]
    return "\n".join(lines) + "\n"


async def query_address(server: str, name: str, *, within: float) -> str | None:
    """The first address that `server` has for `name`; None where no answer came within the time.

    Raises:
        PermissionError: this host's own packet filter does not let the question out.
    """
    loop = asyncio.get_running_loop()
    number = secrets.randbits(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
        try:
            door.connect((server, _PORT))
            await loop.sock_sendall(door, build_query(number, name))
            async with asyncio.timeout(within):
                while True:
                    answer = await loop.sock_recv(door, 4096)
                    if answer[:2] == number.to_bytes(2, "big"):
                        return parse_address(answer)
        except TimeoutError:
            return None
        except ConnectionRefusedError:
            await asyncio.sleep(within)
            return None


def build_query(number: int, name: str) -> bytes:
    """A DNS query for the IPv4 address of `name`. Pure."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    )


def parse_address(answer: bytes) -> str | None:
    """The first IPv4 address in a DNS answer to a query of `build_query`; None where it has none, or is no answer. Pure."""
    try:
        return _first_address(answer)
    except (IndexError, ValueError, OSError, struct.error):
        return None  # cut off, or something else altogether


def _first_address(answer: bytes) -> str | None:
    count = struct.unpack_from(">H", answer, 6)[0]
    place = 12
    while answer[place]:
        place += answer[place] + 1
    place += 5
    for _ in range(count):
        place += 2 if answer[place] & 0xC0 else answer.index(0, place) - place + 1
        kind, _, _, length = struct.unpack_from(">HHIH", answer, place)
        place += 10
        if kind == 1 and length == 4:
            return socket.inet_ntoa(answer[place : place + 4])
        place += length
    return None


def read_host_resolv_conf() -> str:
    """What the host's resolv.conf says; nothing where there is none."""
    try:
        return HOST_FILE.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _user_for(home: Path) -> str:
    # dnsmasq gives its privileges up before it reads its records again; where a directory above is closed to others
    # (a private run directory), it could then never see new ones.
    reachable = all(parent.stat().st_mode & 0o001 for parent in (home, *home.parents))
    return _USER if reachable else "root"
