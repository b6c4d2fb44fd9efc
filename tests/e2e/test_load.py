"""Two hundred thousand requests while everything changes: none may be lost but those in a killed replica's hands.

Six clients count every request: one connection each and kept alive; from outside, from localhost, and from a task to the
VIP. In `./test` a hundred thousand are made with a connection each and a hundred thousand over kept ones; with
HIVELET_TEST_LONG=1 each of the six clients makes a hundred thousand. What happens is repeated until the last of them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from harness.daemons import Hiveletd
from harness.machine import ADDRESS, INSIDE, OUTSIDE
from harness.native import IMAGE, PORT, Client, Counts, Request, import_http
from harness.swarm import Swarm
from harness.waiting import wait_until

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
REQUESTS = 100_000 if LONG else 34_000
# Per client and second; together about half of what two processors can do, so that there is room for what is tested.
RATES = {"close": 450, "keep": 900}
CONNECTIONS = 8
PUBLISHED = 8080
DRAIN = "1s"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800 if LONG else 600)]


@dataclass
class Event:
    """Something that happened while the clients went on."""

    name: str
    begun: float
    ended: float = 0.0


@dataclass
class Load:
    """The clients, and what happened meanwhile."""

    swarm: Swarm
    clients: dict[str, Client]
    events: list[Event] = field(default_factory=list)

    def start(self) -> None:
        for name, client in self.clients.items():
            rate = RATES[name.split()[-1]]
            client.start(connections=CONNECTIONS, rate=rate, requests=REQUESTS)
        self.go_on(100)

    def go_on(self, more: int) -> None:
        """Until each client has that many more answers."""
        before = {name: client.counts().good for name, client in self.clients.items()}
        wait_until(
            lambda: all(
                client.counts().good >= before[name] + more for name, client in self.clients.items()
            ),
            timeout=60,
            what=f"each client has {more} more answers",
            evidence=self.swarm.story,
        )

    def event(self, name: str, happen: Callable[[], float | None]) -> Event:
        """Let something happen to its end, and the clients go on for a while after it."""
        event = Event(name, time.monotonic())
        event.begun = happen() or event.begun
        event.ended = time.monotonic()
        self.events.append(event)
        self.go_on(100)
        return event

    def is_enough(self) -> bool:
        """Whether each client has made its requests."""
        return all(client.counts().begun >= REQUESTS for client in self.clients.values())

    def during(self, failure: Request) -> str:
        """The event in which a request failed."""
        met = [e.name for e in self.events if e.begun <= failure.ended and failure.begun <= e.ended]
        return " and ".join(met) or "between events"


@pytest.fixture
def load(swarm: Swarm) -> Load:
    """Three replicas of a server that ends well, and six clients."""
    import_http(swarm.cli, swarm.machine.dir)
    swarm.cli("network", "create", "--driver", "overlay", "back")
    options = ("--label", f"com.hivelet.drain-timeout={DRAIN}", "--update-parallelism", "1")
    swarm.create(
        "web", 3, *options, "--network", "back", "--publish", f"{PUBLISHED}:{PORT}", image=IMAGE
    )
    swarm.create(
        "caller", 1, "--network", "back", image="bb:latest", command=("/bin/sleep", "10000")
    )
    (caller,) = swarm.tasks("caller", running=True)
    ways = {
        "outside": (ADDRESS, PUBLISHED, OUTSIDE),
        "localhost": ("127.0.0.1", PUBLISHED, INSIDE),
        "VIP": (swarm.vip("web", "back"), PORT, swarm.process(caller)),
    }
    return Load(
        swarm,
        {
            f"{name} {mode}": Client(swarm.machine, address, mode, port=port, where=where)
            for name, (address, port, where) in ways.items()
            for mode in RATES
        },
    )


def renew(swarm: Swarm, order: str) -> None:
    """Update every replica, to the end."""
    old = swarm.task_ids("web")
    swarm.cli("service", "update", "--detach", "--force", "--update-order", order, "web")
    wait_until(
        lambda: len(swarm.task_ids("web")) == len(old) and not swarm.task_ids("web") & old,
        timeout=90,
        what=f"all replicas are new ones ({order})",
        evidence=swarm.story,
    )
    until_left(swarm, len(old))


def scale(swarm: Swarm, replicas: int) -> None:
    swarm.cli("service", "scale", "--detach", f"web={replicas}")
    swarm.until_running("web", replicas)
    until_left(swarm, replicas)


def until_left(swarm: Swarm, replicas: int) -> None:
    """Until the containers of leaving replicas have ended."""
    wait_until(
        lambda: len(swarm.cli("ps", "-q", "--filter", "name=web").lines) == replicas,
        timeout=60,
        what=f"{replicas} containers of web are left",
        evidence=swarm.story,
    )


def kill_one(swarm: Swarm) -> float:
    """SIGKILL to a replica's process; returns the moment, once it is replaced."""
    victim = swarm.tasks("web", running=True)[0]
    process = swarm.machine.host_pid(swarm.process(victim))
    moment = time.monotonic()
    os.kill(process, signal.SIGKILL)
    wait_until(
        lambda: victim["ID"] not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 3,
        timeout=20,
        what="the killed replica is replaced",
        evidence=swarm.story,
    )
    return moment


