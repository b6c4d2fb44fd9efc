"""systemd's watchdog: told that the daemon lives while all of it turns, and not when a part of it hangs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = pytest.mark.slow

PATIENCE = 1.5
"""Seconds of WATCHDOG_USEC, so that a ping comes every half second."""

HANG = """
import signal, threading

def hang_here(*_):
    threading.Event().wait()

def hang_the_journal(*_):
    from hivelet.store.sqlite import SqliteJournal
    SqliteJournal._write = hang_here

signal.signal(signal.SIGUSR1, hang_here)
signal.signal(signal.SIGUSR2, hang_the_journal)
"""
"""What the interpreter of the daemon under test loads before anything else."""


class Watched(Hiveletd):
    """A daemon as systemd starts one with WatchdogSec, whose parts a signal makes hang."""

    def environment(self) -> Mapping[str, str]:
        folder = self.machine.dir / "hang"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(HANG)
        return {
            **super().environment(),
            "WATCHDOG_USEC": str(int(PATIENCE * 1e6)),
            "PYTHONPATH": str(folder),
        }

    @contextmanager
    def listening(self) -> Iterator[socket.socket]:
        """What is told to the service manager from now on."""
        address = self.dir / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(str(address))
            yield channel


@pytest.fixture
def watched(machine: Machine) -> Iterator[Swarm]:
    daemon = Watched(machine)
    daemon.start()
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("swarm", "init")
    swarm = Swarm(machine, daemon, cli)
    swarm.create("web", 1)
    yield swarm
    if daemon.running:
        assert daemon.stop() == 0


def await_ping(channel: socket.socket, timeout: float = 30.0) -> None:
    channel.settimeout(timeout)
    assert channel.recv(100) == b"WATCHDOG=1"


def await_silence(channel: socket.socket) -> None:
    """Return when systemd would have lost its patience."""
    until = time.monotonic() + 60
    channel.settimeout(2 * PATIENCE)
    try:
        while time.monotonic() < until:
            channel.recv(100)
    except TimeoutError:
        return
    raise AssertionError("it still says that it lives")


def start_anew(swarm: Swarm, before: set[str]) -> float:
    """What systemd does with one that is silent; seconds until the next one has adopted what runs."""
    begun = time.monotonic()
    daemon = swarm.daemon
    os.kill(daemon.pid, signal.SIGABRT)
    assert daemon.process is not None
    daemon.process.popen.wait(20)
    daemon.start()
    wait_until(
        lambda: swarm.task_ids("web") == before, timeout=30, what="the task runs on, adopted"
    )
    return time.monotonic() - begun


def test_a_hung_event_loop_is_not_reported_alive(watched: Swarm) -> None:
    daemon, before = watched.daemon, watched.task_ids("web")
    assert isinstance(daemon, Watched)
    with daemon.listening() as channel:
        for _ in range(3):
            await_ping(channel)
        os.kill(daemon.pid, signal.SIGUSR1)
        await_silence(channel)
    seconds = start_anew(watched, before)
    # Where it hung is in the log.
    assert "hang_here" in daemon.log_path.read_text()
    measured("the event loop hangs", injected=1, seconds=seconds)


def test_a_hung_journal_is_not_reported_alive(watched: Swarm) -> None:
    daemon, before = watched.daemon, watched.task_ids("web")
    assert isinstance(daemon, Watched)
    with daemon.listening() as channel:
        os.kill(daemon.pid, signal.SIGUSR2)
        await_ping(channel)
        # Something to write: the task that dies is replaced, which is not waited for by anybody.
        task = watched.tasks("web", running=True)[0]
        os.kill(watched.machine.host_pid(watched.process(task)), signal.SIGKILL)
        await_silence(channel)
    log = daemon.log_path.read_text()
    assert "a part of hiveletd does not turn; the watchdog is not told" in log
    assert "journal" in log
    begun = time.monotonic()
    os.kill(daemon.pid, signal.SIGABRT)
    assert daemon.process is not None
    daemon.process.popen.wait(20)
    daemon.start()
    watched.until_running("web", 1)
    assert watched.task_ids("web") != before
    measured("the journal's disk hangs", injected=1, seconds=time.monotonic() - begun)
