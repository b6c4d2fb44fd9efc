"""Images with odd configs: containers and services of them run, or say why not in a sentence."""

from __future__ import annotations

import re

import docker as docker_py
import pytest
from harness import figures
from harness.images import busybox_tar
from harness.machine import Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

from hostile.odd_images import CONFIGS, write

EARLY = {"new", "pending", "assigned", "accepted", "preparing", "ready", "starting"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_odd_images_run_or_are_refused(machine: Machine, swarm: Swarm) -> None:
    layer = busybox_tar(machine.dir / "layer.tar").read_bytes()
    loaded = swarm.cli("load", "-i", str(write(machine.dir / "odd.tar", layer)), timeout=120)
    assert loaded.out.count("odd:") == len(CONFIGS)
    swarm.create("beside", 1)
    pid = swarm.daemon.pid
    wrong = []
    for name in CONFIGS:
        wrong += [f"{name}: {fault}" for fault in by_hand(swarm, f"odd:{name}")]
    assert wrong == []
    as_services(swarm)
    assert swarm.daemon.pid == pid
    log = swarm.daemon.log_path.read_text()
    assert "Traceback" not in log
    # What an image says is told on one line, if at all.
    assert [line for line in log.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)] == []
    assert swarm.replicas("beside") == (1, 1)
    figures.measured("images with odd configs", injected=2 * len(CONFIGS))


def by_hand(swarm: Swarm, image: str) -> list[str]:
    """Make a container of it, start and remove it; what was wrong with the answers."""
    wrong = []
    with docker_py.APIClient(base_url=swarm.daemon.host, version="auto", timeout=60) as client:
        identity = ""
        try:
            assert client.inspect_image(image)["Config"] is not None
            identity = client.create_container(image)["Id"]
            client.start(identity)
            assert client.inspect_container(identity)["Id"] == identity
        except docker_py.errors.APIError as error:
            # As in Docker, a program that can't be started is the runtime's failure where the image says so.
            if error.status_code == 500 and "OCI runtime" not in str(error.explanation):
                wrong.append(f"500: {error.explanation}")
            if "\n" in str(error.explanation).strip() and len(str(error.explanation)) > 4000:
                wrong.append(f"no sentence: {error.explanation}")
        if identity:
            client.kill(identity) if client.inspect_container(identity)["State"][
                "Running"
            ] else None
            client.remove_container(identity, v=True, force=True)
    return wrong


def as_services(swarm: Swarm) -> None:
    """A task of each comes to an end or runs."""
    for name in CONFIGS:
        options = ("--detach", "--no-resolve-image", "--restart-condition", "none")
        swarm.cli("service", "create", *options, "--name", f"s-{name}", f"odd:{name}", status=None)

    def settled() -> bool:
        with swarm.api() as api:
            tasks = api.tasks()
        waiting = {
            task["Spec"]["ContainerSpec"]["Image"]: task["Status"]
            for task in tasks
            if task["Status"]["State"] in EARLY
        }
        # Who is never asked for its health is never running, as in Docker.
        waiting.pop("odd:health-endless", None)
        assert not waiting, waiting
        return True

    wait_until(settled, timeout=300, what="every task runs or has ended", evidence=swarm.story)
    with swarm.api() as api:
        for task in api.tasks():
            if task["Status"]["State"] in ("failed", "rejected"):
                assert task["Status"].get("Err"), task
    swarm.cli("service", "rm", *[f"s-{name}" for name in CONFIGS])
    swarm.until_gone(*[f"s-{name}" for name in CONFIGS], timeout=120)
