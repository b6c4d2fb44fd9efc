"""What a machine runs short of, or has taken from it: each degrades in its own way, is told, and passes.

All tests of this file share one machine and one service under traffic: each fault must end so well that the next finds
everything as the first did.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.disks import filled, mount_small
from harness.figures import measured
from harness.images import import_busybox
from harness.machine import ADDRESS, CGROUPS, OUTSIDE, OUTSIDE_ADDRESS, OUTSIDE_NAME, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow]

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"


@pytest.fixture(scope="module")
def shared() -> Iterator[Swarm]:
    """A machine with the service `web` of two replicas, published at 8080, in the network `back`."""
    with Machine("short") as machine:
        daemon = Hiveletd(machine)
        mount_small(machine, daemon.run, "16m")
        daemon.start()
        cli = make_cli("docker-20", daemon.host, machine.dir)
        import_busybox(cli, machine.dir)
        cli("swarm", "init")
        cli("network", "create", "--driver", "overlay", "back")
        swarm = Swarm(machine, daemon, cli)
        swarm.create("web", 2, "--network", "back", "--publish", "8080:8000")
        yield swarm
        if daemon.running:
            assert daemon.stop() == 0


@pytest.fixture
def swarm(shared: Swarm) -> Iterator[Swarm]:
    """The same; nothing in the daemon's log may be a traceback, and the service is whole before and after."""
    mark = len(shared.daemon.log_path.read_text())
    shared.until_running("web", 2)
    yield shared
    shared.until_running("web", 2)
    said = shared.daemon.log_path.read_text()[mark:]
    assert "Traceback" not in said, said[-4000:]


@contextlib.contextmanager
def traffic(swarm: Swarm) -> Iterator[Traffic]:
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        yield requests
        requests.go_on(10)


def kill_one(swarm: Swarm) -> str:
    """The id of a task whose process is killed."""
    victim = swarm.tasks("web", running=True)[0]
    swarm.machine.run(["kill", "-KILL", str(swarm.process(victim))])
    return str(victim["ID"])


def until_replaced(swarm: Swarm, victim: str, timeout: float = 40) -> float:
    begun = time.monotonic()
    wait_until(
        lambda: victim not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 2,
        timeout=timeout,
        what="the dead one is replaced",
        evidence=swarm.story,
    )
    return time.monotonic() - begun


