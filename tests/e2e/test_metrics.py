"""What Prometheus sees of a real daemon: on the API's socket, and on an address of its own where one is asked for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import OUTSIDE, Machine
from harness.swarm import Swarm
from harness.waiting import wait_until
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.slow

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Series:
    """A page's samples."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(swarm: Swarm) -> Series:
    """The page on the API's socket."""
    words = ["curl", "-sSf", "--unix-socket", str(swarm.daemon.socket), "http://h/metrics"]
    return read(swarm.machine.run(words).stdout)


def value(series: Series, name: str, **labels: str) -> float:
    """One sample; 0 where it is not there."""
    return series.get((name, frozenset(labels.items())), 0.0)


def test_services_and_requests_are_counted(swarm: Swarm) -> None:
    swarm.create("web", 2, "--publish", "8080:8000")
    swarm.create("sick", 1, "--restart-delay", "0s", command=("sleep", "1000"), image="bb:latest")
    seen = scrape(swarm)
    assert value(seen, "hivelet_service_tasks_desired", service="web") == 2
    assert value(seen, "hivelet_service_tasks_running", service="web") == 2
    assert value(seen, "hivelet_tasks", state="running") == 3
    assert value(seen, "hivelet_containers", state="running") == 3
    assert value(seen, "hivelet_backend_admitted", service="web", slot="1") == 1
    assert value(seen, "hivelet_store_objects", kind="service") == 2
    assert value(seen, "hivelet_task_start_seconds_count") == 3
    assert 0 < value(seen, "hivelet_task_start_seconds_sum") < 60
    assert value(seen, "hivelet_store_commits_total") > 5
    assert value(seen, "hivelet_store_flush_seconds_count") > 2
    assert value(seen, "hivelet_store_size_bytes") > 4096
    assert 20e6 < value(seen, "process_resident_memory_bytes") < 120e6
    created = value(
        seen, "hivelet_api_requests_total", method="POST", route="/services/create", status="201"
    )
    assert created == 2
    node = next(dict(labels)["node"] for name, labels in seen if name == "hivelet_node_state")
    assert value(seen, "hivelet_node_state", node=node, state="ready") == 1
    assert value(seen, "hivelet_node_memory_bytes", node=node) > 1e8

    task = swarm.tasks("sick", running=True)[0]
    os.kill(swarm.machine.host_pid(swarm.process(task)), signal.SIGKILL)
    wait_until(
        lambda: (
            value(scrape(swarm), "hivelet_service_restarts_total", service="sick", reason="failed")
            == 1
        ),
        timeout=30,
        what="the restart is counted",
    )
    swarm.until_running("sick", 1)
    swarm.cli("service", "update", "--detach", "--env-add", "A=1", "web")
    wait_until(
        lambda: (
            value(scrape(swarm), "hivelet_service_update_state", service="web", state="completed")
            == 1
        ),
        timeout=60,
        what="the update is seen to be complete",
    )
    seen = scrape(swarm)
    assert value(seen, "hivelet_drain_seconds_count") == 2
    # An update's tasks are no restarts.
    restarted = [labels for name, labels in seen if name == "hivelet_service_restarts_total"]
    assert [dict(labels)["service"] for labels in restarted] == ["sick"]

    swarm.cli("service", "rm", "sick", "web")
    swarm.until_gone("sick", "web")
    wait_until(
        lambda: not [labels for _, labels in scrape(swarm) if "service" in dict(labels)],
        timeout=30,
        what="the series of removed services are gone",
    )


