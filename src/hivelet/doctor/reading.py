"""Reads the facts that lie open in /proc, /sys and /etc. Decides nothing; what this kernel does not tell is None."""

from __future__ import annotations

import ctypes
import grp
import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import hivelet
from hivelet.doctor.clock import ClockFacts
from hivelet.doctor.control_groups import CgroupFacts
from hivelet.doctor.daemon import DaemonFacts
from hivelet.doctor.kernel import KernelFacts
from hivelet.doctor.limits import LimitFacts
from hivelet.doctor.storage import Volume
from hivelet.errors import Unavailable
from hivelet.network.neighbours import NEIGHBOUR_TABLES, NEIGHBOURS
from hivelet.runtime.cgroupfs import parse_claimed_controllers, read_cgroup_tree, read_proc_cgroups
from hivelet.runtime.host import parse_kernel_version

_SYS = Path("/proc/sys")
_TIME_ERROR = 5
_TIMEX_SIZE = 256


def read_kernel() -> KernelFacts:
    """All of the kernel's facts that need no trial."""
    release = os.uname().release
    used = _number("net/netfilter/nf_conntrack_count")
    limit = _number("net/netfilter/nf_conntrack_max")
    return KernelFacts(
        release=release,
        version=parse_kernel_version(release),
        file_systems=frozenset(Path("/proc/filesystems").read_text().split()),
        pidfd=_has_pidfd(),
        bridge_netfilter=(_SYS / "net/bridge").is_dir(),
        forwarding=_number("net/ipv4/ip_forward") == 1,
        connections=(used, limit) if used is not None and limit else None,
        neighbours={
            f"{table}/{name}".replace("/", "."): value
            for table in NEIGHBOUR_TABLES
            for name, floor in NEIGHBOURS.items()
            if (value := _number(f"{table}/{name}")) is not None and value < floor
        },
    )


def read_cgroups() -> CgroupFacts:
    """How control groups are mounted, and which controllers there are."""
    try:
        tree = read_cgroup_tree()
    except Unavailable:
        return CgroupFacts(version=0)
    if tree.version == 2:
        assert tree.unified is not None
        controllers = frozenset((tree.unified / "cgroup.controllers").read_text().split())
    else:
        table = read_proc_cgroups()
        controllers = parse_claimed_controllers(table) | set(tree.leftover_controllers(table))
    return CgroupFacts(
        version=tree.version,
        hybrid=tree.version == 1 and tree.unified is not None,
        controllers=frozenset(controllers),
        swap_limit=tree.swap_limit(),
    )


def read_limits() -> LimitFacts:
    """Limits of the whole machine."""
    files = (_SYS / "fs/file-nr").read_text().split()
    threads = Path("/proc/loadavg").read_text().split()[3].partition("/")[2]
    ceilings = [n for n in (_number("kernel/pid_max"), _number("kernel/threads-max")) if n]
    return LimitFacts(
        inotify_instances=_number("fs/inotify/max_user_instances"),
        inotify_watches=_number("fs/inotify/max_user_watches"),
        files=(int(files[0]), int(files[2])),
        threads=(int(threads), min(ceilings)) if ceilings else None,
    )


def read_volumes(directories: Iterable[tuple[str, Path]]) -> list[Volume]:
    """The file systems of directories, or of their nearest parents that exist."""
    found = []
    for purpose, path in directories:
        place = next(p for p in (path, *path.parents) if p.exists())
        state = os.statvfs(place)
        found.append(
            Volume(
                purpose=purpose,
                path=str(path),
                bytes_free=state.f_bavail * state.f_frsize,
                bytes_total=state.f_blocks * state.f_frsize,
                inodes_free=state.f_favail,
                inodes_total=state.f_files,
            )
        )
    return found


def read_clock(now: datetime) -> ClockFacts:
    """The time, and whether the kernel says that somebody keeps it."""
    built = datetime.fromtimestamp(Path(hivelet.__file__).stat().st_mtime, UTC)
    return ClockFacts(now=now, built=built, synchronised=_is_synchronised())


def read_resolv_conf() -> str | None:
    """The text of /etc/resolv.conf, None where there is none."""
    try:
        return Path("/etc/resolv.conf").read_text(errors="replace")
    except OSError:
        return None


def read_socket(address: str) -> tuple[int | None, str]:
    """Mode and group of the daemon's socket; (None, "") where the address is none, or nothing is there."""
    path = address.removeprefix("unix://")
    if not path.startswith("/"):
        return None, ""
    try:
        status = os.stat(path)
    except OSError:
        return None, ""
    try:
        return status.st_mode, grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return status.st_mode, str(status.st_gid)


def describe_daemon(address: str, info: dict[str, object] | None, refusal: str) -> DaemonFacts:
    """What the daemon answered to `GET /info`, with its socket's rights."""
    mode, group = read_socket(address)
    warnings = (info or {}).get("Warnings") or []
    swarm = (info or {}).get("Swarm") or {}
    assert isinstance(warnings, list)
    assert isinstance(swarm, dict)
    return DaemonFacts(
        address=address,
        refusal=refusal,
        name=str((info or {}).get("Name", "")),
        locked=swarm.get("LocalNodeState") == "locked",
        warnings=tuple(str(warning) for warning in warnings),
        mode=mode,
        group=group,
    )


def has_apt() -> bool:
    """Whether packages are installed by apt-get here."""
    return shutil.which("apt-get") is not None


def _number(name: str) -> int | None:
    try:
        return int((_SYS / name).read_text())
    except (OSError, ValueError):
        return None


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _is_synchronised() -> bool | None:
    """What adjtimex(2) answers to a question that changes nothing (`modes` 0)."""
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE))
    return None if answer < 0 else answer != _TIME_ERROR
