"""The host goes down without a word and comes up again: all processes, mounts, namespaces and /run are gone, the state is there."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.images import import_busybox
from harness.leftovers import until_nothing_is_left
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow]

STACK = """
services:
  front:
    image: web:latest
    depends_on: [app]
    ports: ["8080:8000"]
  app:
    image: web:latest
    depends_on:
      store: {condition: service_healthy}
    deploy: {replicas: 2}
  store:
    image: bb:latest
    command: ["/bin/sh", "-c", "sleep 1; touch /tmp/ready; exec sleep 10000"]
    volumes: ["data:/data"]
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "/bin/ls", "/tmp/ready"], interval: 500ms, retries: 60}
volumes:
  data: {}
"""
HEALTHY_AFTER = 1.0
"""Seconds that `store` needs before it can be healthy."""

SERVICES = {"shop_store": 1, "shop_app": 2, "shop_front": 1}


def begin(machine: Machine, root: Path) -> Swarm:
    """A daemon on a machine that has just come up."""
    daemon = Hiveletd(machine)
    daemon.root = root
    daemon.start()
    return Swarm(machine, daemon, make_cli("docker-20", daemon.host, machine.dir))


def until_all_run(swarm: Swarm) -> None:
    """Wait for all replicas of the stack, and for the container that belongs to no service."""
    for service, replicas in SERVICES.items():
        swarm.until_running(service, replicas)
    wait_until(
        lambda: swarm.cli("ps", "--quiet", "--filter", "name=lone").out.strip(),
        timeout=30,
        what="the container with a restart policy runs",
    )


def started_at(swarm: Swarm, service: str) -> list[datetime]:
    """When each replica's program was started."""
    with swarm.api() as api:
        states: list[dict[str, Any]] = [
            api.inspect_container(one)["State"] for one in swarm.container_ids(service)
        ]
    return sorted(datetime.fromisoformat(state["StartedAt"]) for state in states)


def test_the_host_comes_up_again(tmp_path: Path) -> None:
    """Services come back in the order of their dependencies, with their volumes; of the time before nothing is left."""
    root = tmp_path / "root"
    (tmp_path / "stack.yml").write_text(STACK)
    with Machine("before") as machine:
        swarm = begin(machine, root)
        import_busybox(swarm.cli, machine.dir)
        swarm.cli("swarm", "init")
        hivelet = make_cli("hivelet", swarm.daemon.host, machine.dir)
        hivelet("stack", "deploy", "--compose-file", str(tmp_path / "stack.yml"), "shop")
        swarm.cli(
            "run", "-d", "--restart", "always", "--name", "lone", "bb:latest", "sleep", "9999"
        )
        until_all_run(swarm)
        (store,) = swarm.container_ids("shop_store")
        swarm.cli("exec", store, "/bin/sh", "-c", "echo kept >/data/file")
        tasks = {task["ID"] for service in SERVICES for task in swarm.tasks(service)}
        images = swarm.cli("image", "ls", "--quiet").out
    # The power is back. Whoever has not been shut down lies where it fell.
    with Machine("after") as machine:
        began = time.monotonic()
        swarm = begin(machine, root)
        until_all_run(swarm)
        took = time.monotonic() - began
        (store,) = swarm.container_ids("shop_store")
        assert swarm.cli("exec", store, "/bin/cat", "/data/file").out == "kept\n"
        assert swarm.cli("image", "ls", "--quiet").out == images
        assert not tasks & {t["ID"] for s in SERVICES for t in swarm.tasks(s, running=True)}
        (begun,), apps = started_at(swarm, "shop_store"), started_at(swarm, "shop_app")
        assert (apps[0] - begun).total_seconds() >= HEALTHY_AFTER
        assert apps[0] <= started_at(swarm, "shop_front")[0]
        url = f"http://{ADDRESS}:8080/cgi-bin/whoami"
        with Traffic.requests(machine, url, "--rate", "50", where=OUTSIDE) as requests:
            requests.go_on(50)
        asked = len(requests.records)
        assert requests.failures == []
        until_nothing_is_left(swarm, swarm.daemon)
        swarm.cli("stack", "rm", "shop")
        swarm.until_gone(*SERVICES)
        swarm.cli("rm", "--force", "lone")
        swarm.cli("swarm", "leave", "--force")
        until_nothing_is_left(swarm, swarm.daemon)
        assert list((root / "snapshots").glob("[0-9a-f]*")) == []
        assert swarm.daemon.stop() == 0  # type: ignore[attr-defined]
    measured(
        "the host comes up after a power cut",
        injected=1,
        requests=asked,
        lost=0,
        seconds=took,
    )