def test_watchers_and_strangers_are_counted(swarm: Swarm) -> None:
    before = value(scrape(swarm), "hivelet_api_streams", route="/events")
    watcher = subprocess.Popen(
        [
            "curl",
            "-sS",
            "--no-buffer",
            "--unix-socket",
            str(swarm.daemon.socket),
            "http://h/events",
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: value(scrape(swarm), "hivelet_api_streams", route="/events") == before + 1,
            timeout=10,
            what="the watcher is counted",
        )
    finally:
        watcher.terminate()
        watcher.wait(10)
    wait_until(
        lambda: value(scrape(swarm), "hivelet_api_streams", route="/events") == before,
        timeout=10,
        what="it is no longer counted",
    )
    for path in ("/nonsense", "/v1.41/nonsense/x", "/services/nobody"):
        swarm.machine.run(
            ["curl", "-sS", "--unix-socket", str(swarm.daemon.socket), f"http://h{path}"]
        )
    seen = scrape(swarm)
    unknown = value(seen, "hivelet_api_requests_total", method="GET", route="unknown", status="404")
    assert unknown == 2
    routes = {dict(labels).get("route", "") for _, labels in seen}
    assert not [route for route in routes if re.search("nonsense|nobody", route)]


def test_an_address_of_its_own(machine: Machine) -> None:
    daemon = Hiveletd(machine, "--metrics-addr", "198.18.0.2:9323")
    daemon.start()
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("swarm", "init")
    url = "http://198.18.0.2:9323"
    page = read(machine.run(["curl", "-sSf", f"{url}/metrics"], where=OUTSIDE).stdout)
    assert value(page, "hivelet_store_objects", kind="node") == 1
    # Nothing else of the API is there.
    said = machine.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/info"], where=OUTSIDE
    )
    assert said.stdout == "404"
    assert daemon.stop() == 0


def test_events_are_told_and_remembered(swarm: Swarm) -> None:
    """`hivelet events` beside it: the swarm's and the containers', filtered, as JSON, and afterwards."""
    swarm.create("web", 1)
    swarm.cli("service", "update", "--detach", "--label-add", "a=b", "web")
    hivelet = make_cli("hivelet", swarm.daemon.host, swarm.machine.dir)

    def told(*filters: str) -> list[dict[str, Any]]:
        words = [word for each in filters for word in ("--filter", each)]
        span = ("--since", "10m", "--until", "0s")
        found = hivelet("events", *span, *words, "--format", "json")
        return [json.loads(line) for line in found.lines]

    services = told("type=service")
    assert [event["Action"] for event in services][:1] == ["create"]
    assert {event["Actor"]["Attributes"]["name"] for event in services} == {"web"}
    assert {event["scope"] for event in services} == {"swarm"}
    mixed = told("type=service", "type=container")
    assert {event["Type"] for event in mixed} == {"service", "container"}
    moments = [event["timeNano"] for event in mixed]
    assert moments == sorted(moments)
    started = told("type=container", "event=start")
    assert [event["Actor"]["Attributes"]["com.docker.swarm.service.name"] for event in started] == [
        "web"
    ]
    assert told("event=start", "container=nobody") == []
    wrong = hivelet("events", "--filter", "colour=red", status=None)
    assert wrong.status != 0
    assert "colour" in wrong.err


def test_lines_of_the_log_name_their_task(machine: Machine) -> None:
    daemon = Hiveletd(machine, "--log-format", "json", "--log-level", "debug")
    daemon.start()
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("swarm", "init")
    swarm = Swarm(machine, daemon, cli)
    # It does not heed its stop signal: the engine, which knows nothing of tasks, has something to say.
    swarm.create(
        "deaf", 1, "--stop-grace-period", "200ms", image="bb:latest", command=("sleep", "1000")
    )
    task = swarm.tasks("deaf", running=True)[0]
    with swarm.api() as api:
        service = api.inspect_service("deaf")["ID"]
    cli("service", "rm", "deaf")
    swarm.until_gone("deaf")
    lines = [json.loads(line) for line in daemon.log_path.read_text().splitlines()]
    stepped = [line for line in lines if line["event"] == "task stepped"]
    assert {line["task.id"] for line in stepped} == {task["ID"]}
    killed = [
        line for line in lines if line["event"] == "container did not stop in time and is killed"
    ]
    for line in (*stepped, *killed):
        assert line["service.id"] == service
        assert line["service.name"] == "deaf"
        assert line["task.id"] == task["ID"]
    assert [line["container.id"] for line in killed] == [
        task["Status"]["ContainerStatus"]["ContainerID"]
    ]
    decided = [line for line in lines if line["event"] == "decided"]
    assert {"orchestrator", "allocator", "scheduler"} <= {line["loop"] for line in decided}
    assert {line["service.id"] for line in decided if line["loop"] == "orchestrator"} == {service}
    assert daemon.stop() == 0
