"""Many at once: two hundred API clients during a rolling update, watchers that never read, a service of 150 replicas.

The clients are a process of their own (harness/crowd.py). All the while the updated service is asked too, and loses nothing.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import crowd as crowd_program
from harness.figures import measured
from harness.native import IMAGE, PORT, Client, import_http
from harness.swarm import Swarm
from harness.waiting import wait_until
from harness.weight import MIB, resident, weigh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PUBLISHED = 8080
LIMIT = 120_000_000
"""Bytes of memory that hiveletd may hold in any of this."""

ASKERS, WATCHERS, FOLLOWERS = 140, 30, 30

CHATTER = ("sh", "-c", "while :; do echo some line or other; sleep 0.2; done")
FLOOD = ("sh", "-c", "yes a line that nobody reads | head -n 400000; sleep 100000")


class Crowd:
    """A crowd at work; `leave` gives what it saw."""

    def __init__(self, swarm: Swarm, **numbers: int | str) -> None:
        words = [f"--{name}={value}" for name, value in numbers.items()]
        program = [sys.executable, str(Path(crowd_program.__file__)), str(swarm.daemon.socket)]
        self._process = subprocess.Popen(
            [*program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def until_ready(self) -> None:
        """All clients have had their first answer."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def leave(self) -> dict[str, Any]:
        """Let all finish what they do."""
        said, _ = self._process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    def end(self) -> None:
        """Whatever has become of it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def gathered(swarm: Swarm, **numbers: int | str) -> Iterator[Crowd]:
    """A crowd, at work from here on."""
    crowd = Crowd(swarm, **numbers)
    try:
        crowd.until_ready()
        yield crowd
    finally:
        crowd.end()


@contextmanager
def never_reading(swarm: Swarm, path: str, number: int) -> Iterator[list[socket.socket]]:
    """Clients that ask for a stream and then read nothing at all."""
    opened = []
    try:
        for _ in range(number):
            client = socket.socket(socket.AF_UNIX)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(str(swarm.daemon.socket))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
            opened.append(client)
        yield opened
    finally:
        for client in opened:
            client.close()


def update(swarm: Swarm, name: str, value: str) -> float:
    """A rolling update to its end, and how long it took."""
    begun = time.monotonic()
    swarm.cli("service", "update", "--detach", "--env-add", f"N={value}", name)

    def done() -> bool:
        with swarm.api() as api:
            service = api.inspect_service(name)
        env = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", [])
        return f"N={value}" in env and service["UpdateStatus"]["State"] == "completed"

    wait_until(done, timeout=120, what=f"{name} is updated", evidence=swarm.story, interval=0.2)
    return time.monotonic() - begun


def test_two_hundred_clients_during_an_update(swarm: Swarm) -> None:
    import_http(swarm.cli, swarm.machine.dir)
    options = ("--publish", f"{PUBLISHED}:{PORT}", "--stop-grace-period", "5s")
    swarm.create("front", 3, *options, image=IMAGE)
    swarm.create("chatter", 2, image="bb:latest", command=CHATTER)
    before = weigh(swarm)
    client = Client(swarm.machine, "127.0.0.1", "close", port=PUBLISHED)
    client.start(connections=4, rate=100)
    crowd_of = {"askers": ASKERS, "watchers": WATCHERS, "followers": FOLLOWERS}
    with gathered(swarm, service="chatter", **crowd_of) as crowd:
        update(swarm, "front", "1")
        heaviest = resident(swarm.daemon)
        seen = crowd.leave()
    counts = client.finish()
    story = f"{seen}\n{counts.good} requests {counts.classes}; {before}; {heaviest / MIB:.1f} MiB"
    print(story)
    assert counts.failed == 0, f"{counts.failures[:5]}\n{story}"
    assert seen["errors"] == [], story
    assert seen["requests"] > 2 * ASKERS, story
    # Each watcher hears of every container that came and went, each follower reads on.
    assert seen["read"]["events"] > WATCHERS * 15, story
    assert seen["read"]["log bytes"] > FOLLOWERS * 100, story
    assert heaviest < LIMIT, story
    # Nobody starves. How quick it is, on a machine with nothing else to do, is for bench.api to say.
    assert seen["all"]["slowest"] < 10, story
    wait_until(
        lambda: weigh(swarm).descriptors <= before.descriptors + 4,
        timeout=30,
        what="the clients' connections are closed",
        evidence=lambda: str(weigh(swarm)),
    )
    total = counts.good + seen["requests"]
    measured(
        "two hundred API clients at once",
        injected=200,
        requests=total,
        lost=0,
        seconds=round(seen["all"]["p99"], 3),
    )


def test_watchers_that_never_read(swarm: Swarm) -> None:
    swarm.create("flood", 1, image="bb:latest", command=FLOOD)
    swarm.create("web", 2)
    before = resident(swarm.daemon)
    follow = "/v1.41/services/flood/logs?stdout=1&follow=1"
    with never_reading(swarm, "/v1.41/events", 40), never_reading(swarm, follow, 20):
        begun = time.monotonic()
        for number in range(2):
            update(swarm, "web", str(number))
        with swarm.api() as api:
            # More events than a socket holds, and than any of them is sent ahead.
            for number in range(700):
                config = api.create_config(f"c{number}", b"x")["ID"]
                api.remove_config(config)
            assert len(api.services()) == 2
        seconds = time.monotonic() - begun
        after = resident(swarm.daemon)
    story = f"{before / MIB:.1f} MiB, then {after / MIB:.1f} MiB after {seconds:.1f} s"
    print(story)
    assert after < LIMIT, story
    assert after - before < 24 * MIB, story
    wait_until(
        lambda: weigh(swarm).descriptors < 80, timeout=30, what="their connections are closed"
    )
    measured("watchers that never read", injected=60, requests=1400, lost=0)


def test_a_hundred_and_fifty_replicas(swarm: Swarm) -> None:
    begun = time.monotonic()
    words = ("--detach", "--no-resolve-image", "--name", "many", "--replicas", "150")
    swarm.cli("service", "create", *words, "bb:latest", "sleep", "100000")
    swarm.until_running("many", 150, timeout=180)
    seconds = time.monotonic() - begun
    held = resident(swarm.daemon)
    scraped = time.monotonic()
    page = swarm.machine.run(
        ["curl", "-sSf", "--unix-socket", str(swarm.daemon.socket), "http://h/metrics"]
    ).stdout
    scraped = time.monotonic() - scraped
    story = f"150 replicas in {seconds:.1f} s, {held / MIB:.1f} MiB, a scrape in {scraped:.2f} s"
    print(story)
    assert 'hivelet_service_tasks_running{service="many"} 150.0' in page
    assert held < LIMIT, story
    assert scraped < 5, story
    swarm.cli("service", "rm", "many")
    swarm.until_gone("many", timeout=120)
    measured("a service of 150 replicas", injected=150, seconds=seconds)