@contextlib.contextmanager
def limited_files(pid: int, spare: int) -> Iterator[None]:
    """The process may open so many files more."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    there = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (there + 1 + spare, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_out_of_file_descriptors(swarm: Swarm) -> None:
    daemon = swarm.daemon
    with traffic(swarm) as requests:
        victim = swarm.tasks("web", running=True)[0]
        with contextlib.ExitStack() as stack:
            stack.enter_context(limited_files(daemon.pid, 2))
            # The gaps among its descriptors are filled as well.
            for _ in range(64):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(daemon.host.removeprefix("unix://")))
            wait_until(
                lambda: "too many open files" in daemon.log_path.read_text().lower(),
                timeout=20,
                what="it is told",
            )
            before = len(requests.failures)
            requests.go_on(50)
            assert len(requests.failures) == before
            swarm.machine.run(["kill", "-KILL", str(swarm.process(victim))])
        seconds = until_replaced(swarm, victim["ID"])
    told = daemon.log_path.read_text().lower().count("too many open files")
    assert told < 20
    measured(
        "out of file descriptors",
        injected=1,
        requests=len(requests.records),
        lost=len(requests.failures),
        seconds=seconds,
    )


def pids_groups(pid: int, name: str) -> list[Path]:
    """A new cgroup that counts processes, with the process in it: the limit of a service manager."""
    root = CGROUPS / "pids" if (CGROUPS / "pids").is_dir() else CGROUPS
    group = root / name
    group.mkdir()
    (group / "cgroup.procs").write_text(str(pid))
    return [root, group]


def test_out_of_processes(swarm: Swarm) -> None:
    daemon, cli = swarm.daemon, swarm.cli
    root, group = pids_groups(daemon.pid, f"{swarm.machine.cgroup_parent}-daemon")
    try:
        with traffic(swarm) as requests:
            count = int((group / "pids.current").read_text())
            (group / "pids.max").write_text(str(count))
            said = cli.fails("run", "--rm", "bb:latest", "/bin/true").err.lower()
            assert "resource temporarily unavailable" in said or "new thread" in said, said
            victim = kill_one(swarm)
            requests.go_on(50)
            assert cli("service", "ls", "--format", "{{.Name}}").lines == ["web"]
            (group / "pids.max").write_text("max")
            seconds = until_replaced(swarm, victim)
    finally:
        for line in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (root / "cgroup.procs").write_text(line)
        wait_until(lambda: not (group / "cgroup.procs").read_text(), timeout=5, what="it is empty")
        group.rmdir()
    measured(
        "out of processes",
        injected=1,
        requests=len(requests.records),
        lost=len(requests.failures),
        seconds=seconds,
    )


def test_a_container_out_of_processes_harms_nobody_else(swarm: Swarm) -> None:
    cli = swarm.cli
    bomb = "while :; do sleep 100 & done"
    with traffic(swarm) as requests:
        cli(
            "run",
            "--detach",
            "--name",
            "bomb",
            "--pids-limit",
            "20",
            "bb:latest",
            "/bin/sh",
            "-c",
            bomb,
        )
        wait_until(
            lambda: "fork" in cli("logs", "bomb").err.lower(), timeout=20, what="it meets its limit"
        )
        requests.go_on(50)
        cli("rm", "--force", "bomb")
    assert requests.failures == []
    measured(
        "a container out of processes",
        injected=1,
        requests=len(requests.records),
        lost=0,
        seconds=None,
    )


def test_the_oom_killer_takes_a_container(swarm: Swarm) -> None:
    cli = swarm.cli
    eat = "sleep 1; x=x; while :; do x=$x$x; done"
    words = ("--detach", "--no-resolve-image", "--name", "eater", "--limit-memory", "16m")
    cli(
        "service",
        "create",
        *words,
        "--restart-max-attempts",
        "1",
        "bb:latest",
        "/bin/sh",
        "-c",
        eat,
    )
    begun = time.monotonic()
    wait_until(
        lambda: len([t for t in swarm.tasks("eater") if t["Status"]["State"] == "failed"]) >= 2,
        timeout=40,
        what="it was killed, restarted and killed again",
        evidence=swarm.story,
    )
    seconds = time.monotonic() - begun
    task = next(t for t in swarm.tasks("eater") if t["Status"]["State"] == "failed")
    assert "memory" in task["Status"]["Err"].lower(), task["Status"]
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    assert cli("inspect", "--format", "{{.State.OOMKilled}}", container).out.strip() == "true"
    cli("service", "rm", "eater")
    swarm.until_gone("eater")
    measured("the OOM killer takes a container", injected=2, seconds=seconds)


def test_the_oom_killer_takes_the_daemon(swarm: Swarm) -> None:
    daemon, cli = swarm.daemon, swarm.cli
    root = CGROUPS / "memory" if (CGROUPS / "memory").is_dir() else CGROUPS
    limit = "memory.limit_in_bytes" if (root / "memory.limit_in_bytes").exists() else "memory.max"
    group = root / f"{swarm.machine.cgroup_parent}-memory"
    group.mkdir()
    before = swarm.container_ids("web")
    cli("config", "create", "kept", "-", stdin="x")
    assert daemon.process is not None
    with traffic(swarm) as requests:
        (group / "cgroup.procs").write_text(str(daemon.pid))
        (group / limit).write_text(str(1 << 20))
        limited = time.monotonic()
        with contextlib.suppress(Exception), swarm.api() as api:
            while daemon.running and time.monotonic() - limited < 20:
                api.load_image(os.urandom(1 << 22))
        wait_until(lambda: not daemon.running, timeout=20, what="the kernel has killed it")
        requests.go_on(50)
        begun = time.monotonic()
        daemon.start()
        seconds = time.monotonic() - begun
        assert swarm.container_ids("web") == before
        assert cli("config", "ls", "--format", "{{.Name}}").lines == ["kept"]
    cli("config", "rm", "kept")
    group.rmdir()
    assert requests.failures == []
    measured(
        "the OOM killer takes hiveletd",
        injected=1,
        requests=len(requests.records),
        lost=0,
        seconds=seconds,
    )


def test_a_foreign_process_takes_the_published_port(swarm: Swarm) -> None:
    machine = swarm.machine
    thief = "import socket,time; s=socket.create_server(('',8080)); print('has it',flush=True); time.sleep(600)"
    process = machine.popen(["python3", "-c", thief], stdout=subprocess.PIPE)
    assert process.popen.stdout is not None
    assert process.popen.stdout.readline() == "has it\n"
    try:
        with traffic(swarm) as requests:
            requests.go_on(50)
            victim = kill_one(swarm)
            wait_until(
                lambda: any(
                    "already allocated" in t["Status"].get("Err", "")
                    and "python3" in t["Status"]["Err"]
                    for t in swarm.tasks("web")
                ),
                timeout=20,
                what="the new task names who has the port",
                evidence=swarm.story,
            )
            requests.go_on(20)
            process.end()
            seconds = until_replaced(swarm, victim)
    finally:
        process.end()
        process.popen.stdout.close()
    assert len(requests.failures) <= 2
    measured(
        "a published port taken",
        injected=1,
        requests=len(requests.records),
        lost=len(requests.failures),
        seconds=seconds,
    )


def test_the_name_server_above_is_gone(swarm: Swarm) -> None:
    task = swarm.tasks("web", running=True)[0]
    machine = swarm.machine
    assert swarm.resolve(task, OUTSIDE_NAME) == {OUTSIDE_ADDRESS}
    with Traffic.questions(
        machine, swarm.name_server(task), "tasks.web", where=swarm.process(task)
    ) as questions:
        machine.run(["ip", "link", "set", "uplink0", "down"])
        assert swarm.resolve(task, OUTSIDE_NAME) == set()
        questions.go_on(100)
        machine.run(["ip", "link", "set", "uplink0", "up"])
        machine.run(["ip", "route", "replace", "default", "via", OUTSIDE_ADDRESS])
        begun = time.monotonic()
        wait_until(
            lambda: swarm.resolve(task, OUTSIDE_NAME) == {OUTSIDE_ADDRESS},
            timeout=20,
            what="outside names resolve again",
        )
        seconds = time.monotonic() - begun
    assert questions.failures == []
    measured(
        "the name server above gone",
        injected=1,
        requests=len(questions.records),
        lost=0,
        seconds=seconds,
    )


def test_the_registry_is_gone_at_an_update(swarm: Swarm) -> None:
    cli = swarm.cli
    before = swarm.task_ids("web")
    with traffic(swarm) as requests:
        image = f"{OUTSIDE_ADDRESS}:5999/web:2"
        cli(
            "service",
            "update",
            "--detach",
            "--no-resolve-image",
            "--update-order",
            "start-first",
            "--image",
            image,
            "web",
        )
        wait_until(
            lambda: (
                "paused"
                in cli("service", "inspect", "--format", "{{.UpdateStatus.State}}", "web").out
            ),
            timeout=40,
            what="the update is paused",
            evidence=swarm.story,
        )
        rejected = [t for t in swarm.tasks("web") if t["Status"]["State"] == "rejected"]
        assert any(f"{OUTSIDE_ADDRESS}:5999" in task["Status"]["Err"] for task in rejected)
        begun = time.monotonic()
        cli("service", "rollback", "--detach", "web")
        swarm.until_running("web", 2)
        seconds = time.monotonic() - begun
    assert requests.failures == []
    assert before & swarm.task_ids("web")
    measured("registry gone", injected=1, requests=len(requests.records), lost=0, seconds=seconds)


def test_the_run_directory_is_full(swarm: Swarm) -> None:
    cli, daemon = swarm.cli, swarm.daemon
    assert isinstance(daemon, Hiveletd)
    cli("secret", "create", "word", "-", stdin="x" * 1000)
    words = (
        "--detach",
        "--no-resolve-image",
        "--name",
        "secretive",
        "--secret",
        "word",
        "bb:latest",
    )
    with traffic(swarm) as requests:
        with filled(swarm.machine, daemon.run):
            cli("service", "create", *words, "/bin/sleep", "1000")
            wait_until(
                lambda: any(
                    "no space left" in t["Status"].get("Err", "").lower()
                    for t in swarm.tasks("secretive")
                ),
                timeout=20,
                what="the task says why it can't run",
                evidence=swarm.story,
            )
            requests.go_on(20)
        begun = time.monotonic()
        swarm.until_running("secretive", 1)
        seconds = time.monotonic() - begun
    cli("service", "rm", "secretive")
    swarm.until_gone("secretive")
    cli("secret", "rm", "word")
    assert requests.failures == []
    measured(
        "run directory full", injected=1, requests=len(requests.records), lost=0, seconds=seconds
    )


def test_the_run_directory_is_cleaned(swarm: Swarm) -> None:
    daemon, machine = swarm.daemon, swarm.machine
    assert isinstance(daemon, Hiveletd)
    with traffic(swarm) as requests:
        machine.run(["find", str(daemon.run), "-xdev", "-type", "f", "-delete"], check=False)
        requests.go_on(50)
        victim = kill_one(swarm)
        seconds = until_replaced(swarm, victim)
        swarm.cli("service", "update", "--force", "--detach", "web")
        swarm.until_running("web", 2)
        task = swarm.tasks("web", running=True)[0]
        wait_until(lambda: swarm.resolve(task, "web"), timeout=20, what="names resolve")
    assert len(requests.failures) <= 2
    measured(
        "run directory cleaned",
        injected=1,
        requests=len(requests.records),
        lost=len(requests.failures),
        seconds=seconds,
    )


def test_a_cgroup_is_removed(swarm: Swarm) -> None:
    cli, machine = swarm.cli, swarm.machine
    container = swarm.container_ids("web")[0]
    task = swarm.tasks("web", running=True)[0]
    with traffic(swarm) as requests:
        for group in machine.cgroups():
            if group.name != container:
                continue
            top = CGROUPS / group.relative_to(CGROUPS).parts[0]
            for number in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (top / "cgroup.procs").write_text(number)
            with contextlib.suppress(OSError):
                group.rmdir()
        cli("stats", "--no-stream", container, status=None)
        cli("top", container, status=None)
        requests.go_on(30)
        begun = time.monotonic()
        cli("service", "update", "--force", "--detach", "web")
        wait_until(
            lambda: task["ID"] not in swarm.task_ids("web") and len(swarm.task_ids("web")) == 2,
            timeout=40,
            what="it was stopped and replaced",
            evidence=swarm.story,
        )
        seconds = time.monotonic() - begun
    assert requests.failures == []
    measured("cgroup removed", injected=1, requests=len(requests.records), lost=0, seconds=seconds)


EARLIER = """
import socket, sys
held = [socket.create_connection(("%s", 8080), 5) for _ in range(5)]
print("open", flush=True)
sys.stdin.readline()
for one in held:
    one.settimeout(5)
    one.sendall(b"GET /cgi-bin/whoami HTTP/1.0\\r\\n\\r\\n")
    print(one.makefile("rb").readline().split()[1].decode(), flush=True)
