"""A leaving task finishes what it is working on, keeps nobody else waiting, and says what holds it up."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from harness.machine import ADDRESS, INSIDE, OUTSIDE, Process, Where
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

PUBLISHED = ("--publish", "8080:8000")
SLOW = f"http://{ADDRESS}:8080/cgi-bin/slow"


def connections(swarm: Swarm, task: dict[str, Any]) -> int:
    """The established connections to the web server of a task."""
    words = ["ss", "-Htn", "state", "established", "sport", "=", ":8000"]
    return len(swarm.machine.run(words, where=swarm.process(task)).stdout.splitlines())


def until_connected(swarm: Swarm, task: dict[str, Any], count: int = 1) -> None:
    wait_until(
        lambda: connections(swarm, task) == count, timeout=20, what=f"{count} connections are there"
    )


@contextmanager
def request_in_hand(swarm: Swarm, seconds: int) -> Iterator[Traffic]:
    """One request that takes so long; it has begun when the block does, and is answered after it."""
    (task,) = swarm.tasks("web", running=True)
    traffic = Traffic.requests(
        swarm.machine, f"{SLOW}?{seconds}", "--requests", "1", "--timeout", "60", where=OUTSIDE
    )
    traffic.start()
    until_connected(swarm, task)
    yield traffic
    traffic.wait()
    assert traffic.failures == []
    assert [record.status for record in traffic.records] == [200]


@contextmanager
def client(swarm: Swarm, address: str, port: int, where: Where = OUTSIDE) -> Iterator[Process]:
    """A client that has connected, and says nothing by itself: a browser's spare connection, a pool's, a WebSocket."""
    process = swarm.machine.popen(
        ["busybox", "nc", address, str(port)],
        where=where,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process.popen:
        yield process
        process.end()


def until_replaced(swarm: Swarm, container: str, timeout: float = 60) -> float:
    """Wait until a container is gone or has ended; the answer is how long that took."""
    begun = time.monotonic()
    wait_until(
        lambda: container not in swarm.cli("ps", "-q", "--no-trunc").lines,
        timeout=timeout,
        what="the old container has ended",
        evidence=swarm.story,
    )
    return time.monotonic() - begun


LEAVING: list[tuple[str, Sequence[str]]] = [
    ("update-stop-first", ("service", "update", "--detach", "--force", "web")),
    (
        "update-start-first",
        ("service", "update", "--detach", "--force", "--update-order", "start-first", "web"),
    ),
    ("scale-down", ("service", "scale", "--detach", "web=0")),
    ("node-drain", ("node", "update", "--availability", "drain", "self")),
    ("removal", ("service", "rm", "web")),
    ("stop-by-hand", ("stop", "CONTAINER")),
    ("restart-by-hand", ("restart", "CONTAINER")),
    ("removal-by-force", ("rm", "-f", "CONTAINER")),
]


@pytest.mark.parametrize(
    "words", [words for _, words in LEAVING], ids=[name for name, _ in LEAVING]
)
def test_a_request_in_hand_is_answered(swarm: Swarm, words: Sequence[str]) -> None:
    """The test's web server ends at once on SIGTERM: whatever is in hand then is lost."""
    swarm.create("web", 1, *PUBLISHED)
    (container,) = swarm.container_ids("web")
    with request_in_hand(swarm, 4):
        swarm.cli(*[container if word == "CONTAINER" else word for word in words])
        until_replaced(swarm, container)


def test_an_unhealthy_task_finishes_what_it_can(swarm: Swarm) -> None:
    check = ("--health-cmd", "test ! -e /tmp/ill", "--health-interval", "200ms")
    swarm.create("web", 1, *PUBLISHED, *check, "--health-retries", "1")
    (container,) = swarm.container_ids("web")
    with request_in_hand(swarm, 4):
        (task,) = swarm.tasks("web", running=True)
        swarm.machine.run(["touch", f"/proc/{swarm.process(task)}/root/tmp/ill"])
        until_replaced(swarm, container)
    told = swarm.cli("service", "ps", "--no-trunc", "web").out
    assert "unhealthy container" in told