def was_in_hand(failure: Request, deaths: Sequence[Event]) -> bool:
    """Whether the killed replica had taken a request: its connection was made, and ended in the moment of the death."""
    return failure.kind in ("reset", "closed") and any(
        failure.begun <= death.begun + 0.1 and death.begun <= failure.ended <= death.begun + 0.5
        for death in deaths
    )


def table(counts: dict[str, Counts]) -> str:
    lines = [
        f"{name:16} {one.good:7} answered, {one.failed} failed {one.classes}, {one.reconnects} reconnects, "
        f"{one.rate:.0f}/s, p50 {one.p50 * 1e3:.2f} ms, p99 {one.p99 * 1e3:.1f} ms, slowest {one.slowest * 1e3:.0f} ms"
        for name, one in counts.items()
    ]
    return "\n".join(lines)


def test_no_request_is_lost(load: Load, swarm: Swarm, hiveletd: Hiveletd) -> None:
    def die_and_return() -> None:
        hiveletd.kill()
        load.go_on(500)
        hiveletd.start()

    load.start()
    deaths: list[Event] = []
    while not deaths or not load.is_enough():
        load.event("start-first update", lambda: renew(swarm, "start-first"))
        load.event("stop-first update", lambda: renew(swarm, "stop-first"))
        load.event("scaling to 6", lambda: scale(swarm, 6))
        load.event("scaling to 2", lambda: scale(swarm, 2))
        load.event("hiveletd's death and return", die_and_return)
        load.event("scaling to 3", lambda: scale(swarm, 3))
        deaths.append(load.event("a replica's death", lambda: kill_one(swarm)))
    counts = {name: client.finish() for name, client in load.clients.items()}
    print(table(counts))
    for event in load.events:
        print(f"{event.name}: {event.ended - event.begun:.1f} s")
    failures = [(name, one) for name, count in counts.items() for one in count.failures]
    in_hand = [(name, one) for name, one in failures if was_in_hand(one, deaths)]
    lost = [(name, one) for name, one in failures if not was_in_hand(one, deaths)]
    late = [(name, one) for name, count in counts.items() for one in count.slow]
    story = [
        table(counts),
        *(f"{event.name}: {event.ended - event.begun:.1f} s" for event in load.events),
        f"{len(in_hand)} requests were in the hands of {len(deaths)} killed replicas",
        *(f"{name}: late by a second or more, {load.during(one)}: {one}" for name, one in late),
    ]
    print("\n".join(story))
    assert not lost, "\n".join(
        [f"{name}: lost in {load.during(one)}: {one}" for name, one in lost[:40]] + story
    )
    assert all(count.good + count.failed >= REQUESTS for count in counts.values())
    assert len(in_hand) <= len(deaths) * len(load.clients) * CONNECTIONS
