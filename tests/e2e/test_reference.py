"""The reference application: balanced, its Celery tasks through RabbitMQ, a worker's death, and change under traffic."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import programs
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic, ways_in
from harness.waiting import wait_until

COMPOSE = programs.SOURCES / "examples" / "annotation" / "docker-compose.yml"
PAGE = "http://127.0.0.1:8000"
WORKERS = "myapp_celery-worker"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def myapp(reference: Swarm) -> Iterator[Swarm]:
    """The seed's stack, deployed and answering."""
    reference.cli("swarm", "init")
    reference.cli("stack", "deploy", "-c", str(COMPOSE), "myapp")
    for name, replicas in (("myapp_rabbit", 1), ("myapp_web", 3), (WORKERS, 2)):
        reference.until_running(name, replicas, timeout=90)
    wait_until(
        lambda: label(reference, "ready"),
        timeout=60,
        what="a worker answers",
        evidence=reference.story,
    )
    yield reference
    reference.cli("stack", "rm", "myapp")
    reference.until_gone("myapp_rabbit", "myapp_web", WORKERS)
    reference.cli("swarm", "leave", "--force")


def label(swarm: Swarm, text: str, seconds: float = 0) -> dict[str, object]:
    """What a worker says of a text, through the web page; empty if there was no answer."""
    words = ["curl", "-sf", "--max-time", "30", f"{PAGE}/label?text={text}&seconds={seconds}"]
    done = swarm.machine.run(words, check=False)
    answer: dict[str, object] = json.loads(done.stdout) if done.returncode == 0 else {}
    return answer


def received(swarm: Swarm, container: str) -> int:
    """How many tasks a worker has taken on, from its log."""
    with swarm.api() as api:
        said: bytes = api.logs(container)
    return said.count(b"received")


def test_the_page_is_balanced_and_sees_its_clients(myapp: Swarm) -> None:
    for way in ways_in(myapp.machine):
        words = ["curl", "-sf", "-H", "Accept: application/json", f"http://{way.host}:8000/"]
        answers = [json.loads(myapp.machine.run(words, where=way.where).stdout) for _ in range(9)]
        replicas = [answer["replica"] for answer in answers]
        assert {replica: replicas.count(replica) for replica in replicas} == {
            container[:12]: 3 for container in myapp.container_ids("myapp_web")
        }, way.name
        assert {answer["client"] for answer in answers} <= way.seen_as, way.name


def test_a_celery_task_runs_in_a_worker(myapp: Swarm) -> None:
    workers = {container[:12] for container in myapp.container_ids(WORKERS)}
    answers = [label(myapp, f"text-{number}") for number in range(8)]
    assert {answer["worker"] for answer in answers} <= workers
    assert {answer["replica"] for answer in answers} <= {
        id_[:12] for id_ in myapp.container_ids("myapp_web")
    }


def test_names_resolve_within_the_stack(myapp: Swarm) -> None:
    task = myapp.tasks("myapp_web", running=True)[0]
    for service in ("rabbit", "celery-worker"):
        vip = myapp.vip(f"myapp_{service}", "myapp_webnet")
        assert myapp.resolve(task, service) == {vip}
        assert myapp.resolve(task, f"myapp_{service}") == {vip}


def test_killing_a_worker_loses_no_task(myapp: Swarm) -> None:
    """The task is acknowledged late, so RabbitMQ gives it to another worker when the first one dies on it."""
    tasks = {
        task["Status"]["ContainerStatus"]["ContainerID"]: task
        for task in myapp.tasks(WORKERS, running=True)
    }
    before = {container: received(myapp, container) for container in tasks}
    words = ["curl", "-sf", "--max-time", "60", f"{PAGE}/label?text=hard&seconds=4"]
    asking = myapp.machine.popen(words, stdout=subprocess.PIPE)
    (victim,) = wait_until(
        lambda: [
            container for container in tasks if received(myapp, container) > before[container]
        ],
        timeout=10,
        what="a worker has taken the task on",
        evidence=myapp.story,
    )
    myapp.machine.run(["kill", "-KILL", str(myapp.process(tasks[victim]))])
    said, _ = asking.popen.communicate(timeout=60)
    assert asking.popen.returncode == 0, myapp.story(WORKERS)
    answer = json.loads(said)
    assert answer["redelivered"] is True
    assert answer["worker"] != victim[:12]
    myapp.until_running(WORKERS, 2)


