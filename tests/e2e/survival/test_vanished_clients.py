"""Clients of exec and attach that are gone while the process they wait for is being started: it learns that nobody is there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import docker
import pytest
from harness.cli import Cli, make_cli
from harness.connection import Connection
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.stand_ins import HANG, StandIn
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass
class Site:
    """An engine whose programs can be stopped, and a container."""

    machine: Machine
    daemon: Hiveletd
    cli: Cli
    crun: StandIn
    conmon: StandIn

    def api(self) -> docker.APIClient:
        return docker.APIClient(base_url=self.daemon.host, timeout=60, version="1.41")

    def stopped(self) -> list[int]:
        """The host's numbers of the processes that are stopped."""
        return [
            self.machine.host_pid(inner)
            for inner, folder in self.machine.processes()
            if "State:\tT" in (folder / "status").read_text()
        ]

    def processes(self) -> set[int]:
        """All but the container's own, which may come and go."""
        return {inner for inner, _ in self.machine.processes()}

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Machine("vanished") as machine:
        stand_ins = [StandIn(machine, program) for program in ("crun", "conmon")]
        daemon = Hiveletd(machine)
        daemon.start()
        cli = make_cli("docker-20", daemon.host, machine.dir)
        import_busybox(cli, machine.dir)
        cli("run", "-d", "--name", "host", "bb:latest", "/bin/sleep", "10000")
        yield Site(machine, daemon, cli, *stand_ins)
        cli("rm", "--force", "host")
        assert daemon.stop() == 0


@pytest.mark.parametrize("program", ["conmon", "crun"])
@pytest.mark.parametrize("command", [["cat"], ["echo", "one"], ["nope"]], ids=lambda c: c[0])
def test_the_client_of_an_exec_is_gone_before_it_runs(
    site: Site, program: str, command: list[str]
) -> None:
    """Whatever is being started is started; one that waits for input gets its end."""
    api = site.api()
    before, files = site.processes(), site.open_files()
    made = api.exec_create("host", command, stdin=True)["Id"]
    if program == "conmon":
        site.conmon.order("call", HANG)
    else:
        site.crun.order("exec", HANG)
    with Connection(site.daemon, f"/exec/{made}/start", {"Detach": False}):
        wait_until(site.stopped, timeout=20, what=f"{program} is stopped")
    assert api.exec_inspect(made)["Running"]
    for pid in site.stopped():
        os.kill(pid, signal.SIGCONT)
    wait_until(
        lambda: not api.exec_inspect(made)["Running"],
        timeout=20,
        what="it has ended",
        evidence=lambda: site.cli("top", "host").out,
    )
    assert api.exec_inspect(made)["ExitCode"] == (127 if command == ["nope"] else 0)
    api.close()
    wait_until(
        lambda: site.processes() <= before and site.open_files() <= files,
        timeout=20,
        what="nothing is left",
        evidence=lambda: site.cli("top", "host").out,
    )


@pytest.mark.parametrize("end", ["before", "while"])
def test_the_client_of_a_run_is_gone_before_it_runs(site: Site, end: str) -> None:
    """`docker run -i` attaches first and starts then: a program that waits for its input gets its end, as with Docker."""
    site.cli("create", "-i", "--name", "early", "bb:latest", "cat")
    api = site.api()
    path = "/containers/early/attach?stream=1&stdin=1&stdout=1"
    if end == "before":
        with Connection(site.daemon, path):
            pass
        api.start("early")
    else:
        site.crun.order("create", HANG)
        with ThreadPoolExecutor(1) as pool:
            with Connection(site.daemon, path):
                starting = pool.submit(site.cli, "start", "early")
                wait_until(site.stopped, timeout=20, what="crun is stopped")
            for pid in site.stopped():
                os.kill(pid, signal.SIGCONT)
            starting.result()
    wait_until(
        lambda: api.inspect_container("early")["State"]["Status"] == "exited",
        timeout=20,
        what="it has ended",
        evidence=lambda: site.cli("ps", "-a").out,
    )
    assert api.inspect_container("early")["State"]["ExitCode"] == 0
    site.cli("rm", "early")
    api.close()
