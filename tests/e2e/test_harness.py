"""The private machine itself: whether it is private, whether it ends, and whether it would notice what is left behind."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from harness import programs
from harness.cli import Cli
from harness.daemons import Daemon, Dockerd
from harness.images import import_busybox
from harness.machine import ADDRESS, INSIDE, OUTSIDE, OUTSIDE_ADDRESS, OUTSIDE_NAME, Machine
from harness.traffic import Traffic, burst
from harness.waiting import GaveUp, wait_until

SERVER = """
import http.server, sys
class Whoami(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"python {self.client_address[0]}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Whoami)
server.request_queue_size = 128
server.serve_forever()
"""


class Script(Daemon):
    """A daemon that is a few lines of Python."""

    name = "script"
    patience = 5.0
    text = ""

    def argv(self) -> list[str]:
        return [sys.executable, "-c", self.text]


NOTIFYING = """
import os, signal, socket
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"STATUS=soon\\nREADY=1", os.environ["NOTIFY_SOCKET"])
print("told", flush=True)
signal.sigwait([signal.SIGTERM])
"""


def test_a_machine_has_its_own_network_and_an_outside(machine: Machine) -> None:
    assert ADDRESS in machine.run(["ip", "-br", "address"]).stdout
    assert OUTSIDE_ADDRESS in machine.run(["ip", "-br", "address"], where=OUTSIDE).stdout
    assert OUTSIDE_ADDRESS in machine.run(["busybox", "nslookup", OUTSIDE_NAME]).stdout
    assert machine.run(["busybox", "nslookup", "unknown.test"], check=False).returncode != 0
    assert machine.traces().links == {"lo", "uplink0"}
    assert machine.traces().processes == frozenset()


def named(machine: Machine, words: bytes) -> int:
    """The process with these words; 0 for none."""
    processes = machine.processes()
    return next((pid for pid, at in processes if (at / "cmdline").read_bytes() == words), 0)


def test_closing_a_machine_ends_what_ran_in_it() -> None:
    with Machine("closing") as machine:
        # A double fork escapes the process that started it, but not the machine.
        machine.run(["sh", "-c", "(setsid sleep 1000 >/dev/null 2>&1 &)"])
        sleeper = wait_until(lambda: named(machine, b"sleep\x001000\0"), timeout=20, what="it runs")
        outer = machine.host_pid(sleeper)
        directory = machine.dir
    assert not directory.exists()
    assert not Path(f"/proc/{outer}").exists()


def test_traces_name_all_that_is_left_behind(machine: Machine) -> None:
    before = machine.traces()
    machine.run(["ip", "link", "add", "left0", "type", "bridge"])
    machine.run(["nft", "add", "table", "inet", "left"])
    machine.run(["mkdir", "/run/left"])
    machine.run(["mount", "-t", "tmpfs", "left", "/run/left"])
    machine.run(["ip", "netns", "add", "left"])
    process = machine.popen(["sleep", "1000"])
    left = machine.traces().since(before)
    process.end(signal.SIGKILL)
    assert left["links"] == ["left0"]
    assert left["rules"] == ["table inet left"]
    assert "/run/left" in left["mounts"]
    assert "/run/netns/left" in left["namespaces"]
    assert left["processes"] == ["sleep 1000"]


def test_a_daemon_is_ready_when_it_says_so(machine: Machine) -> None:
    daemon = Script(machine)
    daemon.text = NOTIFYING
    daemon.start()
    assert daemon.running
    wait_until(lambda: "told" in daemon.log_tail(), timeout=5, what="the log has the word")
    daemon.restart()
    assert daemon.stop() == 0


def test_a_daemon_that_dies_at_once_shows_its_log(machine: Machine) -> None:
    daemon = Script(machine)
    daemon.text = "raise SystemExit('out of luck')"
    with pytest.raises(AssertionError, match="out of luck"):
        daemon.start()


def test_waiting_is_bounded_and_says_for_what() -> None:
    with pytest.raises(GaveUp, match=r"until pigs fly; last seen: 0\nthe log"):
        wait_until(
            lambda: 0, timeout=0.01, what="pigs fly", interval=0.001, evidence=lambda: "the log"
        )


def test_every_request_is_accounted_for(machine: Machine) -> None:
    server = machine.popen([sys.executable, "-c", SERVER])
    wait_until(
        lambda: machine.run(["curl", "-sf", "http://127.0.0.1:8000/"], check=False).returncode == 0,
        timeout=10,
        what="the server answers",
    )
    for where, client in ((OUTSIDE, OUTSIDE_ADDRESS), (INSIDE, ADDRESS)):
        done = burst(machine, f"http://{ADDRESS}:8000/", 50, where)
        assert done.tally() == {"python": 50}
        assert done.clients() == {client}
    with Traffic.requests(
        machine, f"http://{ADDRESS}:8000/", "--rate", "200", where=OUTSIDE
    ) as traffic:
        traffic.go_on(50)
        assert not traffic.failures
        server.end(signal.SIGKILL)
        # The first to fail may be one that had connected and is cut off; those that come after it are refused.
        wait_until(
            lambda: traffic.failures and "Refused" in traffic.failures[-1].error,
            timeout=5,
            what="requests are refused",
        )
    assert "Refused" in traffic.failures[-1].error
    assert len(traffic.records) > 50


@pytest.mark.slow
def test_the_real_engine_runs_in_a_machine(machine: Machine) -> None:
    daemon = Dockerd(machine)
    daemon.start()
    cli = Cli("docker", [str(programs.old_docker())], daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    container = cli("run", "-d", "web:latest").out.strip()
    inner = int(cli("inspect", "--format", "{{.State.Pid}}", container).out)
    traffic = burst(machine, "http://127.0.0.1:8000/cgi-bin/whoami", 5, inner)
    assert traffic.tally() == {container[:12]: 5}
    assert traffic.clients() == {"127.0.0.1"}
    assert any("serve" in words for words in machine.traces().processes)
    cli("rm", "-f", container)
    assert daemon.stop() == 0
