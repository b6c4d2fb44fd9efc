"""A finding: what was looked at and seen, and if it is not as it should be, what that means and the way out. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "serious"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A change that is safe to make without asking: a command, and what it reads from its standard input."""

    argv: tuple[str, ...]
    script: str = ""

    @property
    def command(self) -> str:
        """What to type to the same effect."""
        words = shlex.join(self.argv)
        return f"{words} <<'END'\n{self.script}END" if self.script else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One matter. `serious` where services cannot run, or not as promised; `note` where they run worse, or may."""

    name: str
    seen: str
    level: Level = "ok"
    meaning: str = ""
    way_out: str = ""
    repairs: tuple[Repair, ...] = ()

    @property
    def way(self) -> str:
        """The way out in words; the commands of the repairs where no other words were given."""
        return self.way_out or "\n".join(repair.command for repair in self.repairs)


def is_serious(findings: Iterable[Finding]) -> bool:
    """Whether one of them keeps services from running as promised."""
    return any(finding.level == "serious" for finding in findings)


def set_switch(name: str, value: str) -> Repair:
    """Set a kernel switch."""
    return Repair(argv=("sysctl", "-w", f"{name}={value}"))


def load_module(name: str) -> Repair:
    """Load a kernel module."""
    return Repair(argv=("modprobe", name))
