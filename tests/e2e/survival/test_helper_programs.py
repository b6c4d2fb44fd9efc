"""The programs that hiveletd relies on fail, hang, or are killed: the runtime, conmon, dnsmasq. Nobody waits for ever for them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.images import import_busybox
from harness.leftovers import until_nothing_is_left
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.stand_ins import DIE, FAIL, HALF, HANG, StandIn
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow]

PATIENCE = 4
"""Seconds that the runtime gets here. It needs some hundredths, on a quiet machine."""


@dataclass
class Site:
    """A swarm with the service `web`, which nothing of this may disturb, and programs that can be told to fail."""

    swarm: Swarm
    daemon: Hiveletd
    crun: StandIn
    conmon: StandIn
    dnsmasq: StandIn
    web: Traffic

    def process(self, name: str, of: str) -> int:
        """The host's number of the process of that program that has `of` among its words."""
        machine = self.swarm.machine
        for inner, folder in machine.processes():
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(name.encode()) and of.encode() in b" ".join(words):
                return machine.host_pid(inner)
        raise AssertionError(f"there is no {name} for {of}")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One for all tests here; at the end `web` must be as it was, and have answered everybody."""
    with Machine("helpers") as machine:
        stand_ins = [StandIn(machine, program) for program in ("crun", "conmon", "dnsmasq")]
        daemon = Hiveletd(machine, "--runtime-timeout", f"{PATIENCE}s")
        daemon.start()
        docker = make_cli("docker-20", daemon.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("swarm", "init")
        swarm = Swarm(machine, daemon, docker)
        swarm.cli("network", "create", "--driver", "overlay", "back")
        swarm.create("web", 2, "--network", "back", "--publish", "8080:8000")
        before = swarm.container_ids("web")
        web = Traffic.requests(
            machine, f"http://{ADDRESS}:8080/cgi-bin/whoami", "--rate", "20", where=OUTSIDE
        )
        with web:
            yield Site(swarm, daemon, *stand_ins, web)
        assert swarm.container_ids("web") == before
        assert web.failures == []
        assert daemon.stop() == 0


def errors_of(swarm: Swarm, service: str) -> str:
    """What `service ps` says of the service's tasks."""
    return swarm.cli("service", "ps", "--no-trunc", "--format", "{{.Error}}", service).out


def note(site: Site, fault: str, injected: int, seconds: float, requests: int) -> None:
    """Put figures on the page; `requests` were answered before the fault."""
    measured(
        fault,
        injected=injected,
        requests=len(site.web.records) - requests,
        lost=len(site.web.failures),
        seconds=seconds,
    )


CREATE = ("--restart-delay", "0s", "--stop-grace-period", "1s")
SLEEP = ("/bin/sleep", "10000")


@pytest.mark.parametrize("how", [FAIL, DIE, HALF, HANG])
@pytest.mark.parametrize("verb", ["create", "start"])
def test_the_runtime_fails_at_a_start(site: Site, verb: str, how: str) -> None:
    """The task says why; another one takes its place, and nothing is left of the first."""
    requests, name = len(site.web.records), f"{verb}-{how}"
    site.crun.order(verb, how)
    began = time.monotonic()
    site.swarm.create(name, 1, *CREATE, image="bb:latest", command=SLEEP)
    took = time.monotonic() - began
    assert site.crun.taken
    said = errors_of(site.swarm, name)
    expected = {HANG: f"within {PATIENCE} s", DIE: "fail"}.get(how, "no luck today")
    assert expected in said, said
    site.swarm.cli("service", "rm", name)
    site.swarm.until_gone(name)
    until_nothing_is_left(site.swarm, site.daemon)
    if name == "create-hang":
        note(site, "the OCI runtime fails, dies or hangs", 8, took, requests)


@pytest.mark.parametrize("how", [FAIL, DIE, HALF, HANG])
def test_the_runtime_fails_at_a_removal(site: Site, how: str) -> None:
    """The removal is tried again until it succeeds."""
    name = f"delete-{how}"
    site.swarm.create(name, 1, *CREATE, image="bb:latest", command=SLEEP)
    site.crun.order("delete", how)
    site.swarm.cli("service", "rm", name)
    site.swarm.until_gone(name)
    assert site.crun.taken
    until_nothing_is_left(site.swarm, site.daemon)


