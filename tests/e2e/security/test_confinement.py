"""A default container beside one of Docker Engine's, side by side: no more rights, devices, mounts or paths than that has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon, Dockerd, Hiveletd
from harness.machine import Machine

from security.confined import IMAGE, import_escapes

pytestmark = pytest.mark.slow

SCRIPT = """
grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups|Speculation)' /proc/self/status
echo == ; cut -d' ' -f5- /proc/self/mountinfo
echo == ; cd /dev; for n in $(find . ! -type d ! -path './pts/*'); do stat -c '%n %F %t:%T %a %u:%g' $n; done
echo == ; cat /sys/fs/cgroup/devices/devices.list 2>/dev/null
echo == ; umask; cat /proc/self/oom_score_adj
echo == ; for p in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug \
  /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware; do
  if [ -d $p ]; then echo $p $(ls -A $p | wc -l); elif [ -e $p ]; then echo $p $(head -c1 $p 2>/dev/null | wc -c); fi; done
"""
ROOTS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/sys")


@dataclass
class Facts:
    """What a container tells of itself."""

    status: list[str]
    mounts: dict[str, set[str]]
    """The flags of each mount."""
    devices: set[str]
    allowed: set[str]
    """What the device cgroup lets it open; nothing where that is a program (cgroup v2)."""
    settings: list[str]
    masked: dict[str, int]
    """What there is to be read of each path that Docker hides."""


def facts_of(cli: Cli, *options: str) -> Facts:
    """Ask a container that is made with these options."""
    said = cli("run", "--rm", *options, IMAGE, "sh", "-c", SCRIPT).out
    status, mounts, devices, allowed, settings, masked = (
        part.strip().splitlines() for part in said.split("==")
    )
    return Facts(
        status=status,
        mounts={line.split()[0]: set(line.split()[1].split(",")) for line in mounts},
        devices=set(devices),
        allowed=set(allowed),
        settings=settings,
        masked={line.split()[0]: int(line.split()[1]) for line in masked},
    )


@contextlib.contextmanager
def engine(kind: type[Daemon]) -> Iterator[Cli]:
    """A daemon of this kind that has the image."""
    with Machine("side") as machine:
        daemon = kind(machine)
        daemon.start()
        cli = make_cli("docker-20", daemon.host, machine.dir)
        import_escapes(cli, machine.dir)
        yield cli
        assert daemon.stop() == 0


def test_a_container_has_no_more_than_docker_gives() -> None:
    with engine(Dockerd) as cli:
        theirs = facts_of(cli)
    with engine(Hiveletd) as cli:
        ours = facts_of(cli)
        hardened = facts_of(cli, "--security-opt", "no-new-privileges", "--cap-drop", "ALL")
        privileged = facts_of(cli, "--privileged")
    # User, groups, the five capability sets, seccomp's mode, no_new_privs: to the letter.
    assert ours.status == theirs.status
    assert ours.settings == theirs.settings
    # `core` is a link to the file that is masked; some runtimes make it.
    assert {line for line in ours.devices if not line.startswith("./core ")} == theirs.devices
    assert ours.allowed <= theirs.allowed
    for target, flags in theirs.mounts.items():
        if target.startswith("/sys/fs/cgroup/") and target not in ours.mounts:
            continue  # an additional hierarchy that dockerd mounts for itself
        if target in theirs.masked:
            continue  # below
        wanted = {"ro"} if target in ROOTS else {"ro", "nosuid", "nodev", "noexec"}
        assert flags & wanted <= ours.mounts[target], target
    # Paths that Docker masks have nothing in them; some of them the kernel does not have.
    assert set(ours.masked.values()) <= {0}
    assert {path for path, size in theirs.masked.items() if size == 0} <= ours.masked.keys()
    # Such a comparison can fail: others do have other rights.
    assert "NoNewPrivs:\t1" in hardened.status
    assert "CapEff:\t0000000000000000" in hardened.status
    assert "Seccomp:\t0" in privileged.status
    assert len(privileged.devices) > len(ours.devices)
    assert any(privileged.masked.values())
