"""Clients of the API that send nothing, half of it, far too much, or never read: others are served, and memory is bounded."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import figures
from harness.machine import ADDRESS
from harness.native import Client, import_http
from harness.swarm import Swarm
from harness.waiting import wait_until

pytestmark = pytest.mark.slow

FLOOD = """
import gzip, json, socket, sys
kinds = {
    "silent": (300, b""),
    "half a head": (300, b"GET /v1.41/info HTT"),
    "half a large header": (100, b"GET /_ping HTTP/1.1\\r\\nHost: d\\r\\nX-A: " + b"a" * 100_000),
    "answered, then idle": (300, b"GET /_ping HTTP/1.1\\r\\nHost: d\\r\\n\\r\\n"),
    "half a body": (60, b"POST /services/create HTTP/1.1\\r\\nHost: d\\r\\nContent-Type: application/json\\r\\n"
                        b"Content-Length: 8000000\\r\\n\\r\\n" + b"[" * 4_000_000),
    "half an archive": (20, b"POST /images/load HTTP/1.1\\r\\nHost: d\\r\\nContent-Length: 8000000\\r\\n\\r\\n" + bytes(100_000)),
    "an endless body": (20, b"POST /services/create HTTP/1.1\\r\\nHost: d\\r\\nContent-Type: application/json\\r\\n"
                            b"Transfer-Encoding: chunked\\r\\n\\r\\n" + b"100000\\r\\n" + b" " * 0x100000 + b"\\r\\n"),
    "a bomb": (10, b"POST /services/create HTTP/1.1\\r\\nHost: d\\r\\nContent-Type: application/json\\r\\n"
                   b"Content-Encoding: gzip\\r\\nContent-Length: %d\\r\\n\\r\\n"),
    "never reads": (40, b"GET /events?since=1 HTTP/1.1\\r\\nHost: d\\r\\n\\r\\n"),
}
bomb = gzip.compress(bytes(100_000_000))
ends = []
for kind, (count, data) in kinds.items():
    if kind == "a bomb":
        data = data % len(bomb) + bomb
    for _ in range(count):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.connect(sys.argv[1])
        end.setblocking(False)
        try:
            while data and (sent := end.send(data)) < len(data):
                data = data[sent:]
        except OSError:
            pass  # it takes no more for now, or has refused
        ends.append(end)
print(len(ends), flush=True)
sys.stdin.read()
"""


def _memory(pid: int) -> int:
    """The most memory that it ever had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def test_others_are_served_while_clients_misbehave(swarm: Swarm) -> None:
    machine, daemon = swarm.machine, swarm.daemon
    import_http(swarm.cli, machine.dir)
    swarm.create("web", 2, "--publish", "8000:8000", image="http:latest")
    before = _memory(daemon.pid)
    open_files = Path(f"/proc/{daemon.pid}/fd")
    usual = len(list(open_files.iterdir()))
    flood = machine.popen(
        [sys.executable, "-c", FLOOD, str(daemon.socket)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    traffic = Client(machine, ADDRESS, "close", port=8000)
    traffic.start(connections=4, rate=500)
    assert flood.popen.stdout is not None
    with flood.popen.stdout as told:
        injected = int(told.readline())
    slowest = 0.0
    with swarm.api() as api:
        for _ in range(50):
            begun = time.monotonic()
            assert len(api.services()) == 1
            slowest = max(slowest, time.monotonic() - begun)
    swarm.cli("service", "scale", "--detach", "web=3")
    swarm.until_running("web", 3)
    counts = traffic.finish()
    assert counts.failed == 0, counts
    assert slowest < 5
    grown = _memory(daemon.pid) - before
    assert grown < 150, f"{grown} MiB"
    figures.measured(
        "API clients that send nothing, half, or too much",
        injected=injected,
        requests=counts.begun,
        lost=counts.failed,
        seconds=slowest,
    )
    flood.end()
    wait_until(
        lambda: len(list(open_files.iterdir())) <= usual + 20,
        timeout=30,
        what="the daemon has closed what its clients have left",
        evidence=lambda: str(len(list(open_files.iterdir()))),
    )
    assert "Traceback" not in daemon.log_path.read_text()
