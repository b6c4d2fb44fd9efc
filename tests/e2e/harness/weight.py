"""What a daemon weighs, and what its machine holds, as values that can be compared."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from harness.daemons import Daemon
from harness.swarm import Swarm

MIB = 1 << 20


@dataclass(frozen=True)
class Weight:
    """What a daemon weighs: bytes and numbers. `disk` is without SQLite's logs, which grow to 4 MiB each; `store` is with its own."""

    memory: int
    descriptors: int
    threads: int
    disk: int
    store: int
    connections: int

    def __str__(self) -> str:
        return (
            f"{self.memory / MIB:.1f} MiB resident, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.disk / MIB:.2f} MiB on disk, {self.store / MIB:.2f} MiB of state, {self.connections} connections tracked"
        )


def resident(daemon: Daemon) -> int:
    """Bytes of memory that a daemon's process holds."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(status.split("VmRSS:", 1)[1].split()[0]) * 1024


def weigh(swarm: Swarm) -> Weight:
    """Look once."""
    daemon = swarm.daemon
    proc = Path(f"/proc/{daemon.pid}")
    files = _sizes(daemon.dir, daemon.log_path)
    status = (proc / "status").read_text()
    return Weight(
        memory=resident(daemon),
        descriptors=len(list((proc / "fd").iterdir())),
        threads=int(status.split("Threads:", 1)[1].split()[0]),
        disk=sum(size for path, size in files if not path.name.endswith("-wal")),
        store=sum(size for path, size in files if "swarm" in path.parts),
        connections=int(swarm.machine.run(["conntrack", "-C"]).stdout),
    )


def _sizes(folder: Path, but: Path) -> list[tuple[Path, int]]:
    found = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path != but and path.is_file():
                found.append((path, path.lstat().st_blocks * 512))
    return found


def census(swarm: Swarm) -> dict[str, int]:
    """How many links, rules, mounts, cgroups, processes and namespaces the machine has."""
    traces = swarm.machine.traces()
    return {each.name: len(getattr(traces, each.name)) for each in fields(traces)}
