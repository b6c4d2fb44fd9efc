"""The daemon: whether it answers, is locked, who may reach it, and what it warns of. Pure."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass

from hivelet.doctor.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonFacts:
    """`refusal`: why there is no answer. `mode` and `group` are the socket's, None and "" where there is none."""

    address: str
    refusal: str = ""
    name: str = ""
    locked: bool = False
    warnings: tuple[str, ...] = ()
    mode: int | None = None
    group: str = ""


def check_daemon(facts: DaemonFacts) -> Iterator[Finding]:
    """The answer, the lock of the swarm, the socket's rights, the warnings."""
    yield Finding(
        name="daemon",
        seen=facts.refusal or f"{facts.name} answers at {facts.address}",
        level="note" if facts.refusal else "ok",
        meaning="no command but this one works",
        way_out="systemctl start hivelet, or give the address with -H",
    )
    if facts.locked:
        yield Finding(
            name="swarm",
            seen="the swarm is locked",
            level="serious",
            meaning="nothing of it that ends is replaced, and after a reboot none of its services runs",
            way_out="docker swarm unlock",
        )
    if facts.mode is not None:
        yield _socket(facts.mode, facts.group, facts.address)
    for warning in facts.warnings:
        yield Finding(
            name="daemon-warning",
            seen=warning.removeprefix("WARNING: "),
            level="note",
            meaning="the daemon says so itself (docker info)",
            way_out="see docs/operations.md",
        )


def _socket(mode: int, group: str, address: str) -> Finding:
    everybody = bool(mode & stat.S_IWOTH)
    shared = bool(mode & stat.S_IWGRP) and group not in ("", "root")
    members = f", and members of the group {group}" if shared else ""
    return Finding(
        name="socket",
        seen=f"{address} is open to {'everybody' if everybody else f'root{members}'} ({stat.S_IMODE(mode):o})",
        level="serious" if everybody else "ok",
        meaning="whoever may write to the socket is root on this machine",
        way_out=f"chmod 660 {address.removeprefix('unix://')}",
    )
