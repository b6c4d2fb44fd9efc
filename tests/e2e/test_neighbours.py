"""Another program's containers on the same host: theirs and ours are served, and neither reaches the other's inside."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon, Dockerd
from harness.images import busybox_tar, import_busybox
from harness.machine import ADDRESS, INSIDE, OUTSIDE, Machine, Where
from harness.swarm import Swarm
from harness.waiting import wait_until

PAGE = "/index.html"


def fetch(machine: Machine, where: Where, address: str, port: int) -> str:
    """What a web server answers; "" where nobody does within two seconds."""
    url = f"http://{address}:{port}{PAGE}"
    return machine.run(["curl", "-s", "-m", "2", url], where=where, check=False).stdout


def until_served(machine: Machine, where: Where, address: str, port: int) -> None:
    wait_until(
        lambda: fetch(machine, where, address, port) == "busybox\n",
        timeout=30,
        what=f"{address}:{port} answers from {where}",
        evidence=lambda: machine.run(["nft", "list", "ruleset"]).stdout[:20000],
    )


class Neighbour:
    """A container of another program that serves on the host's port 8081."""

    def __init__(self, address: str, pid: int) -> None:
        self.address = address
        self.pid = pid


def check_both(swarm: Swarm, neighbour: Neighbour) -> None:
    """Both are served from everywhere, and both ways inside are closed."""
    machine = swarm.machine
    for port in (8080, 8081):
        until_served(machine, OUTSIDE, ADDRESS, port)
        until_served(machine, INSIDE, "127.0.0.1", port)
        until_served(machine, INSIDE, ADDRESS, port)
    (task,) = swarm.tasks("web", running=True)
    inside = swarm.process(task)
    until_served(machine, inside, ADDRESS, 8081)
    until_served(machine, neighbour.pid, ADDRESS, 8080)
    assert swarm.resolve(task, "web") == {swarm.vip("web", "front")}
    until_served(machine, inside, swarm.vip("web", "front"), 8000)
    assert fetch(machine, neighbour.pid, swarm.address(task, "front"), 8000) == ""
    assert fetch(machine, neighbour.pid, swarm.vip("web", "front"), 8000) == ""


def begin(swarm: Swarm) -> None:
    swarm.cli("network", "create", "-d", "overlay", "front")
    swarm.create("web", 1, "--network", "front", "--publish", "8080:8000")


@pytest.fixture
def dockerd(machine: Machine) -> Iterator[Dockerd]:
    """The real engine, in the same network namespace, started before hivelet."""
    engine = Dockerd(machine)
    engine.start()
    yield engine
    if engine.running:
        engine.stop()


def run_docker(machine: Machine, cli: Cli) -> Neighbour:
    import_busybox(cli, machine.dir)
    cli("run", "-d", "--name", "theirs", "-p", "8081:8000", "web:latest")
    (found,) = json.loads(cli("inspect", "theirs").out)
    return Neighbour(found["NetworkSettings"]["IPAddress"], found["State"]["Pid"])