@contextmanager
def plain(site: Site, *options: str) -> Iterator[str]:
    """A container of `docker run`, of which nothing may be left."""
    cli = site.swarm.cli
    cli("run", "-d", "--name", "plain", *options, "bb:latest", *SLEEP)
    try:
        yield "plain"
    finally:
        cli("rm", "--force", "plain")
    until_nothing_is_left(site.swarm, site.daemon)


def others(site: Site) -> set[bytes]:
    """The processes of conmon and of the runtime."""
    return {
        words
        for _, folder in site.swarm.machine.processes()
        if b"conmon" in (words := (folder / "cmdline").read_bytes()) or b"crun" in words
    }


@pytest.mark.parametrize("program", ["crun", "conmon"])
@pytest.mark.parametrize("detach", [False, True], ids=["attached", "detached"])
def test_an_exec_hangs(site: Site, program: str, *, detach: bool) -> None:
    """It is refused in time, by name; nothing of it is left, the container is as it was, and takes the next."""
    requests, cli = len(site.web.records), site.swarm.cli
    stand_in = site.crun if program == "crun" else site.conmon
    with plain(site) as name:
        before = others(site)
        stand_in.order("exec" if program == "crun" else "call", HANG)
        began = time.monotonic()
        how = "-d" if detach else "-i"
        failed = cli("exec", how, name, "/bin/sleep", "7654", status=1 if detach else 126)
        took = time.monotonic() - began
        assert f"crun has not started the process within {PATIENCE} s and was killed" in (
            failed.out + failed.err
        )
        assert stand_in.taken
        assert others(site) == before
        assert "7654" not in cli("top", name).out
        with site.swarm.api() as api:
            # Those that have ended are not among the container's any more.
            container = api.inspect_container(name)
            assert container["ExecIDs"] is None
            told = {"container": container["Id"], "event": "exec_create"}
            (made,) = api.events(since=0, until=int(time.time()) + 1, filters=told, decode=True)
            found = api.exec_inspect(made["Actor"]["Attributes"]["execID"])
        assert (found["Running"], found["ExitCode"]) == (False, 126)
        assert cli("exec", name, "/bin/echo", "again").out == "again\n"
    if program == "crun" and not detach:
        note(site, "the OCI runtime hangs at an exec", 1, took, requests)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("pause", ["pause"]),
        ("resume", ["unpause"]),
        ("update", ["update", "--memory", "64m", "--memory-swap", "64m"]),
    ],
)
def test_an_order_to_a_running_container_hangs(site: Site, verb: str, words: list[str]) -> None:
    """It fails in time and by name; the container is as it was, and the same order succeeds then."""
    cli = site.swarm.cli
    with plain(site) as name:
        if verb == "resume":
            cli("pause", name)
        state = cli("inspect", "-f", "{{json .State}} {{.HostConfig.Memory}}", name).out
        site.crun.order(verb, HANG)
        failed = cli.fails(*words, name)
        said = f"crun {verb} failed: it did not end within {PATIENCE} s and was killed"
        assert said in failed.err
        assert site.crun.taken
        assert cli("inspect", "-f", "{{json .State}} {{.HostConfig.Memory}}", name).out == state
        cli(*words, name)
        site.crun.order(verb, HALF)  # it has done it, and says that it has not
        if verb in ("pause", "resume"):
            cli("pause" if verb == "resume" else "unpause", name)
            cli.fails(*words, name)
            cli(*words, name)


def test_a_health_check_hangs_with_its_runtime(site: Site) -> None:
    """The check has failed, and says why; the next one is made as ever."""
    cli = site.swarm.cli
    site.crun.order("exec", HANG)
    health = ["--health-cmd", "/bin/true", "--health-interval", "1s", "--health-timeout", "1h"]
    with plain(site, *health, "--health-start-period", "1h") as name:
        wait_until(
            lambda: cli("inspect", "-f", "{{.State.Health.Status}}", name).out == "healthy\n",
            timeout=60,
            what="it is healthy after all",
            evidence=lambda: cli("inspect", "-f", "{{json .State.Health}}", name).out,
        )
        assert site.crun.taken
        told = cli("inspect", "-f", "{{range .State.Health.Log}}{{.Output}}{{end}}", name).out
        assert "crun has not started the process in time and was killed" in told


