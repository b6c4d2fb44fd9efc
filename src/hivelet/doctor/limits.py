"""Limits of the kernel that many containers may meet: watches, files, processes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hivelet.doctor.finding import Finding, set_switch

_FULL = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFacts:
    """Each None where this kernel does not tell."""

    inotify_instances: int | None = None
    inotify_watches: int | None = None
    files: tuple[int, int] | None = None
    """Open files, and the limit."""
    threads: tuple[int, int] | None = None
    """Threads, and the lower one of `kernel.pid_max` and `kernel.threads-max`."""


def check_limits(facts: LimitFacts) -> Iterator[Finding]:
    """Limits that are low, or nearly reached."""
    for name, value, enough, switch in (
        ("inotify-instances", facts.inotify_instances, 128, "fs.inotify.max_user_instances"),
        ("inotify-watches", facts.inotify_watches, 8192, "fs.inotify.max_user_watches"),
    ):
        if value is not None:
            yield Finding(
                name=name,
                seen=f"{switch} is {value}",
                level="note" if value < enough else "ok",
                meaning="the end of a container, and lines of its log, are seen late or not at all once it is used up; "
                "applications that watch files share it",
                repairs=(set_switch(switch, str(enough * 8)),),
            )
    for name, pair, switch, meaning in (
        (
            "open-files",
            facts.files,
            "fs.file-max",
            "no program of this machine can open another file",
        ),
        (
            "processes",
            facts.threads,
            "kernel.pid_max",
            "no program of this machine can start another process",
        ),
    ):
        if pair is not None:
            used, limit = pair
            yield Finding(
                name=name,
                seen=f"{used} of {limit}",
                level="serious" if used > limit * _FULL else "ok",
                meaning=f"at the limit {meaning}",
                way_out=f"raise {switch} (and kernel.threads-max), or find what uses them up"
                if name == "processes"
                else f"raise {switch}, or find what uses them up",
            )