def test_docker_engine(machine: Machine, dockerd: Dockerd, hiveletd: Daemon) -> None:
    theirs = make_cli("docker-20", dockerd.host, machine.dir)
    ours = make_cli("docker-20", hiveletd.host, machine.dir)
    neighbour = run_docker(machine, theirs)
    before = foreign_rules(machine)
    assert "-P FORWARD DROP" in before
    import_busybox(ours, machine.dir)
    ours("swarm", "init")
    swarm = Swarm(machine, hiveletd, ours)
    begin(swarm)
    check_both(swarm, neighbour)
    (task,) = swarm.tasks("web", running=True)
    # Docker's own rules open a published container to everybody, and all others to nobody.
    theirs("run", "-d", "--name", "quiet", "web:latest")
    quiet = theirs("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "quiet").out.strip()
    until_served(machine, INSIDE, quiet, 8000)
    assert fetch(machine, swarm.process(task), quiet, 8000) == ""
    assert "drops packets" not in ours("info").err

    # A user's own rule in DOCKER-USER comes first.
    deny = ["-p", "tcp", "-m", "conntrack", "--ctorigdstport", "8080", "-j", "DROP"]
    machine.run(["iptables", "-I", "DOCKER-USER", "-i", "uplink0", *deny])
    assert fetch(machine, OUTSIDE, ADDRESS, 8080) == ""
    machine.run(["iptables", "-D", "DOCKER-USER", "-i", "uplink0", *deny])
    check_both(swarm, neighbour)

    # Another network of Docker's is closed to us as well, and Docker's next start changes nothing.
    theirs("network", "create", "other")
    theirs("network", "connect", "other", "quiet")
    address = theirs(
        "inspect", "-f", "{{.NetworkSettings.Networks.other.IPAddress}}", "quiet"
    ).out.strip()
    inside = swarm.process(task)
    wait_until(
        lambda: fetch(machine, inside, address, 8000) == "",
        timeout=10,
        what="a new network of Docker's is closed to containers of ours",
    )
    theirs("rm", "-f", "quiet")
    theirs("network", "rm", "other")
    theirs("stop", "-t", "1", "theirs")
    dockerd.restart()
    theirs("start", "theirs")
    (found,) = json.loads(theirs("inspect", "theirs").out)
    neighbour = Neighbour(found["NetworkSettings"]["IPAddress"], found["State"]["Pid"])
    check_both(swarm, neighbour)

    ours("swarm", "leave", "--force")
    assert foreign_rules(machine) == before
    assert fetch(machine, OUTSIDE, ADDRESS, 8081) == "busybox\n"
    theirs("rm", "-f", "-v", "theirs")


def foreign_rules(machine: Machine) -> str:
    return machine.run(["iptables", "-S"]).stdout


def test_nftables_is_restarted(swarm: Swarm) -> None:
    """As `systemctl restart nftables` does it: flush, and the machine's own rules, which drop what they do not know."""
    begin(swarm)
    machine = swarm.machine
    until_served(machine, OUTSIDE, ADDRESS, 8080)
    file = machine.dir / "nftables.conf"
    file.write_text(
        "flush ruleset\n"
        "table inet filter {\n"
        "  chain input { type filter hook input priority 0; policy accept; }\n"
        "  chain forward { type filter hook forward priority 0; policy drop; }\n"
        "}\n"
    )
    table = ["nft", "list", "chain", "ip", "hivelet", "nat-prerouting"]
    took = []
    for _ in range(3):  # the best counts: what else the machine does may take a second, too
        machine.run(["nft", "-f", str(file)])
        begun = time.monotonic()
        wait_until(
            lambda: machine.run(table, check=False).returncode == 0,
            timeout=10,
            what="the rules are back",
            interval=0.02,
        )
        took.append(time.monotonic() - begun)
        until_served(machine, OUTSIDE, ADDRESS, 8080)
    assert min(took) < 1, took
    log = swarm.daemon.log_tail(200)
    assert log.count("the table ip hivelet is missing") == 3
    assert "seen_by='a change by another program" in log
    swarm.cli("swarm", "leave", "--force")
    assert "hivelet" not in machine.run(["nft", "list", "ruleset"]).stdout


@pytest.fixture
def podman(machine: Machine) -> Iterator[Callable[..., str]]:
    """Podman with everything of its own; its containers end with the machine at the latest."""
    if machine.run(["sh", "-c", "command -v podman"], check=False).returncode:
        pytest.skip("podman is not installed on this machine")
    home = machine.dir / "podman"
    words = [
        "podman",
        f"--root={home}/root",
        f"--runroot={home}/run",
        f"--network-config-dir={home}/networks",
        "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
        "--network-backend=netavark",
        "--events-backend=none",
        "--runtime=runc",
        f"--tmpdir={home}/tmp",
    ]

    def run(*rest: str) -> str:
        return machine.run([*words, *rest]).stdout

    yield run
    machine.run([*words, "rm", "-fa", "-t", "1"])


def test_podman(machine: Machine, podman: Callable[..., str], swarm: Swarm) -> None:
    begin(swarm)
    before = foreign_rules(machine)
    podman("import", str(busybox_tar(Path(machine.dir) / "podman.tar")), "web:latest")
    podman(
        *("run", "-d", "--name", "theirs", "-p", "8081:8000"),
        f"--cgroup-parent=/{machine.cgroup_parent}",
        *("web:latest", "/bin/serve"),
    )
    (found,) = json.loads(podman("inspect", "theirs"))
    address = found["NetworkSettings"]["Networks"]["podman"]["IPAddress"]
    assert re.match(r"10\.88\.", address)
    check_both(swarm, Neighbour(address, found["State"]["Pid"]))
    podman("rm", "-f", "-t", "1", "theirs")
    assert "HIVELET" not in foreign_rules(machine), "podman's rules drop nothing of ours"
    assert before