@pytest.mark.parametrize("how", [FAIL, DIE, HANG])
def test_conmon_does_not_come_up(site: Site, how: str) -> None:
    """As where the runtime fails."""
    name = f"conmon-{how}"
    site.conmon.order("call", how)
    site.swarm.create(name, 1, *CREATE, image="bb:latest", command=SLEEP)
    assert site.conmon.taken
    assert errors_of(site.swarm, name).strip() != ""
    site.swarm.cli("service", "rm", name)
    site.swarm.until_gone(name)
    until_nothing_is_left(site.swarm, site.daemon)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_conmon_ends_or_hangs_beside_its_container(site: Site, number: signal.Signals) -> None:
    """The container goes on; when it dies, that is seen as ever, and it is replaced: conmon is not waited for."""
    requests, name = len(site.web.records), f"beside-{number.name.lower()}"
    site.swarm.create(name, 1, *CREATE, image="bb:latest", command=SLEEP)
    (task,) = site.swarm.tasks(name, running=True)
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    os.kill(site.process("conmon", container), number)
    if number == signal.SIGKILL:
        wait_until(
            lambda: "(conmon) of a running container is gone" in site.daemon.log_tail(20),
            timeout=10,
            what="the log tells of it",
        )
    assert site.swarm.task_ids(name) == {task["ID"]}
    began = time.monotonic()
    site.swarm.machine.run(["kill", "-KILL", str(site.swarm.process(task))])
    wait_until(
        lambda: (after := site.swarm.task_ids(name)) and task["ID"] not in after,
        timeout=20,
        what="the dead one is replaced",
        evidence=site.swarm.story,
    )
    took = time.monotonic() - began
    assert "the exit code is not known: conmon" in errors_of(site.swarm, name)
    site.swarm.cli("service", "rm", name)
    site.swarm.until_gone(name)
    until_nothing_is_left(site.swarm, site.daemon)
    if number == signal.SIGKILL:
        note(site, "conmon is killed beside its container", 1, took, requests)
    else:
        note(site, "conmon hangs beside its container", 1, took, requests)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_resolver_ends_or_hangs(site: Site, number: signal.Signals) -> None:
    """It is replaced, also where the first attempt at that fails; until then names are not answered."""
    swarm = site.swarm
    (task, *_) = swarm.tasks("web", running=True)
    server, inner = swarm.name_server(task), swarm.process(task)
    assert swarm.resolve(task, "tasks.web") != set()
    requests = len(site.web.records)
    resolver = resolver_at(site, server)
    if number == signal.SIGKILL:
        site.dnsmasq.order("call", FAIL)
    began = time.monotonic()
    os.kill(swarm.machine.host_pid(resolver), number)
    wait_until(
        lambda: swarm.resolve(task, "tasks.web") != set() and resolver_at(site, server) != resolver,
        timeout=30,
        what="names are answered by another one",
        evidence=site.daemon.log_tail,
    )
    took = time.monotonic() - began
    assert number != signal.SIGKILL or site.dnsmasq.taken
    with Traffic.questions(swarm.machine, server, "tasks.web", where=inner) as questions:
        questions.go_on(20)
    assert questions.failures == []
    name = "dnsmasq is killed" if number == signal.SIGKILL else "dnsmasq hangs"
    note(site, name, 1, took, requests)


def resolver_at(site: Site, address: str) -> int:
    """The machine's number of the dnsmasq that listens on an address; 0 where there is none."""
    for inner, folder in site.swarm.machine.processes():
        words = (folder / "cmdline").read_bytes().split(b"\0")
        if words[0].endswith(b"dnsmasq") and len(words) > 2:
            conf = Path(os.fsdecode(words[2]))
            if conf.is_file() and f"listen-address={address}\n" in conf.read_text():
                return inner
    return 0
