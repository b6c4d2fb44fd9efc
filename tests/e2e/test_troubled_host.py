"""The clock jumps, the disk is slow, no file can be watched: none of it stops a service, nor the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.daemons import Daemon
from harness.figures import measured
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.troubled import TroubledHiveletd
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow]

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"


@pytest.fixture
def hiveletd(machine: Machine) -> Iterator[Daemon]:
    daemon = TroubledHiveletd(machine)
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0


def replace_one(swarm: Swarm, service: str, replicas: int) -> float:
    """Kill a task's process; the seconds until it is replaced."""
    victim = swarm.tasks(service, running=True)[0]
    begun = time.monotonic()
    swarm.machine.run(["kill", "-KILL", str(swarm.process(victim))])
    wait_until(
        lambda: (
            victim["ID"] not in swarm.task_ids(service) and len(swarm.task_ids(service)) == replicas
        ),
        timeout=20,
        what="the dead one is replaced",
        evidence=swarm.story,
    )
    return time.monotonic() - begun


def test_the_clock_jumps_and_nobody_is_stopped(swarm: Swarm, hiveletd: TroubledHiveletd) -> None:
    swarm.create(
        "web",
        2,
        *("--publish", "8080:8000", "--health-cmd", "/bin/true", "--health-interval", "1s"),
        *("--restart-delay", "1s"),
    )
    before = swarm.task_ids("web")
    slowest = 0.0
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        for jump in (7200, -7200, 0):
            hiveletd.trouble(clock_seconds=jump)
            requests.go_on(100)  # two seconds: health checks go on
            assert swarm.task_ids("web") == before
            assert swarm.cli("node", "ls", "--format", "{{.Status}}").lines == ["Ready"]
    assert requests.failures == []
    for jump in (3600, -3600):
        hiveletd.trouble(clock_seconds=jump)
        slowest = max(slowest, replace_one(swarm, "web", 2))
    hiveletd.kill()
    hiveletd.trouble(clock_seconds=-7200)
    held = set(swarm_processes(swarm))
    hiveletd.start()
    swarm.until_running("web", 2)
    assert set(swarm_processes(swarm)) == held
    assert "the machine's clock is behind the last write" in hiveletd.log_path.read_text()
    measured(
        "clock jumps",
        injected=6,
        requests=len(requests.records),
        lost=len(requests.failures),
        seconds=slowest,
    )


def swarm_processes(swarm: Swarm) -> list[str]:
    """The servers that run in the machine, whoever answers for them."""
    return swarm.machine.run(["pgrep", "-f", "httpd -f -p"]).stdout.split()


def test_the_api_answers_while_the_disk_is_slow(swarm: Swarm, hiveletd: TroubledHiveletd) -> None:
    swarm.create("web", 2, "--publish", "8080:8000")
    answers: list[float] = []
    with (
        Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests,
        ThreadPoolExecutor(1) as pool,
    ):
        hiveletd.trouble(flush_milliseconds=1500)
        begun = time.monotonic()
        writing = pool.submit(swarm.cli, "config", "create", "late", "-", stdin="x")
        with swarm.api() as api:
            while not writing.done():
                asked = time.monotonic()
                api.services()
                answers.append(time.monotonic() - asked)
        took = time.monotonic() - begun
        assert writing.result().status == 0
        hiveletd.trouble()
        requests.go_on(20)
    assert took >= 1.5  # what is acknowledged is on the disk, however long that takes
    assert len(answers) > 3
    assert max(answers) < 1.0
    assert requests.failures == []
    seconds = replace_one(swarm, "web", 2)
    measured("slow disk", injected=1, requests=len(answers), lost=0, seconds=seconds)


MADE_BY_HAND = {
    "container": ["create", "--name", "late", "bb:latest", "/bin/true"],
    "volume": ["volume", "create", "late"],
    "network": ["network", "create", "late"],
    "name": ["tag", "bb:latest", "late:latest"],
}


@pytest.mark.parametrize("what", MADE_BY_HAND)
def test_who_makes_something_waits_for_the_disk_and_nobody_else(
    swarm: Swarm, hiveletd: TroubledHiveletd, what: str
) -> None:
    """What the engine keeps is on the disk before the answer, and `service ls` and `ping` are answered at once meanwhile."""
    answers: list[float] = []
    with ThreadPoolExecutor(1) as pool, swarm.api() as api:
        hiveletd.trouble(flush_milliseconds=2000)
        begun = time.monotonic()
        making = pool.submit(swarm.cli, *MADE_BY_HAND[what])
        while not making.done():
            asked = time.monotonic()
            api.ping()
            api.services()
            answers.append(time.monotonic() - asked)
        took = time.monotonic() - begun
        making.result()
        hiveletd.kill()
        hiveletd.trouble()
        hiveletd.start()
        found = {
            "container": lambda: api.inspect_container("late"),
            "volume": lambda: api.inspect_volume("late"),
            "network": lambda: api.inspect_network("late"),
            "name": lambda: api.inspect_image("late:latest"),
        }[what]()
    assert found
    assert took >= 2
    assert max(answers) < 1.0, sorted(answers)[-5:]
    if what == "container":
        measured(
            "slow disk, by hand", injected=1, requests=len(answers), lost=0, seconds=max(answers)
        )


def test_checkpoints_are_waited_for_by_nobody(swarm: Swarm, hiveletd: TroubledHiveletd) -> None:
    """Now and then SQLite moves its log into its file, with flushes of its own: whatever is written then goes on meanwhile."""
    cli, answers = swarm.cli, list[float]()

    def write_much() -> None:
        # Each record of a container is a few pages of the log, of which SQLite takes a thousand before it moves them.
        for number in range(12):
            labels = [word for n in range(40) for word in ("--label", f"n{n}={'x' * 2000}")]
            cli("create", "--name", f"much-{number}", *labels, "bb:latest", "/bin/true")
            cli("rename", f"much-{number}", f"more-{number}")
            cli("rm", f"more-{number}")

    with ThreadPoolExecutor(1) as pool, swarm.api() as api:
        hiveletd.trouble(flush_milliseconds=700)
        writing = pool.submit(write_much)
        while not writing.done():
            asked = time.monotonic()
            api.ping()
            answers.append(time.monotonic() - asked)
        writing.result()
        hiveletd.trouble()
    assert max(answers) < 0.7, sorted(answers)[-5:]


def test_logs_are_followed_without_watches(swarm: Swarm, hiveletd: TroubledHiveletd) -> None:
    cli = swarm.cli
    cli("run", "--detach", "--name", "talker", "bb:latest", "/bin/sleep", "10000")
    hiveletd.trouble(no_watches=True)
    with swarm.api() as api, ThreadPoolExecutor(1) as pool:
        followed = api.logs("talker", stream=True, follow=True)
        first = pool.submit(next, followed)
        told = "inotify is used up"
        wait_until(
            lambda: told in hiveletd.log_path.read_text(), timeout=20, what="the follower waits"
        )
        begun = time.monotonic()
        cli("exec", "talker", "/bin/sh", "-c", "echo one >/proc/1/fd/1")
        assert first.result(timeout=20) == b"one\n"
        seconds = time.monotonic() - begun
        cli("rm", "--force", "talker")
        assert list(followed) == []
    assert hiveletd.log_path.read_text().count(told) == 1
    measured("out of watches", injected=1, seconds=seconds)
