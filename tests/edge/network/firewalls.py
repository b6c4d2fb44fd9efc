"""Real firewalls, each started in the test's own namespaces with its own files, and ended with the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from network_lab import sh

PATIENCE = 60.0


def need(program: str) -> None:
    """Skip the test, with the reason, where a firewall's program is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed on this machine")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition that another program brings about."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s"
        time.sleep(0.05)


def succeeds(command: str) -> bool:
    return subprocess.run(command, shell=True, capture_output=True, check=False).returncode == 0


def own_files(home: Path, *directories: str) -> None:
    """Copies of these directories of /etc in their place, and an empty /run; the machine's own stay as they are."""
    sh("mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/dbus")
    for directory in directories:
        copy = home / directory.replace("/", "_")
        shutil.copytree(directory, copy, symlinks=True)
        sh(f"mount --bind {copy} {directory}")


@contextlib.contextmanager
def program(argv: list[str], log: Path, **options) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the context lasts."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


@contextlib.contextmanager
def docker(home: Path, variant: str) -> Iterator[None]:
    """Docker Engine, on top of iptables-nft or iptables-legacy."""
    need("dockerd")
    need(f"iptables-{variant}")
    own_files(home)
    bin_ = home / "bin"
    bin_.mkdir()
    for name in ("iptables", "ip6tables"):
        (bin_ / name).symlink_to(shutil.which(f"{name}-{variant}"))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")  # or Docker leaves the policy alone
    folder = home / "docker"
    folder.mkdir()
    argv = [
        "dockerd",
        f"--host=unix://{folder}/sock",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        "--storage-driver=vfs",
        f"--cgroup-parent=/hvtest-{home.name}",
    ]
    environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}
    with program(argv, home / "dockerd.log", env=environment):
        until(lambda: succeeds(f"docker -H unix://{folder}/sock info"), "dockerd answers")
        assert "-P FORWARD DROP" in sh(f"iptables-{variant} -S FORWARD")
        yield
    # containerd's and dockerd's own mounts end with the mount namespace; their processes have ended.


@contextlib.contextmanager
def ufw(home: Path) -> Iterator[None]:
    """ufw as `ufw enable` leaves it: nothing comes in, nothing is routed."""
    need("ufw")
    own_files(home, "/etc/ufw")
    sh("ufw --force enable && ufw default deny routed")
    assert "-P FORWARD DROP" in sh("iptables -S FORWARD")
    yield


@contextlib.contextmanager
def firewalld(home: Path) -> Iterator[None]:
    """firewalld on top of nftables, with a message bus of its own."""
    need("firewalld")
    need("dbus-daemon")
    own_files(home, "/etc/firewalld")
    sh("ip link set lo up")
    with program(["dbus-daemon", "--system", "--nofork", "--nopidfile"], home / "dbus.log") as bus:
        until(lambda: Path("/run/dbus/system_bus_socket").exists(), "the bus is there")
        # polkit is started by the bus, and ends with it.
        with program(["firewalld", "--nofork", "--nopid"], home / "firewalld.log"):
            until(lambda: succeeds("firewall-cmd --state"), "firewalld answers")
            # A zone's chains stay once it has been used; so it is used before anything is compared.
            sh("firewall-cmd --zone=trusted --add-interface=lan9")
            yield
            activated = children_of(bus.pid)
    for pid in activated:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


@contextlib.contextmanager
def iptables(_: Path, variant: str) -> Iterator[None]:
    """A firewall written by hand: whatever is not allowed is dropped."""
    need(f"iptables-{variant}")
    write_iptables(variant)
    yield


def write_iptables(variant: str) -> None:
    """The rules of that firewall, and no others."""
    sh(
        f"iptables-{variant} -F; iptables-{variant} -A INPUT -i lo -j ACCEPT;"
        f"iptables-{variant} -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT;"
        f"iptables-{variant} -P INPUT DROP; iptables-{variant} -P FORWARD DROP"
    )


@contextlib.contextmanager
def iptables_reject(_: Path) -> Iterator[None]:
    """A firewall whose policy is to accept, and whose last rule rejects everything."""
    need("iptables-nft")
    sh("iptables-nft -A FORWARD -j REJECT --reject-with icmp-host-prohibited")
    yield


NATIVE = """flush ruleset
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ct state established,related accept
    meta l4proto ipv6-icmp accept
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
  }
}
"""


@contextlib.contextmanager
def native(home: Path) -> Iterator[None]:
    """/etc/nftables.conf as many write it."""
    (home / "nftables.conf").write_text(NATIVE)
    sh(f"nft -f {home}/nftables.conf")
    yield


FIREWALLS = {
    "docker-nft": lambda home: docker(home, "nft"),
    "docker-legacy": lambda home: docker(home, "legacy"),
    "ufw": ufw,
    "firewalld": firewalld,
    "iptables-nft": lambda home: iptables(home, "nft"),
    "iptables-legacy": lambda home: iptables(home, "legacy"),
    "iptables-reject": iptables_reject,
    "nftables": native,
}


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def rules_of_all() -> str:
    """Every rule of every firewall, without counters, handles and our own table."""
    listing = sh("nft -s list ruleset").split("table ip hivelet {")[0]
    if "filter" in Path("/proc/thread-self/net/ip_tables_names").read_text().split():
        listing += sh("iptables-legacy -S")
    return listing