def test_an_idle_connection_holds_nothing_up(swarm: Swarm) -> None:
    swarm.create("web", 1, *PUBLISHED, "--stop-grace-period", "2m")
    (container,) = swarm.container_ids("web")
    with client(swarm, ADDRESS, 8080):
        until_connected(swarm, swarm.tasks("web", running=True)[0])
        swarm.cli("service", "scale", "--detach", "web=0")
        assert until_replaced(swarm, container) < 30


def test_the_limit_cuts_what_never_ends(swarm: Swarm) -> None:
    swarm.create("web", 1, *PUBLISHED, "--label", "com.hivelet.drain-timeout=2s")
    (container,) = swarm.container_ids("web")
    endless = Traffic.requests(
        swarm.machine, f"{SLOW}?600", "--requests", "1", "--timeout", "60", where=OUTSIDE
    )
    endless.start()
    until_connected(swarm, swarm.tasks("web", running=True)[0])
    swarm.cli("service", "scale", "--detach", "web=0")
    assert 1.5 < until_replaced(swarm, container) < 30
    endless.wait()
    assert len(endless.failures) == 1


def test_what_holds_it_up_is_told(swarm: Swarm) -> None:
    swarm.create("web", 1, *PUBLISHED, "--stop-grace-period", "1m")
    (container,) = swarm.container_ids("web")
    (task,) = swarm.tasks("web", running=True)
    with request_in_hand(swarm, 6):
        swarm.cli("service", "scale", "--detach", "web=0")

        def told() -> bool:
            status = swarm.cli("service", "ps", "--no-trunc", "web").out
            return "draining: 1 connection, until " in status and "Running" in status

        wait_until(told, timeout=20, what="the task says what it waits for", evidence=swarm.story)
        until_replaced(swarm, container)
    assert "draining" not in swarm.cli("service", "ps", "--no-trunc", "web").out
    assert task["ID"] not in swarm.task_ids("web")


HOST_MODE = ("--publish", "mode=host,published=8080,target=8000")


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_a_host_mode_port_is_handed_over(swarm: Swarm, order: str) -> None:
    """One replica, one node, one port: start-first loses no request, and no order is held up by the port."""
    swarm.create("web", 1, *HOST_MODE, "--update-order", order)
    old = swarm.task_ids("web")
    url = f"http://{ADDRESS}:8080/cgi-bin/slow?0.2"

    def update() -> None:
        swarm.cli("service", "update", "--detach", "--force", "web")
        wait_until(
            lambda: len(swarm.tasks("web", running=True)) == 1 and not swarm.task_ids("web") & old,
            timeout=60,
            what="the replica is a new one",
            evidence=swarm.story,
        )

    if order == "start-first":
        with Traffic.requests(swarm.machine, url, "--rate", "30", where=OUTSIDE) as traffic:
            update()
            traffic.go_on(40)
        assert traffic.failures == []
    else:
        update()
    assert "already in use" not in swarm.cli("service", "ps", "--no-trunc", "web").out


def test_a_port_moves_from_ingress_to_host_mode_and_back(swarm: Swarm) -> None:
    swarm.create("web", 1, *PUBLISHED, "--update-order", "start-first")
    url = f"http://{ADDRESS}:8080/cgi-bin/whoami"
    for before, after in (("ingress", "host"), ("host", "ingress")):
        old = swarm.task_ids("web")
        ports = [
            "--publish-rm",
            f"mode={before},published=8080,target=8000",
            "--publish-add",
            f"mode={after},published=8080,target=8000",
        ]
        with Traffic.requests(swarm.machine, url, "--rate", "50", where=OUTSIDE) as traffic:
            swarm.cli("service", "update", "--detach", *ports, "web")
            wait_until(
                lambda old=old: len(swarm.task_ids("web")) == 1 and not swarm.task_ids("web") & old,
                timeout=60,
                what=f"the replica is one in {after} mode",
                evidence=swarm.story,
            )
            traffic.go_on(20)
        assert traffic.failures == [], after


