"""A running container's counters, read from its cgroups (v1 or v2) and its network namespace."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from hivelet.objects.engine import ContainerStats, InterfaceStats

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def read_stats(directories: tuple[Path, ...], pid: int, at: datetime) -> ContainerStats:
    """The counters just now; zeros where the container does not run.

    Args:
        directories: the container's directory in each cgroup hierarchy.
        pid: its first process, through which its network is seen.
        at: the moment to write into the answer.
    """
    if any(
        (directory / "cpu.stat").exists() and (directory / "memory.current").exists()
        for directory in directories
    ):
        stats = _read_v2(directories)
    else:
        stats = _read_v1(directories)
    return stats.replaced(
        read=at,
        online_cpus=os.cpu_count() or 1,
        cpu_system=_machine_cpu(_text(Path("/proc/stat"))),
        networks=parse_interfaces(_text(Path(f"/proc/{pid}/net/dev"))) if pid else {},
    )


def parse_interfaces(text: str) -> dict[str, InterfaceStats]:
    """`/proc/PID/net/dev`, without the loopback. Pure."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        numbers = [int(word) for word in rest.split()]
        if name.strip() == "lo" or len(numbers) < 12:
            continue
        found[name.strip()] = InterfaceStats(
            rx_bytes=numbers[0],
            rx_packets=numbers[1],
            rx_errors=numbers[2],
            rx_dropped=numbers[3],
            tx_bytes=numbers[8],
            tx_packets=numbers[9],
            tx_errors=numbers[10],
            tx_dropped=numbers[11],
        )
    return found


def parse_flat(text: str) -> dict[str, int]:
    """A cgroup file of lines `name number`. Pure."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read_v1(directories: tuple[Path, ...]) -> ContainerStats:
    def number(name: str) -> int:
        return _number(_first(directories, name))

    ticks = parse_flat(_first(directories, "cpuacct.stat"))
    read, written = _block(_first(directories, "blkio.throttle.io_service_bytes_recursive"))
    return ContainerStats(
        read=datetime.min,  # noqa: DTZ901 - replaced by the caller
        cpu_total=number("cpuacct.usage"),
        cpu_each=[int(word) for word in _first(directories, "cpuacct.usage_percpu").split()],
        cpu_user=ticks.get("user", 0) * _TICK,
        cpu_kernel=ticks.get("system", 0) * _TICK,
        memory_usage=number("memory.usage_in_bytes"),
        memory_max=number("memory.max_usage_in_bytes"),
        memory_limit=_limit(number("memory.limit_in_bytes")),
        memory=parse_flat(_first(directories, "memory.stat")),
        pids=number("pids.current"),
        pids_limit=number("pids.max"),
        block_read=read,
        block_written=written,
        cgroup_version=1,
    )


def _read_v2(directories: tuple[Path, ...]) -> ContainerStats:
    cpu = parse_flat(_first(directories, "cpu.stat"))
    read = written = 0
    for word in _first(directories, "io.stat").split():
        name, _, value = word.partition("=")
        read += int(value) if name == "rbytes" else 0
        written += int(value) if name == "wbytes" else 0
    return ContainerStats(
        read=datetime.min,  # noqa: DTZ901 - replaced by the caller
        cpu_total=cpu.get("usage_usec", 0) * 1000,
        cpu_user=cpu.get("user_usec", 0) * 1000,
        cpu_kernel=cpu.get("system_usec", 0) * 1000,
        memory_usage=_number(_first(directories, "memory.current")),
        memory_max=_number(_first(directories, "memory.peak")),
        memory_limit=_limit(_number(_first(directories, "memory.max"))),
        memory=parse_flat(_first(directories, "memory.stat")),
        pids=_number(_first(directories, "pids.current")),
        pids_limit=_number(_first(directories, "pids.max")),
        block_read=read,
        block_written=written,
        cgroup_version=2,
    )


def _limit(configured: int) -> int:
    """No limit means the machine's memory, as Docker shows it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(configured, machine) if configured else machine


def _block(text: str) -> tuple[int, int]:
    totals = {"Read": 0, "Write": 0}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in totals:
            totals[words[1]] += int(words[2])
    return totals["Read"], totals["Write"]


def _machine_cpu(text: str) -> int:
    numbers = text.partition("\n")[0].split()[1:8]
    return sum(int(number) for number in numbers) * _TICK


def _first(directories: tuple[Path, ...], name: str) -> str:
    return next((text for d in directories if (text := _text(d / name))), "")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # the container has just ended, or the kernel lacks this counter


def _number(text: str) -> int:
    stripped = text.strip()
    return int(stripped) if stripped.isdigit() else 0