try:
    socket.create_connection(("%s", 8080), 2)
    print("new", flush=True)
except OSError:
    print("none", flush=True)
"""


@contextlib.contextmanager
def connections_used_up(machine: Machine, folder: Path) -> Iterator[None]:
    """The kernel's table of connections as it is when it is full, for this machine alone.

    The limit is one for all namespaces and can't be set in one, and a quarter of a million real connections would slow down every
    look at the table on the host. So the files that tell of it are covered by others, and rules do what the kernel does: they drop
    whatever would begin another connection.
    """
    told = {"nf_conntrack_count": "1000", "nf_conntrack_max": "1000"}
    for name, number in told.items():
        (folder / name).write_text(number)
        machine.run(["mount", "--bind", str(folder / name), f"/proc/sys/net/netfilter/{name}"])
    chains = "\n".join(
        f"chain {hook} {{ type filter hook {hook} priority -190; ct state new counter drop; }}"
        for hook in ("prerouting", "output")
    )
    machine.run(["nft", f"table inet full {{\n{chains}\n}}"])
    try:
        yield
    finally:
        machine.run(["nft", "delete", "table", "inet", "full"])
        for name in told:
            machine.run(["umount", f"/proc/sys/net/netfilter/{name}"])


def test_the_table_of_connections_is_full(swarm: Swarm) -> None:
    machine, cli, log = swarm.machine, swarm.cli, swarm.daemon.log_path
    resolvers = machine.run(["pgrep", "-x", "dnsmasq"]).stdout
    words = [sys.executable, "-c", EARLIER % (ADDRESS, ADDRESS)]
    client = machine.popen(words, where=OUTSIDE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    there, back = client.popen.stdin, client.popen.stdout
    assert there is not None
    assert back is not None
    assert back.readline() == "open\n"
    told = "The kernel tracks 1000 of 1000 connections. Once the table is full, new connections are dropped"
    with connections_used_up(machine, swarm.machine.dir):
        wait_until(lambda: told in log.read_text(), timeout=20, what="the log tells")
        info = cli("info").err + cli("info").out
        assert f"{told} without a word" in info
        assert "sysctl -w net.netfilter.nf_conntrack_max=2000" in info
        there.write("\n")
        there.flush()
        assert [back.readline() for _ in range(6)] == ["200\n"] * 5 + ["none\n"]
        begun = time.monotonic()
        wait_until(
            lambda: time.monotonic() > begun + 11, timeout=30, what="two probes of resolvers"
        )
        assert len(swarm.task_ids("web")) == 2
        assert machine.run(["pgrep", "-x", "dnsmasq"]).stdout == resolvers
        assert log.read_text().count(told) == 1
    begun = time.monotonic()
    with traffic(swarm) as requests:
        requests.go_on(20)
    seconds = time.monotonic() - begun
    assert requests.failures == []
    wait_until(
        lambda: "the kernel has room for connections again" in log.read_text(),
        timeout=20,
        what="the log tells that it is over",
    )
    assert "connections. Once the table" not in cli("info").err + cli("info").out
    client.end()
    measured(
        "connections used up", injected=1, requests=len(requests.records), lost=0, seconds=seconds
    )


def test_nft_refuses(swarm: Swarm) -> None:
    machine, cli = swarm.machine, swarm.cli
    owner = machine.popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert owner.popen.stdin is not None
    owner.popen.stdin.write("delete table ip hivelet; add table ip hivelet { flags owner; }\n")
    owner.popen.stdin.flush()
    wait_until(
        lambda: (
            "flags owner"
            in machine.run(["nft", "list", "table", "ip", "hivelet"], check=False).stdout
        ),
        timeout=10,
        what="the table is somebody else's",
    )
    cli(
        "service",
        "create",
        "--detach",
        "--no-resolve-image",
        "--name",
        "late",
        "--publish",
        "8081:8000",
        "web:latest",
    )
    wait_until(
        lambda: "the rules could not be written" in swarm.daemon.log_path.read_text(),
        timeout=20,
        what="the refusal is told",
        evidence=swarm.story,
    )
    wait_until(lambda: "rules can't be written" in cli("info").err, timeout=20, what="info warns")
    owner.end()
    begun = time.monotonic()
    swarm.until_running("late", 1)
    with (
        Traffic.requests(
            machine, URL.replace("8080", "8081"), "--rate", "50", where=OUTSIDE
        ) as late,
        traffic(swarm) as web,
    ):
        late.go_on(20)
        web.go_on(20)
    seconds = time.monotonic() - begun
    assert late.failures == []
    assert web.failures == []
    cli("service", "rm", "late")
    swarm.until_gone("late")
    measured("nft refuses", injected=1, requests=len(web.records), lost=0, seconds=seconds)
