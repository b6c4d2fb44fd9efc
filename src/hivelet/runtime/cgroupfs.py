"""The door to the kernel's control groups: where they are mounted, OOM counts, removal of what is left.

Creating cgroups and setting limits is the OCI runtime's work, not this module's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import Unavailable

_MOUNTINFO = Path("/proc/self/mountinfo")
_NOT_CONTROLLERS = frozenset({"rw", "ro", "xattr", "clone_children", "cpuset_v2_mode", "noprefix"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupTree:
    """The mounted hierarchies. Version 2 has one; version 1 one for each controller, and maybe a controller-less v2."""

    version: int
    roots: Mapping[str, Path]
    """The mount point by controller; v1's named hierarchies as "name=systemd", a v2 hierarchy as ""."""

    @property
    def unified(self) -> Path | None:
        """Where the v2 hierarchy is mounted, if it is."""
        return self.roots.get("")

    def places(self, path: str) -> tuple[Path, ...]:
        """The directories of cgroup `path` in all hierarchies, existing or not."""
        relative = path.strip("/")
        return tuple(root / relative for root in dict.fromkeys(self.roots.values()))

    def oom_kills(self, path: str) -> int:
        """How often the kernel has killed a process in cgroup `path` for want of memory."""
        root = self.roots.get("" if self.version == 2 else "memory")
        if root is None:
            return 0
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return parse_oom_kills(_read(root / path.strip("/") / name))

    def swap_limit(self) -> bool:
        """Whether memory and swap can be limited together."""
        if self.version == 1:
            root = self.roots.get("memory")
            return root is not None and (root / "memory.memsw.limit_in_bytes").exists()
        return self.unified is not None and any(self.unified.glob("*/memory.swap.max"))

    def leftover_controllers(self, proc_cgroups: str) -> tuple[str, ...]:
        """Controllers of a v1 machine that are not mounted beside its v2 hierarchy, where all programs look.

        Either none of v1 has them, and v2 does; or somebody has mounted them elsewhere, which may end at any time.

        Args:
            proc_cgroups: the text of `/proc/cgroups`.
        """
        if self.version == 2 or self.unified is None:
            return ()
        beside = {
            name for name, root in self.roots.items() if root.parent == self.unified.parent and name
        }
        elsewhere = parse_claimed_controllers(proc_cgroups) - beside
        return tuple(sorted(elsewhere.union(_read(self.unified / "cgroup.controllers").split())))

    def processes(self, path: str) -> frozenset[int]:
        """The pids in cgroup `path` itself, in any hierarchy."""
        found: set[int] = set()
        for place in self.places(path):
            found.update(int(pid) for pid in _read(place / "cgroup.procs").split())
        return frozenset(found)

    def freeze(self, path: str, *, frozen: bool) -> None:
        """Freeze the processes of cgroup `path`, or thaw them; nothing happens where the kernel can't."""
        root = self.roots.get("" if self.version == 2 else "freezer")
        if root is None:
            return
        name, word = (
            ("cgroup.freeze", "01"[frozen])
            if self.version == 2
            else ("freezer.state", "FROZEN" if frozen else "THAWED")
        )
        with suppress(OSError):
            (root / path.strip("/") / name).write_text(word, encoding="ascii")

    def remove(self, path: str) -> None:
        """Remove cgroup `path` and all below it in every hierarchy. Those that still hold a process stay."""
        for place in self.places(path):
            for directory, _, _ in os.walk(place, topdown=False):
                with suppress(OSError):
                    os.rmdir(directory)


def parse_oom_kills(text: str) -> int:
    """The `oom_kill` counter of `memory.events` (v2) or `memory.oom_control` (v1)."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return 0


def parse_claimed_controllers(proc_cgroups: str) -> frozenset[str]:
    """The controllers that belong to a v1 hierarchy, from `/proc/cgroups`."""
    rows = [line.split() for line in proc_cgroups.splitlines() if not line.startswith("#")]
    return frozenset(row[0] for row in rows if len(row) == 4 and row[1] != "0" and row[3] == "1")


def parse_cgroup_mounts(mountinfo: Iterable[str]) -> CgroupTree | None:
    """The hierarchies that `mountinfo` shows; None where there is none."""
    roots: dict[str, Path] = {}
    for line in mountinfo:
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if not separator or len(fields) < 5 or len(kinds) < 3:
            continue
        point = Path(fields[4])
        if kinds[0] == "cgroup2":
            roots.setdefault("", point)
        elif kinds[0] == "cgroup":
            names = [option for option in kinds[2].split(",") if option not in _NOT_CONTROLLERS]
            for name in names:
                roots.setdefault(name, point)
    if not roots:
        return None
    return CgroupTree(version=2 if set(roots) == {""} else 1, roots=roots)


def read_cgroup_tree() -> CgroupTree:
    """The hierarchies of this machine, as this process sees them.

    Raises:
        Unavailable: none is mounted.
    """
    tree = parse_cgroup_mounts(os.fsdecode(_MOUNTINFO.read_bytes()).split("\n"))
    if tree is None:
        raise Unavailable(
            "no control groups are mounted: mount them (`mount -t cgroup2 none /sys/fs/cgroup`), "
            "or install the package cgroupfs-mount"
        )
    return tree


def read_proc_cgroups() -> str:
    """The kernel's table of controllers."""
    return _read(Path("/proc/cgroups"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (
        OSError
    ):  # it is not there (ENOENT), or went while we looked (ENODEV): nothing to tell either way
        return ""
