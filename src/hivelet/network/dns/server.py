"""The resolvers: one dnsmasq for each distinct set of networks in use, each at a link-local address of its own.

A resolver is a directory `<run>/network/dns/<name>/` and a daemon that belongs to nobody: it outlives hiveletd and
is adopted by its pid file and command line. New records are written whole and announced by SIGHUP, which dnsmasq
takes between two queries, so that none is lost; `publish` returns when the resolver itself has answered with the new
version's number.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.files import write_atomic
from hivelet.kit.process import run_command
from hivelet.network.dns.records import (
    SERIAL_NAME,
    Records,
    render_hosts_file,
    render_servers_file,
    serial_address,
)

_PORT = 53
_ANSWER_WITHIN = 5.0
_ENDS_WITHIN = 2.0
_RETRY_AFTER = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
_USER = "nobody"
_NOBODY = 1 << 22
"""A process id that no process can have."""


class ResolverFailed(System):
    """A resolver could not be started or does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverConfig:
    """What one resolver is: `upstreams` empty means the host's own, `forward` False no outside names at all."""

    name: str
    address: str
    upstreams: tuple[str, ...] = ()
    forward: bool = True


class Resolver:
    """One dnsmasq process and its files."""

    def __init__(self, home: Path, config: ResolverConfig) -> None:
        self.config = config
        self._home = home
        # Not from the beginning: a resolver of a former life may still answer with that number.
        self._serial = secrets.randbits(23)
        self._published: Records | None = None

    async def ensure_running(self) -> bool:
        """Start the daemon where it does not run; True where it had to be started."""
        if self.pid() is not None:
            return False
        self._home.mkdir(parents=True, exist_ok=True)
        self._home.chmod(0o755)
        for name in ("hosts", "servers"):
            (self._home / name).touch(mode=0o644)
        write_atomic(self._conf, self._render_conf())
        self._pid_file.unlink(missing_ok=True)
        await run_command(["dnsmasq", "-C", str(self._conf)], timeout=_ANSWER_WITHIN)
        return True

    async def publish(self, records: Records) -> None:
        """Let the resolver answer with these records; returns when it does.

        Raises:
            ResolverFailed: it does not, within a few seconds.
        """
        started = await self.ensure_running()
        if records == self._published and not started:
            return
        self._published = None
        self._serial += 1
        write_atomic(self._home / "hosts", render_hosts_file(records, self._serial))
        write_atomic(self._home / "servers", render_servers_file(records))
        await self._reload()
        self._published = records

    def is_running(self) -> bool:
        """Whether the daemon runs that was started for the records published last; nothing published counts as yes."""
        return self._published is None or self.pid() is not None

    async def stop(self) -> None:
        """End the daemon, wait for its end and remove its files. Idempotent."""
        pid = self.pid()
        if pid is not None:
            await _end_process(pid)
        for name in ("conf", "hosts", "servers", "pid"):
            (self._home / name).unlink(missing_ok=True)
        if self._home.is_dir():
            self._home.rmdir()

    def pid(self) -> int | None:
        """The running daemon's process id: its pid file's, if that process has our command line."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        return pid if os.fsencode(self._conf) in command else None

    async def _reload(self) -> None:
        pid = self.pid()
        try:
            os.kill(pid or _NOBODY, signal.SIGHUP)
        except ProcessLookupError as error:
            raise ResolverFailed(f"the resolver at {self.config.address} has died") from error
        wanted = serial_address(self._serial)
        for pause in _RETRY_AFTER:
            if await query_address(self.config.address, SERIAL_NAME, within=pause) == wanted:
                return
        raise ResolverFailed(
            f"the resolver at {self.config.address} (dnsmasq, pid {pid}) does not answer with its new records"
        )

    def _render_conf(self) -> str:
        return render_conf(self.config, self._home, user=_user_for(self._home))

    @property
    def _conf(self) -> Path:
        return self._home / "conf"

    @property
    def _pid_file(self) -> Path:
        return self._home / "pid"


def render_conf(config: ResolverConfig, home: Path, *, user: str) -> str:
    """The daemon's configuration; it follows the host's resolv.conf by itself. Pure."""
    upstream: Sequence[str]
    if not config.forward:
        upstream = ["no-resolv"]
    elif config.upstreams:
        upstream = ["no-resolv", *(f"server={address}" for address in config.upstreams)]
    else:
        upstream = ["resolv-file=/etc/resolv.conf"]
    lines = [
        f"listen-address={config.address}",
        f"port={_PORT}",
        "bind-interfaces",
        "no-hosts",
        f"addn-hosts={home / 'hosts'}",
        f"servers-file={home / 'servers'}",
        f"pid-file={home / 'pid'}",
        f"user={user}",
        "group=",
        "cache-size=1000",
        "dns-forward-max=1000",
        "edns-packet-max=1232",
        *upstream,
    ]
    return "\n".join(line for line in lines if line != "group=") + "\n"


async def query_address(server: str, name: str, *, within: float) -> str | None:
    """The first address that `server` has for `name`; None where no answer came within the time."""
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
    """The first IPv4 address in a DNS answer to a query of `build_query`. Pure."""
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


async def _end_process(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(descriptor, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDS_WITHIN):
                    await ended.wait()
                return
    except ProcessLookupError:
        return
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _user_for(home: Path) -> str:
    # dnsmasq gives its privileges up before it reads its records again; where a directory above is closed to others
    # (a private run directory), it could then never see new ones.
    reachable = all(parent.stat().st_mode & 0o001 for parent in (home, *home.parents))
    return _USER if reachable else "root"