def test_the_seeds_application_loses_no_request_while_it_changes(myapp: Swarm) -> None:
    """Django needs half a second from its start until it listens; until then nobody may be sent to it."""
    with Traffic.requests(
        myapp.machine, f"http://{ADDRESS}:8000/healthz", "--rate", "30", where=OUTSIDE
    ) as traffic:
        myapp.cli("service", "scale", "--detach", "myapp_web=5")
        myapp.until_running("myapp_web", 5)
        traffic.go_on(15)
        old = myapp.task_ids("myapp_web")
        myapp.cli("service", "update", "--detach", "--force", "myapp_web")
        wait_until(
            lambda: (
                len(myapp.task_ids("myapp_web") - old) == 5
                and not myapp.task_ids("myapp_web") & old
            ),
            timeout=90,
            what="all five replicas are new ones",
            evidence=myapp.story,
        )
        myapp.cli("service", "scale", "--detach", "myapp_web=3")
        myapp.until_running("myapp_web", 3)
        traffic.go_on(30)
        traffic.stop()
        assert traffic.failures == [], f"{len(traffic.failures)} of {len(traffic.records)} lost"


def test_removing_a_replica_of_the_seeds_application_loses_only_what_it_had_in_hand(
    myapp: Swarm,
) -> None:
    with Traffic.requests(
        myapp.machine, f"http://{ADDRESS}:8000/healthz", "--rate", "30", where=OUTSIDE
    ) as traffic:
        old = myapp.task_ids("myapp_web")
        begun = time.monotonic()
        myapp.cli("rm", "-f", myapp.container_ids("myapp_web")[0])
        gone = time.monotonic()
        wait_until(
            lambda: len(myapp.task_ids("myapp_web")) == 3 and myapp.task_ids("myapp_web") != old,
            timeout=20,
            what="three replicas again",
        )
        traffic.go_on(45)
        traffic.stop()
        late = [r for r in traffic.failures if r.at >= gone or r.ended <= begun]
        assert late == [], "requests failed that did not meet the removal"


SILENT = """
import socket, sys, amqp
kept = amqp.Connection(host="rabbit:5672", userid="guest", password="guest", heartbeat=0)
kept.connect()
channel = kept.channel()
queue, _, _ = channel.queue_declare("silence", exclusive=True)
outside = socket.create_connection((sys.argv[1], 5672))
print(kept.sock.getsockname()[1], outside.getsockname()[1])
sys.stdin.readline()
channel.basic_publish(amqp.Message("after the silence"), routing_key=queue)
print(channel.basic_get(queue, no_ack=True).body)
"""


def test_a_silent_amqp_connection_delivers_after_any_timeout(myapp: Swarm) -> None:
    """Without heartbeats, through the VIP, under a kernel that forgets a silent connection after a second.

    Beside it stands a connection past the balancer: when the kernel has forgotten that one, the silence was long enough.
    """
    machine = myapp.machine
    (rabbit,) = myapp.tasks("myapp_rabbit", running=True)
    direct = myapp.address(rabbit, "myapp_webnet")
    limit = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
    usual = machine.run(["cat", limit]).stdout.strip()
    machine.run(["sh", "-c", f"echo 1 >{limit}"])
    web = myapp.process(myapp.tasks("myapp_web", running=True)[0])
    variables = Path(f"{machine.proc}/{web}/environ").read_text().rstrip("\0").split("\0")
    inside = ["nsenter", f"--target={web}", "--mount", "--net", "--root", "--wd=/"]
    words = [*inside, "env", "-i", *variables, "python", "-u", "-c", SILENT, direct]

    def tracked(port: str) -> bool:
        listing = machine.run(["conntrack", "-L", "-p", "tcp", "--sport", port, "--dport", "5672"])
        return f"sport={port} " in listing.stdout

    client = machine.popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stdin, stdout = client.popen.stdin, client.popen.stdout
    assert stdin is not None
    assert stdout is not None
    with stdout:
        kept, outside = stdout.readline().split()
        wait_until(
            lambda: not tracked(outside), timeout=30, what="the kernel forgets what is silent"
        )
        assert tracked(kept)
        stdin.write("\n")
        stdin.flush()
        assert stdout.readline() == "after the silence\n"
    machine.run(["sh", "-c", f"echo {usual} >{limit}"])
    assert client.reap(20) == 0
