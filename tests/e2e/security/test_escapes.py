"""A container that tries to get out: what it reaches of the kernel, the host, the daemon and other containers is nothing.

Each try is made a second time where it is allowed (privileged, in the host's namespaces, with the daemon's directories), so that
one that could not succeed anywhere proves nothing here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import figures
from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.machine import Machine
from harness.swarm import Swarm

from security.confined import IMAGE, import_escapes, outcomes, run_escapes

pytestmark = pytest.mark.slow

KERNEL = (
    "all",
    *("device=c:1:11", "device=b:7:0", "device=c:10:229", "device=c:10:237", "device=c:1:1"),
    *("read=/proc/kcore", "read=/proc/keys", "read=/proc/timer_list", "read=/proc/interrupts"),
    *("write=/proc/sysrq-trigger", "write=/proc/irq/default_smp_affinity"),
    *("write=/proc/sys/kernel/core_pattern", "write=/proc/sys/vm/drop_caches"),
    *("write=/proc/sys/net/ipv4/ip_forward", "write=/sys/kernel/mm/transparent_hugepage/enabled"),
)
ALLOWED = ("--privileged", "--pid", "host", "--network", "host")
REFUSED = {"EPERM", "EACCES", "EROFS", "ENODATA", "ENOSYS"}
"""A masked file is empty (ENODATA); clone3 is unknown to the default seccomp profile (ENOSYS), so that libraries fall back."""
ABSENT = {"ENOENT", "ENOSYS", "ENXIO"}
"""What the kernel of this machine does not have, even to a privileged container."""
NOWHERE = {"ENOENT", "ESRCH", "ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"}

LISTEN = """
import socket, sys, time
tcp = socket.create_server(("127.0.0.1", 0))
name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
name.bind("\\0hivelet-host-program")
name.listen()
print(tcp.getsockname()[1], flush=True)
sys.stdin.read()
"""


@dataclass
class World:
    """A machine with a daemon, and what a container there should not reach."""

    machine: Machine
    daemon: Hiveletd
    docker: Cli
    host_port: int
    """Where a program of the host listens on 127.0.0.1; the same one has the abstract name."""
    victim: str
    """A container of another network that listens on port 8000."""
    victim_address: str
    victim_pid: int
    """Its first process, as the machine numbers it."""
    secret: str
    """The file of its secret, as the host sees it."""
    sockets: list[str]
    """The daemon's and conmon's sockets, as the host sees them."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Machine("esc") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        docker = make_cli("docker-20", daemon.host, machine.dir)
        import_escapes(docker, machine.dir)
        docker("swarm", "init")
        docker("secret", "create", "password", "-", stdin="hunter2")
        docker("network", "create", "-d", "overlay", "theirs")
        swarm = Swarm(machine, daemon, docker)
        words = ("--network", "theirs", "--secret", "password")
        serve = ("httpd", "-f", "-p", "8000", "-h", "/www")
        swarm.create("victim", 1, *words, image=IMAGE, command=serve)
        (task,) = swarm.tasks("victim", running=True)
        host = machine.popen(
            [sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert host.popen.stdout is not None
        home = Path(f"{machine.proc}/1/root{daemon.dir}")
        container = task["Status"]["ContainerStatus"]["ContainerID"]
        secret = home / "run/secrets" / container / "0"
        assert secret.read_text() == "hunter2"
        yield World(
            machine=machine,
            daemon=daemon,
            docker=docker,
            host_port=int(host.popen.stdout.readline()),
            victim=container,
            victim_address=swarm.address(task, "theirs"),
            victim_pid=swarm.process(task),
            secret=f"{daemon.run}/secrets/{container}/0",
            sockets=[f"{daemon.dir}/{path.relative_to(home)}" for path in _sockets(home)],
        )
        host.popen.stdout.close()
        docker("swarm", "leave", "--force")
        assert daemon.stop() == 0


def _sockets(home: Path) -> list[Path]:
    """The API's, and conmon's for who attaches to the victim."""
    found = [path for path in home.rglob("*") if path.is_socket() and path.name != "notify"]
    assert {path.name for path in found} == {"api.sock", "attach"}
    return found


def _in_a_new_one(world: World) -> dict[str, str]:
    return run_escapes(world.docker, KERNEL)


def _in_an_exec(world: World) -> dict[str, str]:
    return outcomes(world.docker("exec", world.victim, "/bin/escapes", *KERNEL).out)


def _in_a_task(world: World) -> dict[str, str]:
    words = ("--mode", "replicated-job", "--no-resolve-image", "--quiet", "--name", "tries")
    world.docker("service", "create", *words, IMAGE, "/bin/escapes", *KERNEL)
    said = world.docker("service", "logs", "--raw", "tries").out
    world.docker("service", "rm", "tries")
    return outcomes(said)


def _with_the_hosts_processes(world: World) -> dict[str, str]:
    return run_escapes(world.docker, KERNEL, "--pid", "host")


def _as_another_user(world: World) -> dict[str, str]:
    return run_escapes(world.docker, KERNEL, "--user", "nobody")


WAYS = [_in_a_new_one, _in_an_exec, _in_a_task, _with_the_hosts_processes, _as_another_user]


def test_the_kernel_refuses(world: World) -> None:
    """Mounts, devices, namespaces, keys, modules, other roots, the kernel's own settings: from each kind of process."""
    allowed = run_escapes(world.docker, KERNEL, *ALLOWED)
    absent = {name for name, outcome in allowed.items() if outcome in ABSENT}
    # A chroot is left where one is inside a chroot, and there is none in a container.
    jail = (
        "mkdir -p /jail/bin /jail/tmp; cp /bin/escapes /jail/bin; chroot /jail /bin/escapes chroot"
    )
    left = world.docker("run", "--rm", *ALLOWED, IMAGE, "sh", "-c", jail).out
    allowed |= outcomes(left)
    # The kernel of this machine may lack some of them, and never all.
    assert [name for name in allowed if allowed[name] in REFUSED and name not in absent] == []
    assert len(allowed) - len(absent) >= 35, allowed
    tried = 0
    for way in WAYS:
        got = way(world)
        assert got.keys() == allowed.keys()
        tried += len(got)
        wrong = {
            name: outcome
            for name, outcome in got.items()
            if outcome not in (REFUSED if name != "chroot" else {"EXDEV", "EPERM"})
            and not (name in absent and outcome in ABSENT)
        }
        assert wrong == {}, way.__name__
    figures.measured("a container tries to get out", injected=tried)


def test_nothing_of_others_is_reached(world: World) -> None:
    """The host's loopback and abstract names, the daemon's sockets, another network, another task's secret and process."""
    sockets = [f"unix={path}" for path in world.sockets]
    outside = [f"tcp=127.0.0.1:{world.host_port}", "unix=@hivelet-host-program"]
    neighbour = [f"tcp={world.victim_address}:8000"]
    secret = [f"read={world.secret}"]
    process = [f"signal={world.victim_pid}", f"trace={world.victim_pid}"]
    every = [*outside, *sockets, *neighbour, *secret, *process]
    world.docker("network", "create", "ours")
    got = [
        run_escapes(world.docker, every),
        run_escapes(world.docker, every, "--network", "ours"),
        run_escapes(world.docker, every, "--network", "none"),
    ]
    for outcomes_there in got:
        assert {k: v for k, v in outcomes_there.items() if v not in NOWHERE} == {}
    # With all that a default container does not have, each of them is reached.
    mounts = ("-v", f"{world.daemon.dir}:{world.daemon.dir}")
    reached = run_escapes(world.docker, [*outside, *sockets, *secret, *process], *ALLOWED, *mounts)
    reached |= outcomes(world.docker("exec", world.victim, "/bin/escapes", *neighbour).out)
    # conmon's socket keeps packets apart, which a stream cannot be connected to: it was found.
    assert {k: v for k, v in reached.items() if v not in ("done", "EPROTOTYPE")} == {}
    assert reached.keys() == set(every)


def test_only_its_own_processes_are_seen(world: World) -> None:
    script = "cd /proc; for n in [0-9]*; do cat $n/comm; done 2>/dev/null"
    seen = set(world.docker("run", "--rm", IMAGE, "sh", "-c", script).lines)
    assert seen <= {"sh", "cat"}
    everything = world.docker("run", "--rm", "--pid", "host", IMAGE, "sh", "-c", script).lines
    assert "conmon" in everything