def test_a_host_mode_port_that_a_program_of_the_host_holds_is_refused(swarm: Swarm) -> None:
    swarm.machine.popen(["busybox", "nc", "-ll", "-p", "8080", "-e", "/bin/cat"])
    swarm.cli("service", "create", "--detach", "--name", "web", *HOST_MODE, "web:latest")
    wait_until(
        lambda: "is in use by busybox" in swarm.cli("service", "ps", "--no-trunc", "web").out,
        timeout=30,
        what="the task says who has its port",
        evidence=swarm.story,
    )


def test_a_connection_lives_through_updates_of_other_services(swarm: Swarm) -> None:
    """As a WebSocket or a consumer of a broker does: through a published port, in either family, and through a VIP."""
    swarm.cli("network", "create", "--driver", "overlay", "back")
    echo = ("/bin/busybox", "nc", "-ll", "-p", "5672", "-e", "/bin/cat")
    swarm.create(
        "broker", 1, "--network", "back", "--publish", "5672:5672", image="bb:latest", command=echo
    )
    swarm.create("web", 2, "--network", "back", *PUBLISHED)
    vip = swarm.vip("broker", "back")
    bystander = ("/bin/sleep", "10000")
    swarm.create("caller", 1, "--network", "back", image="bb:latest", command=bystander)
    (caller,) = swarm.tasks("caller", running=True)
    with (
        client(swarm, ADDRESS, 5672) as outside,
        client(swarm, "::1", 5672, INSIDE) as by_ipv6,
        client(swarm, vip, 5672, swarm.process(caller)) as inside,
    ):
        talk("before", outside, by_ipv6, inside)
        old = swarm.task_ids("web")
        swarm.cli("service", "update", "--detach", "--force", "web")
        wait_until(
            lambda: len(swarm.task_ids("web") - old) == 2 and not swarm.task_ids("web") & old,
            timeout=60,
            what="web is new",
            evidence=swarm.story,
        )
        talk("after an update", outside, by_ipv6, inside)
        swarm.cli("service", "rm", "web")
        swarm.until_gone("web")
        talk("after a removal", outside, by_ipv6, inside)


def test_a_removed_service_answers_at_its_vip_until_it_has_drained(swarm: Swarm) -> None:
    """A caller asks for the VIP's link address again every half minute or so; new connections are refused at once."""
    swarm.cli("network", "create", "--driver", "overlay", "back")
    patient = [f"--label=com.hivelet.drain-{what}=30s" for what in ("timeout", "idle")]
    echo = ("/bin/busybox", "nc", "-ll", "-p", "5672", "-e", "/bin/cat")
    swarm.create("broker", 1, "--network", "back", *patient, image="bb:latest", command=echo)
    vip = swarm.vip("broker", "back")
    bystander = ("/bin/sleep", "10000")
    swarm.create("caller", 1, "--network", "back", image="bb:latest", command=bystander)
    caller = swarm.process(swarm.tasks("caller", running=True)[0])
    with client(swarm, vip, 5672, caller) as inside:
        talk("before", inside)
        swarm.cli("service", "rm", "broker")
        knock = ["busybox", "nc", "-w", "2", vip, "5672"]

        def refused() -> bool:
            done = swarm.machine.run(knock, where=caller, check=False, stdin=subprocess.DEVNULL)
            return "refused" in done.stderr

        wait_until(refused, timeout=20, what="nobody new is let in", evidence=swarm.story)
        swarm.machine.run(["ip", "neigh", "flush", "all"], where=caller)
        assert refused()
        talk("after the removal", inside)
    swarm.until_gone("broker")
    wait_until(
        lambda: f"{vip}/32" not in swarm.machine.run(["ip", "address"]).stdout,
        timeout=20,
        what="its VIP is gone",
    )


def talk(word: str, *clients: Process) -> None:
    """Each gets its word back."""
    for each in clients:
        assert each.popen.stdin is not None
        assert each.popen.stdout is not None
        each.popen.stdin.write(f"{word}\n")
        each.popen.stdin.flush()
        assert each.popen.stdout.readline() == f"{word}\n"
